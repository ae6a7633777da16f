"""The queue of several workers: procrastinate, a queue on PostgreSQL, which here only says "job 42 may start".

An entry is written by one SQL function inside the transaction that admits the job, and stands for as long as the job
runs. Nothing else of the engine is used: no lock, no retry, no state of its. The job's row decides, so an entry that
is delivered twice, or left over, harms nobody.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ProcrastinateException
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException

from models import JobStatus, ProvisionJob, WorkerEntry
from models.transaction import transaction
from runner.lease import LEASE_SECONDS, STANDSTILL_SECONDS
from runner.queue.admission import alone
from runner.queue.dispatch import Run
from runner.queue.slots import Slots

QUEUE = "playcast"
TASK = "playcast.start"
RETRY_SECONDS = 1.0
# A notification that was lost costs this much.
POLL_SECONDS = 1.0
# How long the engine may wait for a connection before it gives up; it is then begun anew.
POOL_SECONDS = 60.0
RECONNECT_SECONDS = 5.0
# So often one of all workers looks for what was lost. With 100,000 jobs in the queue that takes PostgreSQL 120 ms.
MEND_SECONDS = 15.0
# An admitted job that has waited for so long without an entry has lost it.
UNTOLD_SECONDS = 5.0
# How long the engine has for each of its last statements, and how many it may have.
STOP_SECONDS = 0.5
STOPS = 10

# The function's name carries its version: a release of the engine that has another one fails the tests.
DEFER = (
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW($1::varchar, $2::varchar, $3::int, NULL, NULL, $4::jsonb, NULL)"
    "::procrastinate_job_to_defer_v1])"
)
# Entries of jobs that ended a while ago, and whose engine has gone: it would have removed them itself.
_LEFT_OVER = """
DELETE FROM procrastinate_jobs entry USING provision_job job
WHERE entry.queue_name = $1 AND entry.status = 'doing' AND job.id = (entry.args->>'job_id')::bigint
AND job.ended_at < now() - interval '120 seconds'
AND NOT EXISTS (SELECT 1 FROM procrastinate_workers worker WHERE worker.id = entry.worker_id
                AND worker.last_heartbeat > now() - interval '60 seconds')
"""
# Admitted jobs without a live queue entry: none waits, and the worker that took the last one has gone.
_UNTOLD = """
SELECT job.id, job.priority FROM provision_job job
WHERE job.status = 'PENDING' AND job.admitted_at < now() - make_interval(secs => $2)
AND NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs entry
    LEFT JOIN procrastinate_workers worker ON worker.id = entry.worker_id
    WHERE entry.queue_name = $1 AND (entry.args->>'job_id')::bigint = job.id
    AND (entry.status = 'todo'
         OR (entry.status = 'doing' AND worker.last_heartbeat > now() - interval '60 seconds')))
"""

# libpq would notice a network that swallows everything only after hours.
_CALLED = {
    "application_name": "playcast queue",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
}
# What PostgreSQL knows of the queue is mostly that it is short. Of one that has grown to 100,000 entries meanwhile it
# would sort all for the first, 150 ms each time, until it looks again.
_COUNT_ANEW = "ANALYZE procrastinate_jobs"


log = structlog.get_logger()


class ProcrastinateDispatcher:
    """Delivers jobs of one database to whichever worker has a free slot. `conninfo` is libpq's URL."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    async def enqueue(self, tx: BaseDBAsyncClient, job_id: int, priority: int) -> None:
        """Write the entry of a job, in the transaction that admits it."""
        await tx.execute_query(DEFER, [QUEUE, TASK, priority, json.dumps({"job_id": job_id})])

    async def committed(self, job_id: int) -> None:
        """Nothing is left to do: the entry came with the commit."""

    async def work(self, run: Run, slots: Slots) -> None:
        """Deliver ids to `run` until cancelled; the engine is begun anew whenever it gives up."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._mend())
            while True:
                slots.changed.clear()
                if not slots.free_for_new:
                    await slots.changed.wait()
                    continue
                try:
                    await self._deliver(group, run, slots)
                except (ProcrastinateException, psycopg.Error, OSError) as error:
                    log.warning("the queue cannot be reached, trying again", error=str(error).strip())
                if not slots.changed.is_set():
                    await asyncio.sleep(RETRY_SECONDS)

    async def _deliver(self, group: asyncio.TaskGroup, run: Run, slots: Slots) -> None:
        """Run the engine's worker until it ends, or may run another number of jobs.

        What it has delivered goes on: it is ours, and holds its slot.
        """
        fetched: set[int] = set()

        async def start(job_id: int) -> None:
            fetched.add(job_id)
            await slots.take()
            fetched.discard(job_id)
            await asyncio.shield(group.create_task(_run(run, job_id, slots)))

        connector = procrastinate.PsycopgConnector(
            conninfo=self._conninfo,
            min_size=2,
            max_size=4,
            timeout=POOL_SECONDS,
            # Else the pool would try more and more rarely while the database is away.
            reconnect_timeout=RECONNECT_SECONDS,
            kwargs=_CALLED,
            configure=_patient,
        )
        app = procrastinate.App(connector=connector)
        app.task(name=TASK, queue=QUEUE)(start)
        async with _opened(app):
            engine = app.run_worker_async(
                queues=[QUEUE],
                concurrency=slots.free_for_new,
                fetch_job_polling_interval=POLL_SECONDS,
                shutdown_graceful_timeout=0.0,
                delete_jobs="always",
                install_signal_handlers=False,
            )
            try:
                await _until_done(asyncio.create_task(engine), slots.changed)
            finally:
                await self._give_back(fetched)

    async def _give_back(self, fetched: set[int]) -> None:
        """Queue again what the engine has fetched and nobody could take: its entry is gone."""
        if not fetched:
            return
        try:
            async with transaction() as tx:
                await alone(tx)
                for job in await ProvisionJob.filter(id__in=list(fetched), status=JobStatus.PENDING):
                    await self.enqueue(tx, job.id, job.priority)
        except (BaseORMException, OSError) as error:
            # The mending finds them, here or in another worker.
            log.warning("jobs cannot be given back to the queue", error=str(error))

    async def _mend(self) -> None:
        """Remove entries that nothing stands for, and write those that are missing."""
        seconds = MEND_SECONDS
        while True:
            await asyncio.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 (so that workers do not look at once)
            try:
                await self.mend()
                seconds = await self.turn()
            except (BaseORMException, OSError) as error:
                log.warning("the queue cannot be looked through", error=str(error))

    async def turn(self) -> float:
        """Seconds from one look of this worker to its next, so that all of them together look often enough."""
        return MEND_SECONDS * max(1, await WorkerEntry.alive(LEASE_SECONDS))

    async def mend(self) -> None:
        """Do it once; nobody waits for that unless something is missing."""
        database = get_connection("default")
        await database.execute_query(_LEFT_OVER, [QUEUE])
        await database.execute_query(_COUNT_ANEW)
        if not await database.execute_query_dict(_UNTOLD, [QUEUE, UNTOLD_SECONDS]):
            return
        async with transaction() as tx:
            await alone(tx)
            for row in await tx.execute_query_dict(_UNTOLD, [QUEUE, UNTOLD_SECONDS]):
                await self.enqueue(tx, row["id"], row["priority"])
                log.warning("a job that nobody was told of is queued again", job=row["id"])


async def _patient(connection: psycopg.AsyncConnection[Any]) -> None:
    """Let PostgreSQL end a transaction of the engine that stands still: its entry would be kept from all the others."""
    await connection.execute(f"SET idle_in_transaction_session_timeout = {STANDSTILL_SECONDS * 1000:.0f}")
    await connection.commit()


@asynccontextmanager
async def _opened(app: procrastinate.App) -> AsyncIterator[None]:
    # In a task of its own: Python 3.11 may swallow a cancellation that comes while the pool waits for its connections.
    opening = asyncio.ensure_future(app.open_async())
    try:
        await asyncio.wait([opening])
        await opening
        yield
    finally:
        opening.cancel()
        await asyncio.wait([opening])
        # Also one that was stopped while it opened: the engine's own way would leave its connections to nobody.
        await app.close_async()


async def _until_done(engine: asyncio.Task[None], changed: asyncio.Event) -> None:
    """Wait for the engine, and end it when `changed` is set, or when this is cancelled.

    It then puts its entries right in the database first. Where that is away it would try for minutes, so each further
    cancellation has it give up the statement that it waits for.
    """
    change = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait([engine, change], return_when=asyncio.FIRST_COMPLETED)
    finally:
        change.cancel()
        ended = engine.done()
        for _ in range(STOPS):
            if engine.done():
                break
            engine.cancel()
            await asyncio.wait([engine], timeout=STOP_SECONDS)
    if ended:
        await engine


async def _run(run: Run, job_id: int, slots: Slots) -> None:
    try:
        await run(job_id)
    except (BaseORMException, OSError) as error:
        log.warning("a job was not taken, it comes again", job=job_id, error=str(error))
    except Exception:
        log.exception("a job was not taken", job=job_id)
    finally:
        await slots.give()
