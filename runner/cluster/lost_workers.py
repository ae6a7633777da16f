"""Lost workers: whose lease has run out, what becomes of their jobs, and when their servers are free again.

Every process looks, and one guarded UPDATE lets one of them judge. Nobody is judged until this process has itself seen
the database up for a whole lease: after an outage all workers look dead.
"""

import asyncio
import time
from functools import partial

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException

from runner.cluster.hold_ups import end_holdups
from runner.engine import Engine
from runner.jobs import transitions
from runner.lease import HEARTBEAT_SECONDS, LEASE_SECONDS
from runner.outages import every

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

log = structlog.get_logger()


class LostWorkers:
    """Looks for lost workers. `grace` is how many seconds a lost job keeps its servers."""

    def __init__(self, engine: Engine, grace: float) -> None:
        self._engine = engine
        self._grace = grace
        self._up_since: float | None = None
        self._looked_at = 0.0

    async def work(self) -> None:
        """Look at each heartbeat until cancelled."""

        async def look() -> None:
            try:
                async with asyncio.timeout(LEASE_SECONDS):
                    await self.look()
            except (BaseORMException, OSError):
                self._up_since = None
                raise

        await every(HEARTBEAT_SECONDS, look, "lost workers cannot be looked for")

    async def look(self) -> None:
        """End connections that block others, mark jobs of lost workers, and free servers whose grace is over."""
        database, now = get_connection("default"), time.monotonic()
        await end_holdups(database)
        lost = await database.execute_query_dict(_LOST, [LEASE_SECONDS])
        if self._up_since is None or now - self._looked_at > 2 * HEARTBEAT_SECONDS + LEASE_SECONDS / 3:
            # Or this process stood still itself, perhaps with the whole machine.
            self._up_since = now
        self._looked_at = time.monotonic()
        if now - self._up_since < LEASE_SECONDS:
            return
        for row in lost:
            worker = row["worker"]
            if await transitions.lose(self._engine, row["id"], row["fence"], worker, partial(_still_lost, worker)):
                log.warning("a job is judged lost", job=row["id"], worker=worker)
        await self._free(database)

    async def _free(self, database: BaseDBAsyncClient) -> None:
        for row in await database.execute_query_dict(_HOLDING, [self._grace, LEASE_SECONDS]):
            await transitions.free(self._engine, row["id"])


async def _still_lost(worker: str, tx: BaseDBAsyncClient) -> bool:
    return not await tx.execute_query_dict(_BACK, [worker, LEASE_SECONDS])
