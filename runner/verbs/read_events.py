"""Reading a job's events: pages, and the one loop that serves past and live alike. The cursor is the last `seq`."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from models import JobEvent, ProvisionJob
from runner.bus import Topic
from runner.engine import Engine
from runner.errors import BadInput, quoted
from runner.limits import MAX_PAGE_SIZE
from runner.outages import until_answered
from runner.viewer import Viewer

# The bus wakes a reader at once; this is the net below it.
RELOOK_SECONDS = 5.0
# Of JSON text in one batch, unless a single event has more: many clients refuse messages of several megabytes.
MAX_BATCH = 256 * 1024


@dataclass(frozen=True)
class Batch:
    """Consecutive events. `cursor` is the last `seq` so far; `end` says that the job can have no more."""

    events: list[JobEvent]
    cursor: int
    end: bool


def parse_event_cursor(job: ProvisionJob, cursor: str | None) -> int:
    """The number that a cursor names; BadInput if it is none of ours, or past the end."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 10:
        raise BadInput(
            f"{quoted(cursor)} is not a valid event cursor: use a `cursor` that this API gave you, or none to start"
        )
    if int(cursor) > job.event_count:
        raise BadInput(f"cursor {cursor} is past the last event of job {job.id}, which has {job.event_count}")
    return int(cursor)


async def read_events(viewer: Viewer, job_ids: Sequence[int], most: int, position: int) -> dict[int, list[JobEvent]]:
    """The `most` events after the one numbered `position`, of each of these jobs."""
    found: dict[int, list[JobEvent]] = {job_id: [] for job_id in job_ids}
    # Their numbers have no gaps: as many numbers, as many events.
    rows = JobEvent.filter(job_id__in=list(job_ids), seq__gt=position, seq__lte=position + most)
    for row in await rows.order_by("job_id", "seq"):
        found[row.job_id].append(row)
    return found


async def follow_events(engine: Engine, viewer: Viewer, job: ProvisionJob, after: str | None) -> AsyncIterator[Batch]:
    """Every event after a cursor, past and live, without gap or repeat; the last batch has `end`."""
    position = parse_event_cursor(job, after)
    with engine.bus.listen((Topic.EVENTS, job.id), (Topic.JOB, job.id)) as listener:
        while True:
            current, found = await until_answered(partial(_look, job.id, position))
            rows = _fitting(found)
            position = rows[-1].seq if rows else position
            end = current is None or (current.final and position >= current.event_count)
            if rows or end:
                yield Batch(rows, position, end)
            if end:
                return
            if len(rows) == len(found) < MAX_PAGE_SIZE:
                await listener.wait(RELOOK_SECONDS)


def _fitting(rows: list[JobEvent]) -> list[JobEvent]:
    """The first of them that fit into one batch."""
    size = 0
    for number, row in enumerate(rows):
        size += len(row.payload)
        if number and size > MAX_BATCH:
            return rows[:number]
    return rows


async def _look(job_id: int, position: int) -> tuple[ProvisionJob | None, list[JobEvent]]:
    """The job, and after it the next events: when it is final, all its events are stored."""
    job = await ProvisionJob.get_or_none(id=job_id)
    return job, await JobEvent.filter(job_id=job_id, seq__gt=position).order_by("seq").limit(MAX_PAGE_SIZE)
