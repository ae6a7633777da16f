"""The tail: copies `ansible.log` into chunks, each byte once, and continues after a crash where the table stands.

One transaction writes chunks and the new offset, only while the claim's fence is ours. The first bytes after a
silence go at once; while data flows the file is read every 15 ms. A chunk ends at a line end if one comes within
50 ms, and never inside a UTF-8 sequence.
"""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from models import ProvisionJob
from models.chunk import LogAppend, Run
from runner.bus import Bus, Topic
from runner.job_dir import JobDir
from runner.log.appender import Appender
from runner.log.growth_watch import GrowthWatch
from runner.log.read_buffer import ReadBuffer
from runner.log.shelf import Shelf
from runner.outages import until_stored
from runner.waits import first, pause

READ_BYTES = 1024 * 1024
POLL_SECONDS = 0.015
PARTIAL_SECONDS = 0.05
IDLE_SECONDS = 1.0


class Tail:
    """Copies the log of one claimed job. `job.log_size` and `job.line_count` move with what is stored."""

    def __init__(self, job: ProvisionJob, job_dir: JobDir, bus: Bus, shelf: Shelf, appender: Appender) -> None:
        self._job = job
        self._bus = bus
        self._shelf = shelf
        self._appender = appender
        self._path = job_dir.log
        self._held = ReadBuffer(READ_BYTES)
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
                if read == READ_BYTES:
                    # More waits already.
                    await asyncio.sleep(0)
                elif read or self._held:
                    await pause(POLL_SECONDS, end)
                else:
                    await self._wait_for_growth(fd, watch, end)
        finally:
            watch.close()
            os.close(fd)

    async def _wait_for_growth(self, fd: int, watch: GrowthWatch, end: asyncio.Event) -> None:
        watch.arm()
        if os.fstat(fd).st_size > self._position or end.is_set():
            return
        # The timed look is for file systems where writes of others raise no event, and for want of watches.
        await first(watch.grown.wait(), end.wait(), seconds=IDLE_SECONDS)

    @property
    def _position(self) -> int:
        return int(self._job.log_size) + len(self._held)

    async def _pump(self, fd: int, *, last: bool) -> int:
        """Read what there is, at most READ_BYTES, and store what may go; how many bytes were read.

        A read that is `last` and not full has come to the end of the log: then nothing is held back.
        """
        before = len(self._held)
        with self._held.room as room:
            read = os.preadv(fd, [room], self._position)
        self._held.filled(read)
        if not before:
            self._held_since = time.monotonic()
        late = last or time.monotonic() - self._held_since >= PARTIAL_SECONDS
        full = read == READ_BYTES
        chunks = self._held.take(whole=last and not full, late=late, more=full)
        if chunks:
            await self._store(chunks)
            self._held_since = time.monotonic()
        return read

    async def _store(self, chunks: list[bytes]) -> None:
        job, now = self._job, datetime.now(UTC)
        runs, size, lines = [], job.log_size, job.line_count
        for data in chunks:
            runs.append(Run(size, lines + 1, data, now))
            size += len(data)
            lines += data.count(b"\n")
        await until_stored("log", job.id, lambda: self._write(runs, size, lines))
        job.log_size, job.line_count = size, lines
        self._shelf.stored(job.id, runs)
        self._bus.publish(Topic.LOG, job.id)

    async def _write(self, runs: list[Run], size: int, lines: int) -> None:
        if not await self._appender.append(LogAppend(self._job, runs, size, lines)):
            await self._job.must_have_stored(log_size=size)
