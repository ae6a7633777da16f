"""The intake: copies `events.jsonl` into the events table and the counters per host, each event once.

One transaction writes events, counters, progress and the new offset in the file, only while the claim's fence is ours:
a crash at any point repeats nothing. An event is taken once the log is stored as far as it had come then, so whoever
sees an event can read the lines that it names.
"""

import asyncio
import os
import re

import structlog
from tortoise.expressions import F

from models import JobEvent, ProvisionJob
from models.transaction import transaction
from runner.bus import Bus, Topic
from runner.events.event_line import PluginEvent, read_event
from runner.events.host_progress import HostProgress
from runner.job_dir import JobDir
from runner.log.growth_watch import GrowthWatch
from runner.log.piece import Piece
from runner.log.stored import read_range
from runner.log.tail import IDLE_SECONDS, POLL_SECONDS
from runner.outages import until_stored
from runner.waits import first, pause

READ_BYTES = 1024 * 1024
MOST_EVENTS = 256
MOST_PRINTED = 16 * 1024
"""How much of what was printed before an event is looked at for where its own output begins."""

_HEADER = re.compile(rb"^(?:TASK|RUNNING HANDLER|CLEANUP TASK|HANDLER) \[", re.MULTILINE)
_NOT_OF_A_RESULT = re.compile(
    rb"(?:\n|(?:META: |NOTIFIED HANDLER |Notification for handler |\[WARNING\]: |\[DEPRECATION WARNING\]: )[^\n]*\n)*"
)

log = structlog.get_logger()


class Intake:
    """Takes in the events of one claimed job. `job.log_size` is the tail's, `job.events_size` moves here."""

    def __init__(self, job: ProvisionJob, job_dir: JobDir, bus: Bus) -> None:
        self._job = job
        self._path = job_dir.events
        self._bus = bus
        self._live = HostProgress(job.id)
        self._piece: Piece | None = None

    async def follow(self, drained: asyncio.Event) -> None:
        """Take events until `drained` (the job is over and its log stored) and the file has come to its end."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            # The directory is gone: the log's end and the outcome say so.
            log.warning("events cannot be read", job=self._job.id, error=str(error))
            return
        watch = GrowthWatch(self._path)
        try:
            while True:
                last = drained.is_set()
                read = await self._pump(fd, last=last)
                if read:
                    continue
                if last:
                    return
                if os.fstat(fd).st_size > self._job.events_size:
                    # Part of a line, or the log is not stored that far yet.
                    await pause(POLL_SECONDS, drained)
                else:
                    await _grown(fd, watch, drained, self._job.events_size)
        finally:
            watch.close()
            os.close(fd)

    async def _pump(self, fd: int, *, last: bool) -> int:
        """Store the whole lines that may go, at most MOST_EVENTS; how many bytes of the file they were."""
        data = os.pread(fd, READ_BYTES, self._job.events_size)
        events: list[PluginEvent] = []
        taken = strange = 0
        while len(events) < MOST_EVENTS and (end := data.find(b"\n", taken)) >= 0:
            event = read_event(data[taken:end])
            if event is None:
                strange += 1
            elif event.log_offset > self._job.log_size and not last:
                break
            else:
                events.append(event)
            taken = end + 1
        if not taken and len(data) == READ_BYTES and b"\n" not in data:
            # Longer than any line of ours: written by somebody else. Its rest will be no event either.
            taken = len(data)
        if strange:
            log.warning("lines of the events are none", job=self._job.id, lines=strange, near=self._job.events_size)
        if taken:
            await self._store(events, taken)
        return taken

    async def _store(self, events: list[PluginEvent], size: int) -> None:
        rows = [event.row(self._job.id, await self._line(event)) for event in events if event.stored]
        self._live.take(events)
        await until_stored("events", self._job.id, lambda: self._write(rows, events, size))
        self._live.written()
        self._bus.publish(Topic.EVENTS, self._job.id)

    async def _line(self, event: PluginEvent) -> int | None:
        """The 1-based line of the log where the event's output begins; None if it printed nothing."""
        start = event.log_start
        if not 0 <= start < event.log_offset or start >= self._job.log_size:
            return None
        stop = min(event.log_offset, self._job.log_size, start + MOST_PRINTED)
        if self._piece is None or not self._piece.start <= start < stop <= self._piece.stop:
            self._piece = await until_stored("line", self._job.id, lambda: self._read(start))
        if self._piece is None:
            return None
        skipped = start - self._piece.start
        printed = self._piece.data[skipped : event.log_offset - self._piece.start]
        before = skipped + _own_output(event.kind, printed)
        return self._piece.first_line + self._piece.data[:before].count(b"\n")

    async def _read(self, start: int) -> Piece | None:
        async for piece in read_range(self._job.id, start, self._job.log_size):
            return piece
        return None

    async def _write(self, rows: list[JobEvent], events: list[PluginEvent], size: int) -> None:
        job = self._job
        stands = ProvisionJob.filter(id=job.id, fence=job.fence, events_size=job.events_size)
        progress = next((event.progress for event in reversed(events) if event.progress is not None), job.progress)
        async with transaction():
            moved = await stands.update(
                events_size=job.events_size + size, event_count=F("event_count") + len(rows), progress=progress
            )
            if moved:
                now = await ProvisionJob.get(id=job.id).only("id", "event_count")
                for seq, row in enumerate(rows, now.event_count - len(rows) + 1):
                    row.seq = seq
                await JobEvent.bulk_create(rows)
                await self._live.write()
        if not moved:
            await job.must_have_stored(events_size=job.events_size + size)
        job.events_size += size
        job.progress = progress


def _own_output(kind: str, printed: bytes) -> int:
    """Where in what was printed since the event before the event's own output begins.

    Blank lines, warnings and what `meta` tasks say belong to no event. A task begins with its header; what comes before
    a result is left out as far as it is known to be something else.
    """
    if kind == "task" and (headers := list(_HEADER.finditer(printed))):
        return headers[-1].start()
    other = _NOT_OF_A_RESULT.match(printed)
    return other.end() if other is not None else 0


async def _grown(fd: int, watch: GrowthWatch, drained: asyncio.Event, size: int) -> None:
    watch.arm()
    if os.fstat(fd).st_size > size or drained.is_set():
        return
    await first(watch.grown.wait(), drained.wait(), seconds=IDLE_SECONDS)
