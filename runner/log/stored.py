"""Stored log bytes, read back in pieces."""

from collections.abc import AsyncIterator, Sequence

from models import LogChunk
from models.chunk import MAX_BYTES, Run
from runner.log.piece import Piece


async def read_range(job_id: int, start: int, stop: int) -> AsyncIterator[Piece]:
    """The stored bytes from `start` to before `stop`, in pieces of at most 64 KiB; holds one window at a time."""
    while start < stop:
        most = start + MAX_BYTES
        runs = await LogChunk.between(job_id, start, most)
        if not runs:
            return
        piece = joined(job_id, start, runs, most)
        if piece.stop > stop:
            piece = piece.up_to(stop)
        if not piece.data:
            return
        yield piece
        start = piece.stop


def joined(job_id: int, start: int, runs: Sequence[Run], limit: int) -> Piece:
    """The first run from `start` on, and after it all that end at `limit` or before."""
    first = runs[0]
    skipped = start - first.start
    line = first.first_line + (first.data.count(b"\n", 0, skipped) if skipped else 0)
    stop, taken = first.start + len(first.data), 1
    while taken < len(runs) and stop + len(runs[taken].data) <= limit:
        stop += len(runs[taken].data)
        taken += 1
    parts = [first.data[skipped:], *(run.data for run in runs[1:taken])]
    return Piece(job_id, start, b"".join(parts) if taken > 1 else parts[0], line, runs[taken - 1].emitted_at)
