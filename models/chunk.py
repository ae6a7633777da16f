"""Log chunks: the copy of `ansible.log` that every API process can read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.models import Model

from models.job import ProvisionJob
from models.transaction import transaction

MAX_BYTES = 64 * 1024


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
        async with transaction() as tx:
            mark = [_mark(tx, number) for number in range(1, 6)]
            moves = f"UPDATE provision_job SET log_size = {mark[0]}, line_count = {mark[1]}"  # noqa: S608 (marks alone)
            ours = f"WHERE id = {mark[2]} AND fence = {mark[3]} AND log_size = {mark[4]}"
            moved, _ = await tx.execute_query(f"{moves} {ours}", [size, lines, job.id, job.fence, job.log_size])
            if moved:
                columns = "job_id, start, first_line, data, emitted_at"
                adds = f"INSERT INTO log_chunk ({columns}) VALUES ({', '.join(mark)})"  # noqa: S608 (marks alone)
                await tx.execute_many(adds, [[job.id, *run] for run in runs])
        return bool(moved)

    @classmethod
    async def between(cls, job_id: int, start: int, stop: int) -> list[Run]:
        """The chunks that begin from `start` to before `stop`, and before them the one that goes on at `start`."""
        db = get_connection("default")
        job, low, high = (_mark(db, number) for number in (1, 2, 3))
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


def _mark(db: BaseDBAsyncClient, number: int) -> str:
    return "?" if db.capabilities.dialect == "sqlite" else f"${number}"


def _run(row: dict[str, Any]) -> Run:
    """A row of either driver: SQLite keeps instants as text."""
    at = row["emitted_at"]
    return Run(
        row["start"],
        row["first_line"],
        row["data"],
        at if isinstance(at, datetime) else datetime.fromisoformat(at),
    )
