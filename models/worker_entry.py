"""Workers: who runs jobs, and when each was last heard of. By the clock of the database, which all share."""

from typing import Any

from tortoise import fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.models import Model

# A name whose worker is heard of belongs to its data directory. One that is not may be taken over, but not while jobs
# of it run: their directories are elsewhere, and who does not find one would start the job again.
_ENTER = """
INSERT INTO worker (name, home, slots, version, started_at, heartbeat_at) VALUES ($1, $2, $3, $4, now(), now())
ON CONFLICT (name) DO UPDATE SET home = $2, slots = $3, version = $4, started_at = now(), heartbeat_at = now()
WHERE worker.home = $2 OR (worker.heartbeat_at < now() - make_interval(secs => $5) AND NOT EXISTS (
    SELECT 1 FROM provision_job job WHERE job.worker = $1 AND job.status = 'RUNNING'))
RETURNING name
"""
_RENEW = "UPDATE worker SET heartbeat_at = now() WHERE name = $1 AND home = $2 RETURNING name"
# One that leaves no job behind is gone; the jobs of another have a while until it is back.
_LEAVE = """
DELETE FROM worker WHERE name = $1 AND home = $2
AND NOT EXISTS (SELECT 1 FROM provision_job job WHERE job.worker = $1 AND job.status = 'RUNNING')
"""
_PAUSE = "UPDATE worker SET heartbeat_at = now() + make_interval(secs => $3) WHERE name = $1 AND home = $2"
_ALIVE = "SELECT count(*) AS alive FROM worker WHERE heartbeat_at > now() - make_interval(secs => $1)"
_LOST = """
SELECT job.id, job.fence, job.worker FROM provision_job job LEFT JOIN worker ON worker.name = job.worker
WHERE job.status = 'RUNNING' AND job.started_at < now() - make_interval(secs => $1)
AND (worker.name IS NULL OR worker.heartbeat_at < now() - make_interval(secs => $1)) ORDER BY job.id
"""
# It may have come back since the others were found.
_BACK = "SELECT name FROM worker WHERE name = $1 AND heartbeat_at >= now() - make_interval(secs => $2)"
# Jobs that were judged a while ago and still hold servers. A worker that has come back will tell how they ended.
_HOLDING = """
SELECT DISTINCT job.id FROM server_lock held JOIN provision_job job ON job.id = held.job_id
WHERE job.status = 'ERROR' AND job.failure_reason = 'WORKER_LOST' AND job.ended_at < now() - make_interval(secs => $1)
AND NOT EXISTS (SELECT 1 FROM worker WHERE worker.name = job.worker
                AND worker.heartbeat_at > now() - make_interval(secs => $2))
"""


class WorkerEntry(Model):
    """One worker by its name. `home` is the mark of its data directory: another machine may have taken the name."""

    name = fields.CharField(max_length=128, primary_key=True)
    home = fields.CharField(max_length=32)
    slots = fields.IntField()
    version = fields.CharField(max_length=32)
    started_at = fields.DatetimeField()
    heartbeat_at = fields.DatetimeField()

    class Meta:
        table = "worker"
        table_description = "workers"

    @classmethod
    async def enter(cls, name: str, home: str, slots: int, version: str, lease: float) -> bool:
        """Take the name; whether it was free, or this home's already. `lease` is in seconds, as everywhere here."""
        return bool(await _rows(_ENTER, name, home, slots, version, lease))

    @classmethod
    async def renew(cls, name: str, home: str) -> bool:
        """The worker is alive; whether the name is still this home's."""
        return bool(await _rows(_RENEW, name, home))

    @classmethod
    async def leave(cls, name: str, home: str, seconds: float) -> None:
        """The worker stops in good order. If it leaves jobs behind, its entry counts for so many seconds more."""
        await _rows(_LEAVE, name, home)
        await _rows(_PAUSE, name, home, seconds)

    @classmethod
    async def alive(cls, lease: float) -> int:
        """How many workers were heard of within a lease."""
        return int((await _rows(_ALIVE, lease))[0]["alive"])

    @classmethod
    async def lost_jobs(cls, lease: float) -> list[tuple[int, int, str]]:
        """(id, fence, worker) of the running jobs whose worker was not heard of for a lease."""
        return [(row["id"], row["fence"], row["worker"]) for row in await _rows(_LOST, lease)]

    @classmethod
    async def is_heard_of(cls, tx: BaseDBAsyncClient, name: str, lease: float) -> bool:
        """Whether the worker was heard of within a lease, as `tx` sees it."""
        return bool(await tx.execute_query_dict(_BACK, [name, lease]))

    @classmethod
    async def holding_jobs(cls, grace: float, lease: float) -> list[int]:
        """The jobs that were judged lost more than `grace` seconds ago and still hold servers."""
        return [row["id"] for row in await _rows(_HOLDING, grace, lease)]


async def _rows(sql: str, *values: object) -> list[dict[str, Any]]:
    return list(await get_connection("default").execute_query_dict(sql, list(values)))
