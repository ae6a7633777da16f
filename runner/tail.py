"""The tail: copies `ansible.log` into chunks, each byte once, and continues after a crash where the table stands.

One transaction writes chunks and the new offset, only while the claim's fence is ours. The first bytes after a
silence go at once; while data flows the file is read every 30 ms. A chunk ends at a line end if one comes within
50 ms, and never inside a UTF-8 sequence.
"""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from models import LogChunk, ProvisionJob
from models.chunk import MAX_BYTES
from models.transaction import transaction
from runner.bus import Bus, Topic
from runner.cut import lines_end, text_end
from runner.inotify import GrowthWatch
from runner.jobdir import JobDir
from runner.persist import until_stored

READ_BYTES = 1024 * 1024
POLL_SECONDS = 0.03
PARTIAL_SECONDS = 0.05
IDLE_SECONDS = 1.0


class FenceLost(Exception):
    """Another claim of this job has taken over; whatever this one still wanted to write is dropped."""


class Tail:
    """Copies the log of one claimed job. `job.log_size` and `job.line_count` move with what is stored."""

    def __init__(self, job: ProvisionJob, job_dir: JobDir, bus: Bus) -> None:
        self._job = job
        self._bus = bus
        self._path = job_dir.log
        self._held = bytearray()
        self._held_since = 0.0

    async def follow(self, ended: Callable[[], bool], end: asyncio.Event) -> None:
        """Copy until `ended()` was true before a read that came to the end of the log; `end` cuts waits short."""
        fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        watch = GrowthWatch(self._path)
        try:
            while True:
                last = ended()
                read = await self._pump(fd, last=last)
                if last and read < READ_BYTES:
                    return
                if read or self._held:
                    # A full read means that more waits already.
                    await asyncio.sleep(0 if read == READ_BYTES else POLL_SECONDS)
                else:
                    await self._wait_for_growth(fd, watch, end)
        finally:
            watch.close()
            os.close(fd)

    async def _wait_for_growth(self, fd: int, watch: GrowthWatch, end: asyncio.Event) -> None:
        watch.arm()
        if os.fstat(fd).st_size > self._position or end.is_set():
            return
        waits = [asyncio.ensure_future(watch.grown.wait()), asyncio.ensure_future(end.wait())]
        try:
            # The timed look is for file systems where writes of others raise no event, and for want of watches.
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    @property
    def _position(self) -> int:
        return int(self._job.log_size) + len(self._held)

    async def _pump(self, fd: int, *, last: bool) -> int:
        """Read what there is, at most READ_BYTES, and store what may go; how many bytes were read.

        A read that is `last` and not full has come to the end of the log: then nothing is held back.
        """
        data = os.pread(fd, READ_BYTES, self._position)
        if data and not self._held:
            self._held_since = time.monotonic()
        self._held += data
        late = last or time.monotonic() - self._held_since >= PARTIAL_SECONDS
        chunks = self._take(whole=last and len(data) < READ_BYTES, late=late)
        if chunks:
            await self._store(chunks)
            self._held_since = time.monotonic()
        return len(data)

    def _take(self, *, whole: bool, late: bool) -> list[bytes]:
        """Cut what may go now out of the held bytes: all of it when `whole`, a partial line when `late`."""
        chunks = []
        while self._held:
            end = lines_end(self._held, MAX_BYTES)
            # What follows a line end has only just come.
            late = late and not end
            if not end and len(self._held) >= MAX_BYTES:
                end = text_end(self._held, MAX_BYTES)
            if not end and (late or whole):
                end = text_end(self._held, MAX_BYTES) or (len(self._held) if whole else 0)
            if not end:
                break
            chunks.append(bytes(self._held[:end]))
            del self._held[:end]
        return chunks

    async def _store(self, chunks: list[bytes]) -> None:
        await until_stored("log", self._job.id, lambda: self._write(chunks))
        self._bus.publish(Topic.LOG, self._job.id)

    async def _write(self, chunks: list[bytes]) -> None:
        job, now = self._job, datetime.now(UTC)
        rows, start, line = [], job.log_size, job.line_count
        for data in chunks:
            rows.append(LogChunk(job_id=job.id, start=start, first_line=line + 1, data=data, emitted_at=now))
            start += len(data)
            line += data.count(b"\n")
        async with transaction():
            moved = await ProvisionJob.filter(id=job.id, fence=job.fence, log_size=job.log_size).update(
                log_size=start, line_count=line
            )
            if moved:
                await LogChunk.bulk_create(rows)
        if not moved:
            await self._must_be_ours(start)
        job.log_size, job.line_count = start, line

    async def _must_be_ours(self, size: int) -> None:
        """A commit whose answer was lost has stored exactly this; anything else means that the fence moved."""
        current = await ProvisionJob.get_or_none(id=self._job.id)
        if current is None or current.fence != self._job.fence or current.log_size != size:
            raise FenceLost
