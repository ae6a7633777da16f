"""Log chunks: the copy of `ansible.log` that every API process can read."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.connection import get_connection
from tortoise.models import Model

from models.job import ProvisionJob
from models.mark import mark
from models.transaction import at_once, transaction

MAX_BYTES = 64 * 1024
_MOVE = "UPDATE provision_job SET log_size = {}, line_count = {} WHERE id = {} AND fence = {} AND log_size = {}"
_ADD = "INSERT INTO log_chunk (job_id, start, first_line, data, emitted_at) VALUES ({}, {}, {}, {}, {})"


class Run(NamedTuple):
    """A chunk without its row: log bytes from `start`; `first_line` is the 1-based number of the line they start in."""

    start: int
    first_line: int
    data: bytes
    emitted_at: datetime


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
    async def append(cls, job: ProvisionJob, runs: Sequence[Run], size: int, lines: int) -> bool:
        """Add chunks and move the log's size and lines in one transaction; False if the claim or the size is not ours.

        In plain SQL: building the same statements anew each time cost a flood as much as its bytes.
        """
        move = [size, lines, job.id, job.fence, job.log_size]
        rows = [[job.id, *run] for run in runs]
        db = get_connection("default")
        if db.capabilities.dialect == "sqlite":
            return await at_once(db, lambda connection: _append(connection, move, rows))
        async with transaction() as tx:
            moved, _ = await tx.execute_query(_MOVE.format("$1", "$2", "$3", "$4", "$5"), move)
            if moved:
                await tx.execute_many(_ADD.format("$1", "$2", "$3", "$4", "$5"), rows)
        return bool(moved)

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


def _append(connection: sqlite3.Connection, move: list[Any], rows: list[list[Any]]) -> bool:
    moved = connection.execute(_MOVE.format(*"?????"), move).rowcount
    if moved:
        connection.executemany(_ADD.format(*"?????"), rows)
    return bool(moved)


def _run(row: dict[str, Any]) -> Run:
    """A row of either driver: SQLite keeps instants as text."""
    at = row["emitted_at"]
    return Run(
        row["start"],
        row["first_line"],
        row["data"],
        at if isinstance(at, datetime) else datetime.fromisoformat(at),
    )
