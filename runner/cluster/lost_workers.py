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

from models import WorkerEntry
from runner.cluster.hold_ups import end_holdups
from runner.engine import Engine
from runner.jobs import transitions
from runner.lease import HEARTBEAT_SECONDS, LEASE_SECONDS
from runner.outages import every

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
        now = time.monotonic()
        await end_holdups(get_connection("default"))
        lost = await WorkerEntry.lost_jobs(LEASE_SECONDS)
        if self._up_since is None or now - self._looked_at > 2 * HEARTBEAT_SECONDS + LEASE_SECONDS / 3:
            # Or this process stood still itself, perhaps with the whole machine.
            self._up_since = now
        self._looked_at = time.monotonic()
        if now - self._up_since < LEASE_SECONDS:
            return
        for job_id, fence, worker in lost:
            if await transitions.lose(self._engine, job_id, fence, worker, partial(_still_lost, worker)):
                log.warning("a job is judged lost", job=job_id, worker=worker)
        # A worker that has come back will tell how they ended.
        for job_id in await WorkerEntry.holding_jobs(self._grace, LEASE_SECONDS):
            await transitions.free(self._engine, job_id)


async def _still_lost(worker: str, tx: BaseDBAsyncClient) -> bool:
    return not await WorkerEntry.is_heard_of(tx, worker, LEASE_SECONDS)
