"""Log chunks: the copy of `ansible.log` that every API process can read."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.connection import get_connection
from tortoise.expressions import RawSQL
from tortoise.models import Model

from models.dialect import mark
from models.job import ProvisionJob
from models.transaction import at_once

MAX_BYTES = 64 * 1024
CHUNKS_LEFT = RawSQL("EXISTS (SELECT 1 FROM log_chunk c WHERE c.job_id = provision_job.id)")
"""In a query of jobs: whether any of the log is still there."""
_MOVE = "UPDATE provision_job SET log_size = ?, line_count = ? WHERE id = ? AND fence = ? AND log_size = ?"
_ADD = "INSERT INTO log_chunk (job_id, start, first_line, data, emitted_at) VALUES (?, ?, ?, ?, ?)"
# One statement, so one transaction and one way to PostgreSQL, however many logs come further.
_APPEND = """
WITH moved AS (
    UPDATE provision_job job SET log_size = move.size, line_count = move.lines
    FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[], $5::bigint[])
        AS move (size, lines, job_id, fence, before)
    WHERE job.id = move.job_id AND job.fence = move.fence AND job.log_size = move.before RETURNING job.id
), added AS (
    INSERT INTO log_chunk (job_id, start, first_line, data, emitted_at)
    SELECT run.* FROM unnest($6::int[], $7::bigint[], $8::bigint[], $9::bytea[], $10::timestamptz[])
        AS run (job_id, start, first_line, data, emitted_at) JOIN moved ON moved.id = run.job_id
)
SELECT id FROM moved
"""
# What came after each of these places. The inner query has an order, so that PostgreSQL looks each place up, and does
# not go through the table.
_AFTER = """
SELECT run.* FROM unnest($1::int[], $2::bigint[]) AS place (job_id, start) CROSS JOIN LATERAL (
    SELECT job_id, start, first_line, data, emitted_at FROM log_chunk
    WHERE job_id = place.job_id AND start >= place.start AND start < place.start + $3 ORDER BY start
) AS run
"""


class Run(NamedTuple):
    """A chunk without its row: log bytes from `start`; `first_line` is the 1-based number of the line they start in."""

    start: int
    first_line: int
    data: bytes
    emitted_at: datetime


@dataclass(frozen=True)
class LogAppend:
    """Chunks to append to the log of a claimed job, and its size in bytes and lines after them."""

    job: ProvisionJob
    runs: Sequence[Run]
    size: int
    lines: int


class LogChunk(Model):
    """A run of log bytes. `start` (byte offset) is identity, order and cursor; `first_line` is 1-based."""

    id = fields.BigIntField(primary_key=True)
    job: fields.ForeignKeyRelation[ProvisionJob] = fields.ForeignKeyField(
        "models.ProvisionJob", related_name="chunks", on_delete=fields.CASCADE
    )
    job_id: int
    start = fields.BigIntField()
    first_line = fields.BigIntField()
    data: bytes = fields.BinaryField()
    emitted_at = fields.DatetimeField()

    class Meta:
        table = "log_chunk"
        table_description = "log bytes of jobs"
        unique_together = (("job", "start"),)

    @classmethod
    async def append(cls, further: Sequence[LogAppend]) -> set[int]:
        """Add chunks of jobs, each of them once, and move the size and the lines of their logs, in one transaction.

        The ids of the jobs whose log came further: of the others the claim or the size is not ours. In plain SQL:
        building the same statements anew each time cost a flood as much as its bytes.
        """
        moves = [(one.size, one.lines, one.job.id, one.job.fence, one.job.log_size) for one in further]
        rows = [(one.job.id, *run) for one in further for run in one.runs]
        db = get_connection("default")
        if db.capabilities.dialect == "sqlite":
            return await at_once(db, lambda connection: _append(connection, moves, rows))
        columns = [list(column) for part in (moves, rows) for column in zip(*part, strict=True)]
        return {int(row["id"]) for row in await db.execute_query_dict(_APPEND, columns)}

    @classmethod
    async def after(cls, places: Mapping[int, int], size: int) -> dict[int, list[Run]]:
        """The chunks of each of these jobs that begin in the `size` bytes from its offset on; PostgreSQL alone."""
        found: dict[int, list[Run]] = {}
        given = [list(places), list(places.values()), size]
        for row in (await get_connection("default").execute_query(_AFTER, given))[1]:
            found.setdefault(row["job_id"], []).append(_run(row))
        return found

    @classmethod
    async def between(cls, job_id: int, start: int, stop: int) -> list[Run]:
        """The chunks that begin from `start` to before `stop`, and before them the one that goes on at `start`."""
        db = get_connection("default")
        job, low, high = (mark(db, number) for number in (1, 2, 3))
        columns = "SELECT start, first_line, data, emitted_at FROM log_chunk"
        within = f"{columns} WHERE job_id = {job} AND start >= {low} AND start < {high} ORDER BY start"
        runs = [_run(row) for row in (await db.execute_query(within, [job_id, start, stop]))[1]]
        if not runs or runs[0].start > start:
            # Only a cursor inside a chunk comes here: one that we gave out stands at a chunk's end.
            before = f"{columns} WHERE job_id = {job} AND start > {low} AND start < {high} ORDER BY start DESC LIMIT 1"
            rows = (await db.execute_query(before, [job_id, start - MAX_BYTES, start]))[1]
            holding = [run for run in map(_run, rows) if run.start + len(run.data) > start]
            return [*holding, *runs] if holding else []
        return runs


def _append(connection: sqlite3.Connection, moves: list[tuple[Any, ...]], rows: list[tuple[Any, ...]]) -> set[int]:
    moved = {move[2] for move in moves if connection.execute(_MOVE, move).rowcount}
    connection.executemany(_ADD, [row for row in rows if row[0] in moved])
    return moved


def _run(row: dict[str, Any]) -> Run:
    """A row of either driver: SQLite keeps instants as text."""
    at = row["emitted_at"]
    return Run(
        row["start"],
        row["first_line"],
        row["data"],
        at if isinstance(at, datetime) else datetime.fromisoformat(at),
    )
