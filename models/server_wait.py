"""Server waits: which jobs wait for which server, in the order in which they may have it."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from tortoise import fields
from tortoise.connection import get_connection
from tortoise.models import Model

from models.job import ProvisionJob
from models.server import Server

# PostgreSQL and SQLite have no statement in common that looks up one row of each server.
_FIRST = {
    "postgres": """
        SELECT first.server_id, first.rank, first.job_id FROM json_array_elements_text($1::json) AS asked
        CROSS JOIN LATERAL (
            SELECT server_id, rank, job_id FROM server_wait WHERE server_id = asked.value::int
            ORDER BY rank, job_id LIMIT 1
        ) AS first
    """,
    "sqlite": """
        SELECT first.server_id, first.rank, first.job_id FROM json_each(?) AS asked
        CROSS JOIN server_wait AS first ON first.id = (
            SELECT id FROM server_wait WHERE server_id = asked.value ORDER BY rank, job_id LIMIT 1
        )
    """,
}

_MISSING = """
INSERT INTO server_wait (server_id, rank, job_id)
SELECT host.server_id, -job.priority, job.id FROM provision_job job JOIN job_host host ON host.job_id = job.id
WHERE job.status = 'PENDING' AND job.admitted_at IS NULL AND host.server_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM server_wait other WHERE other.job_id = job.id)
"""


class Rank(NamedTuple):
    """Where a waiting job stands; the smaller one goes first."""

    rank: int
    job_id: int


class ServerWait(Model):
    """One server that a PENDING job needs and does not hold yet. `rank` is the job's priority below zero."""

    id = fields.BigIntField(primary_key=True)
    server: fields.ForeignKeyRelation[Server] = fields.ForeignKeyField(
        "models.Server", related_name="waits", on_delete=fields.CASCADE
    )
    server_id: int
    rank = fields.IntField()
    job: fields.ForeignKeyRelation[ProvisionJob] = fields.ForeignKeyField(
        "models.ProvisionJob", related_name="waits", on_delete=fields.CASCADE
    )
    job_id: int

    class Meta:
        table = "server_wait"
        table_description = "servers that jobs wait for"
        # However many wait for a server, the first of them is one entry of this index.
        unique_together = (("server", "rank", "job"),)
        indexes = (("job",),)

    @classmethod
    async def first_on(cls, server_ids: Iterable[int]) -> dict[int, Rank]:
        """Who may have each of these servers next, by server; a server that nobody waits for is left out."""
        db = get_connection("default")
        rows = await db.execute_query_dict(_FIRST[db.capabilities.dialect], [json.dumps(list(server_ids))])
        return {row["server_id"]: Rank(row["rank"], row["job_id"]) for row in rows}

    @classmethod
    async def complete(cls) -> None:
        """Have each job wait that holds nothing, should that not be written."""
        await get_connection("default").execute_query(_MISSING)
