"""Reading a job's log: pages, byte ranges, and the one loop that serves past and live alike.

A reader stands at a byte offset (its cursor); the server remembers nothing. What is read never depends on how the
chunks were cut when they were stored.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from models import ProvisionJob
from runner.bus import Topic
from runner.engine import Engine
from runner.errors import BadInput, quoted
from runner.limits import MAX_PAGE_BYTES
from runner.log.cutting import text_end
from runner.log.piece import Piece
from runner.log.stored import read_range
from runner.outages import until_answered
from runner.viewer import Viewer

# The bus wakes a reader at once; this is the net below it.
RELOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Page:
    """Consecutive pieces. `cursor` is where the next page starts."""

    pieces: list[Piece]
    cursor: int
    has_more: bool


def parse_cursor(cursor: str | None) -> int:
    """The offset that a cursor names; BadInput if it is none of ours."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise BadInput(
            f"{quoted(cursor)} is not a valid log cursor: use a `cursor` that this API gave you, or none to start"
        )
    return int(cursor)


def check_cursor(job: ProvisionJob, after: int) -> None:
    """BadInput if the log has not come as far as `after`."""
    if after > job.log_size:
        message = f"cursor {after} is past the end of the log of job {job.id}, which has {job.log_size} bytes"
        raise BadInput(message)


async def read_page(viewer: Viewer, job: ProvisionJob, *, after: str | None, max_bytes: int, last: bool) -> Page:
    """The page of at most `max_bytes` after a cursor, or with `last` the final lines that fit."""
    if not 1 <= max_bytes <= MAX_PAGE_BYTES:
        raise BadInput(f"maxBytes must be from 1 to {MAX_PAGE_BYTES}")
    start = parse_cursor(after)
    check_cursor(job, start)
    if job.log_pruned_at is not None:
        return Page([], job.log_size, has_more=False)
    if last:
        start = await _line_start(job, max(start, job.log_size - max_bytes))
    stop = min(job.log_size, start + max_bytes)
    pieces = [piece async for piece in read_range(job.id, start, stop)]
    if pieces and pieces[-1].stop < job.log_size:
        pieces[-1] = _whole_text(pieces[-1])
    if not pieces and start < stop and await _pruned(job):
        return Page([], job.log_size, has_more=False)
    cursor = pieces[-1].stop if pieces else start
    if job.final and cursor == job.log_size and pieces:
        pieces[-1] = pieces[-1].ended()
    return Page(pieces, cursor, cursor < job.log_size)


async def _pruned(job: ProvisionJob) -> bool:
    """Whether the log has gone, be it together with its job, since `job` was read."""
    current = await ProvisionJob.get_or_none(id=job.id)
    return current is None or current.log_pruned_at is not None


async def _line_start(job: ProvisionJob, offset: int) -> int:
    """The first start of a line at or after `offset`; `offset` itself inside the last line, however long it is."""
    if not offset:
        return 0
    async for piece in read_range(job.id, offset - 1, job.log_size):
        found = piece.data.find(b"\n")
        if found >= 0:
            line = piece.start + found + 1
            return line if line < job.log_size else offset
    return offset


def _whole_text(piece: Piece) -> Piece:
    """`piece` without the beginning of a UTF-8 sequence at its end, as long as something is left."""
    end = text_end(piece.data, len(piece.data)) or len(piece.data)
    return piece.up_to(piece.start + end)


async def find_watched(engine: Engine, viewer: Viewer, job_id: int) -> ProvisionJob | None:
    """The job, or None, as `find_job` answers; watchers who come at once share one look at the table."""
    return await until_answered(lambda: engine.shelf.job(job_id))


async def follow_log(engine: Engine, viewer: Viewer, job: ProvisionJob, after: str | None) -> AsyncIterator[Piece]:
    """Every piece after a cursor, past and live, without gap or repeat; the last one has `end`."""
    position = parse_cursor(after)
    check_cursor(job, position)
    shelf = engine.shelf
    with shelf.followed(job.id), engine.bus.listen((Topic.LOG, job.id), (Topic.JOB, job.id)) as listener:
        # Looked at after listening and before reading: when it is final, its log is already whole.
        current = await find_watched(engine, viewer, job.id)
        while current is not None:
            job = current
            last: Piece | None = None
            # Of a log that is being pruned nothing more is read: its end alone is still told.
            while not job.log_pruned_at and (piece := await until_answered(partial(shelf.piece, job.id, position))):
                position = piece.stop
                last = piece.ended() if job.final and position == job.log_size else piece
                yield last
            if job.final:
                if last is None or not last.end:
                    yield await _nothing_more(job, position)
                return
            if last is None:
                dirty = await listener.wait(RELOOK_SECONDS)
                if not dirty or (Topic.JOB, job.id) in dirty:
                    current = await find_watched(engine, viewer, job.id)
        yield await _nothing_more(job, position)


async def _nothing_more(job: ProvisionJob, position: int) -> Piece:
    """The end of a log. Of a pruned one it stands where the log once ended: the gap before it shows what has gone."""
    if position < job.log_size and await _pruned(job):
        position = job.log_size
    return Piece(job.id, position, b"", job.line_count + 1, job.ended_at or job.created_at, end=True)
