"""The worker: claims jobs as slots become free, takes up those that run already, and sees each to its end."""

import asyncio
import functools

import structlog
from tortoise.exceptions import DBConnectionError
from tortoise.expressions import Q, Subquery

from models import FailureReason, FenceLost, JobStatus, ProvisionJob, ServerLock
from runner.engine import Engine
from runner.jobs import transitions
from runner.jobs.job_run import JobRun
from runner.outages import every
from runner.queue.slots import Slots

RETRY_PAUSES = (1.0, 5.0, 30.0)
# A claim whose answer got lost leaves a job RUNNING that nobody follows: it is looked for this often.
STRAY_SECONDS = 30.0

log = structlog.get_logger()


class Worker:
    """Runs at most `slots` jobs at a time under one name. `alone`: no other worker shares its database."""

    def __init__(self, engine: Engine, name: str, slots: int, *, alone: bool = True) -> None:
        self.name = name
        self.slots = slots
        self.running: set[int] = set()
        self.ended = 0
        self.working = False
        # Set once it will never work again in this process.
        self.gone = asyncio.Event()
        self._engine = engine
        self._places = Slots(slots)
        self._less = asyncio.Event()
        # Alone, it follows whatever runs: it may have got another name since, as a new container does.
        self.alone = alone
        self._mine = Q() if alone else Q(worker=name)

    async def work(self) -> None:
        """Take jobs until cancelled. Playbooks that run then go on; the next start follows them again."""
        self.working = True
        try:
            await self._work()
        finally:
            self.working = False

    @property
    def draining(self) -> bool:
        """Whether it takes no more jobs."""
        return self._places.closed

    async def drain(self) -> None:
        """Take no more jobs, and wait until those that run have ended."""
        self._places.close()
        while self.running:
            self._less.clear()
            await self._less.wait()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            await self._take_up(group, judged_before=True)
            await transitions.admit_all(self._engine)
            group.create_task(self._engine.dispatcher.work(self._take, self._places))
            strays = functools.partial(self._take_up, group)
            await every(STRAY_SECONDS, strays, "running jobs cannot be looked for", after=STRAY_SECONDS)

    async def _take_up(self, group: asyncio.TaskGroup, *, judged_before: bool = False) -> None:
        """Follow the RUNNING jobs that nobody follows. They run whether a slot is free or not.

        Of those that were judged lost it tells how they ended: at the start of all, later of those that hold servers.
        """
        judged = Q(failure_reason=FailureReason.WORKER_LOST, id__in=Subquery(ServerLock.all().values("job_id")))
        if judged_before:
            judged |= Q(failure_reason=FailureReason.WORKER_LOST, message=transitions.lost_message(self.name))
        jobs = ProvisionJob.filter(self._mine, Q(status=JobStatus.RUNNING) | judged)
        for job in await jobs.order_by("id"):
            if job.id not in self.running:
                self.running.add(job.id)
                self._places.take_anyway()
                group.create_task(self._taken_up(job))

    async def _taken_up(self, job: ProvisionJob) -> None:
        try:
            await self._guarded(job)
        finally:
            self._leave(job.id)
            await self._places.give_anyway()

    async def _take(self, job_id: int) -> None:
        if job_id in self.running:
            return
        self.running.add(job_id)
        try:
            job = await transitions.claim(self._engine, job_id, self.name)
            if job is not None:
                await self._guarded(job)
        finally:
            self._leave(job_id)

    def _leave(self, job_id: int) -> None:
        self.running.discard(job_id)
        self._less.set()

    async def _guarded(self, job: ProvisionJob) -> None:
        """One job's trouble must not end the others; what is not foreseen is tried again before it becomes an ERROR."""
        run, lost = JobRun(self._engine, job), False
        pauses = iter(RETRY_PAUSES)
        while True:
            try:
                if lost:
                    await run.report_late_end()
                else:
                    self.ended += await run.to_end()
            except FenceLost:
                log.warning("this job was judged lost", job=job.id)
                lost = True
                continue
            except DBConnectionError as error:
                # An outage of the database is not the job's failure, however long it lasts.
                log.warning("a job cannot be followed now", job=job.id, error=str(error))
                await asyncio.sleep(RETRY_PAUSES[0])
                continue
            except Exception:
                log.exception("a job could not be followed", job=job.id)
                if (pause := next(pauses, None)) is None:
                    self.ended += not lost and await run.give_up()
                    return
                await asyncio.sleep(pause)
                continue
            return
