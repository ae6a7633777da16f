"""Which servers a job was asked to run on, and how far it came on each."""

import json
from collections.abc import Sequence

from tortoise import fields
from tortoise.connection import get_connection
from tortoise.models import Model

from models.job import ProvisionJob
from models.server import Server

# PostgreSQL and SQLite have no statement in common that takes some rows of each server and reads no others.
_NEWEST_ON = {
    "postgres": """
        SELECT newest.server_id, newest.job_id FROM json_array_elements_text($1::json) AS asked CROSS JOIN LATERAL (
            SELECT server_id, job_id FROM job_host WHERE server_id = asked.value::int AND job_id < $2
            ORDER BY job_id DESC LIMIT $3
        ) AS newest
    """,
    "sqlite": """
        SELECT newest.server_id, newest.job_id FROM json_each(?) AS asked CROSS JOIN job_host AS newest
        ON newest.server_id = asked.value AND newest.job_id IN (
            SELECT job_id FROM job_host WHERE server_id = asked.value AND job_id < ? ORDER BY job_id DESC LIMIT ?
        )
    """,
}


class JobHost(Model):
    """One requested server of one job. The row outlives the server, so that history stays readable.

    The counters are Ansible's own; they move while the job runs, and the recap sets them for good.
    """

    id = fields.IntField(primary_key=True)
    job: fields.ForeignKeyRelation[ProvisionJob] = fields.ForeignKeyField(
        "models.ProvisionJob", related_name="hosts", on_delete=fields.CASCADE
    )
    job_id: int
    server: fields.ForeignKeyNullableRelation[Server] = fields.ForeignKeyField(
        "models.Server", related_name="job_hosts", null=True, on_delete=fields.SET_NULL
    )
    server_id: int | None
    host = fields.CharField(max_length=32)
    server_name = fields.CharField(max_length=64)
    ok = fields.IntField(default=0, db_default=0)
    changed = fields.IntField(default=0, db_default=0)
    failed = fields.IntField(default=0, db_default=0)
    skipped = fields.IntField(default=0, db_default=0)
    unreachable = fields.IntField(default=0, db_default=0)
    rescued = fields.IntField(default=0, db_default=0)
    ignored = fields.IntField(default=0, db_default=0)
    current_task = fields.CharField(max_length=255, null=True)
    # Whether each play that names it came to its end there. Null until the recap, and for good if there is none.
    served = fields.BooleanField(null=True)

    class Meta:
        table = "job_host"
        table_description = "requested servers of jobs"
        unique_together = (("job", "host"),)
        indexes = (("server", "job"),)

    @classmethod
    async def newest_on(cls, server_ids: Sequence[int], most: int, before: int) -> list[tuple[int, int]]:
        """(server, job) of the `most` newest jobs of each of these servers, of those with an id below `before`."""
        connection = get_connection("default")
        given = [json.dumps(list(server_ids)), before, most]
        rows = await connection.execute_query_dict(_NEWEST_ON[connection.capabilities.dialect], given)
        return [(row["server_id"], row["job_id"]) for row in rows]
