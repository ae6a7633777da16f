"""The worker: claims jobs, starts them, copies their logs, and records how they ended."""

import asyncio
from datetime import UTC, datetime

import structlog
from tortoise.exceptions import DBConnectionError, OperationalError

from models import FailureReason, JobHost, JobStatus, ProvisionJob, Server
from runner.bus import Topic
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.inventory import learned_keys
from runner.jobdir import JobDir
from runner.launch import launch
from runner.outcome import Outcome, judge, read_recap
from runner.process import Gone
from runner.tail import RETRY_SECONDS, FenceLost, Tail

log = structlog.get_logger()


class Worker:
    """Runs at most `slots` jobs at a time under one name."""

    def __init__(self, engine: Engine, name: str, slots: int) -> None:
        self.name = name
        self.slots = slots
        self.running: set[int] = set()
        self.ended = 0
        self._engine = engine

    async def work(self) -> None:
        """Take jobs until cancelled. Playbooks that run then go on; the next start follows them again."""
        async with asyncio.TaskGroup() as group:
            for job in await ProvisionJob.filter(status=JobStatus.RUNNING):
                group.create_task(self._guarded(job))
            group.create_task(self._engine.dispatcher.work(self._take, self.slots))

    async def _take(self, job_id: int) -> None:
        job = await ProvisionJob.claim(job_id, self.name, datetime.now(UTC))
        if job is not None:
            self._engine.bus.publish(Topic.JOB, job.id)
            await self._guarded(job)

    async def _guarded(self, job: ProvisionJob) -> None:
        """One job's trouble must not end the others: whatever is not foreseen ends as an ERROR with a log entry."""
        self.running.add(job.id)
        try:
            await self._run(job)
        except FenceLost:
            log.warning("another claim took this job over", job=job.id)
        except Exception:
            log.exception("a job could not be followed", job=job.id)
            message = "Playcast itself failed on this job; its server log says why"
            await self._finish(job, Outcome(JobStatus.ERROR, FailureReason.WORKER_LOST, message, None))
        finally:
            self.running.discard(job.id)

    async def _run(self, job: ProvisionJob) -> None:
        job_dir = JobDir(self._engine.jobs_dir, job.id)
        if not job_dir.claimed():
            try:
                await launch(self._engine, job)
            except PlaycastError as error:
                outcome = Outcome(JobStatus.ERROR, FailureReason.LAUNCH_FAILED, str(error), None)
                await self._finish(job, outcome)
                return
        await self._follow(job, job_dir)
        await self._learn_host_keys(job, job_dir)
        hosts = {row.host: row.server_name for row in await JobHost.filter(job_id=job.id)}
        await self._finish(job, judge(job_dir.read_json(job_dir.exit), read_recap(job_dir), hosts))

    async def _follow(self, job: ProvisionJob, job_dir: JobDir) -> None:
        """Copy the log until the supervisor is gone and the log is drained, in this order."""
        run = job_dir.read_json(job_dir.run)
        if run is None or not job_dir.log.exists():
            return
        gone = Gone(run["supervisor"], run["boot_id"])
        try:
            await Tail(job, job_dir, self._engine.bus).follow(gone.is_set, gone.event)
        finally:
            gone.close()

    async def _learn_host_keys(self, job: ProvisionJob, job_dir: JobDir) -> None:
        """Pin what a first contact brought; a server that has a key keeps it."""
        try:
            learned = learned_keys(job_dir.known_hosts.read_text(errors="replace"))
        except OSError:
            return
        for row in await JobHost.filter(job_id=job.id, server_id__in=list(learned)):
            key = learned[row.server_id or 0]
            await Server.filter(id=row.server_id, host_key__isnull=True).update(host_key=key)

    async def _finish(self, job: ProvisionJob, outcome: Outcome) -> None:
        """Write the final state; while the database is away, keep trying: exit.json holds it meanwhile."""
        while True:
            try:
                moved = await job.finish(
                    status=outcome.status,
                    reason=outcome.reason,
                    message=outcome.message,
                    exit_code=outcome.exit_code,
                    at=datetime.now(UTC),
                )
                break
            except (OperationalError, DBConnectionError, OSError) as error:
                log.warning("result not stored yet", job=job.id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
        if moved:
            self.ended += 1
            log.info("job ended", job=job.id, status=outcome.status, reason=outcome.reason)
            self._engine.bus.publish(Topic.JOB, job.id)
