"""Stored log chunks, read as they are: to make an object of the ORM out of each costs twenty times as much."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tortoise.connection import get_connection

_READ = "SELECT start, first_line, data, emitted_at FROM log_chunk WHERE job_id = ? AND start >= ? AND start < ?"


class Chunk(NamedTuple):
    """A run of log bytes; the columns of LogChunk that readers need."""

    start: int
    first_line: int
    data: bytes
    emitted_at: datetime


async def first_chunks(job_id: int, start: int, stop: int, most: int) -> list[Chunk]:
    """The first `most` chunks that begin at `start` or after it, but before `stop`; in order."""
    return await _read(f"{_READ} ORDER BY start LIMIT ?", [job_id, start, stop, most])


async def last_chunk(job_id: int, start: int, stop: int) -> Chunk | None:
    """The last chunk that begins at `start` or after it, but before `stop`."""
    found = await _read(f"{_READ} ORDER BY start DESC LIMIT ?", [job_id, start, stop, 1])
    return found[0] if found else None


async def _read(sql: str, values: Sequence[int]) -> list[Chunk]:
    connection = get_connection("default")
    if connection.capabilities.dialect == "postgres":
        for number in range(1, len(values) + 1):
            sql = sql.replace("?", f"${number}", 1)
    _, rows = await connection.execute_query(sql, list(values))
    return [_chunk(row) for row in rows]


def _chunk(row: Mapping[str, Any]) -> Chunk:
    at = row["emitted_at"]
    # SQLite has text there.
    emitted_at = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return Chunk(row["start"], row["first_line"], row["data"], emitted_at)
