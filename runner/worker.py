"""The worker: claims jobs, starts them, copies their logs, and records how they ended."""

import asyncio
import shutil
import signal
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from models import FailureReason, JobHost, JobStatus, ProvisionJob, Server
from runner.bus import Topic
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.inventory import learned_keys
from runner.jobdir import JobDir
from runner.launch import launch
from runner.outcome import Outcome, judge, read_recap
from runner.persist import until_stored
from runner.process import Gone, end_marked
from runner.tail import FenceLost, Tail

RETRY_PAUSES = (1.0, 5.0, 30.0)
START_POLL_SECONDS = 0.02
# The bus tells of a cancel at once; this is the net below it.
RELOOK_SECONDS = 5.0
_OUR_FAULT = Outcome(
    JobStatus.ERROR,
    FailureReason.WORKER_LOST,
    "Playcast itself failed on this job, again and again; its server log says why",
    None,
)

log = structlog.get_logger()


class Worker:
    """Runs at most `slots` jobs at a time under one name."""

    def __init__(self, engine: Engine, name: str, slots: int) -> None:
        self.name = name
        self.slots = slots
        self.running: set[int] = set()
        self.ended = 0
        self.working = False
        self._engine = engine

    async def work(self) -> None:
        """Take jobs until cancelled. Playbooks that run then go on; the next start follows them again."""
        self.working = True
        try:
            await self._work()
        finally:
            self.working = False

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for job in await ProvisionJob.filter(status=JobStatus.RUNNING):
                group.create_task(self._guarded(job))
            group.create_task(self._engine.dispatcher.work(self._take, self.slots))

    async def _take(self, job_id: int) -> None:
        job = await ProvisionJob.claim(job_id, self.name, datetime.now(UTC))
        if job is not None:
            self._engine.bus.publish(Topic.JOB, job.id)
            await (self._refuse(job) if self._job_dir(job).claimed() else self._guarded(job))

    async def _refuse(self, job: ProvisionJob) -> None:
        """End a job whose directory holds another run: its exit code and recap would pass for this job's own."""
        message = f"{self._job_dir(job).path} holds a job of another database: move it away, then run the recipe again"
        await self._finish(job, Outcome(JobStatus.ERROR, FailureReason.LAUNCH_FAILED, message, None))

    def _job_dir(self, job: ProvisionJob) -> JobDir:
        return JobDir(self._engine.jobs_dir, job.id)

    async def _guarded(self, job: ProvisionJob) -> None:
        """One job's trouble must not end the others; what is not foreseen is tried again before it becomes an ERROR."""
        self.running.add(job.id)
        try:
            for pause in (*RETRY_PAUSES, None):
                try:
                    await self._run(job)
                except FenceLost:
                    log.warning("another claim took this job over", job=job.id)
                except Exception:
                    log.exception("a job could not be followed", job=job.id)
                    if pause is None:
                        await self._finish(job, _OUR_FAULT)
                        return
                    await asyncio.sleep(pause)
                    continue
                return
        finally:
            self.running.discard(job.id)

    async def _run(self, job: ProvisionJob) -> None:
        """Start the job unless it was started already, and see it to its end: right at any point of a restart."""
        job_dir = self._job_dir(job)
        if not job_dir.claimed():
            if (by := await self._cancel_requested_by(job)) is not None:
                message = f"canceled by {by} before it started"
                await self._finish(job, Outcome(JobStatus.CANCELED, None, message, None))
                return
            try:
                await launch(self._engine, job)
            except PlaycastError as error:
                await self._finish(job, Outcome(JobStatus.ERROR, FailureReason.LAUNCH_FAILED, str(error), None))
                return
        await self._follow(job, job_dir)
        await until_stored("host keys", job.id, lambda: self._learn_host_keys(job, job_dir))
        hosts = await until_stored("result", job.id, lambda: self._hosts(job))
        outcome = judge(job_dir.read_json(job_dir.exit), read_recap(job_dir), hosts)
        if outcome.status is JobStatus.CANCELED and (by := await self._cancel_requested_by(job)) is not None:
            outcome = replace(outcome, message=f"canceled by {by}")
        await self._finish(job, outcome)

    async def _cancel_requested_by(self, job: ProvisionJob) -> str | None:
        current = await until_stored("cancel", job.id, lambda: ProvisionJob.get_or_none(id=job.id))
        return current.cancel_requested_by if current is not None else None

    async def _stop_when_asked(self, job: ProvisionJob, gone: Gone) -> None:
        """Tell the supervisor to stop once somebody has cancelled the job, be it before a restart."""
        with self._engine.bus.listen((Topic.JOB, job.id)) as listener:
            while await self._cancel_requested_by(job) is None:
                await listener.wait(RELOOK_SECONDS)
        gone.send(signal.SIGTERM)

    async def _hosts(self, job: ProvisionJob) -> dict[str, str]:
        return {row.host: row.server_name for row in await JobHost.filter(job_id=job.id)}

    async def _follow(self, job: ProvisionJob, job_dir: JobDir) -> None:
        """Copy the log until the supervisor is gone and the log is drained, in this order."""
        while (run := job_dir.read_json(job_dir.run)) is None:
            if not job_dir.held():
                # It died before it started anything, or between writing and now: then the file is there.
                run = job_dir.read_json(job_dir.run)
                break
            await asyncio.sleep(START_POLL_SECONDS)
        if run is None or not job_dir.log.exists():
            return
        gone = Gone(run["supervisor"], run["boot_id"])
        stopping = asyncio.create_task(self._stop_when_asked(job, gone))
        try:
            await Tail(job, job_dir, self._engine.bus).follow(gone.is_set, gone.event)
            if not job_dir.exit.exists():
                await _end_orphans(job_dir)
                await Tail(job, job_dir, self._engine.bus).follow(gone.is_set, gone.event)
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
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
        moved = await until_stored(
            "result",
            job.id,
            lambda: job.finish(
                status=outcome.status,
                reason=outcome.reason,
                message=outcome.message,
                exit_code=outcome.exit_code,
                at=datetime.now(UTC),
            ),
        )
        if moved:
            self.ended += 1
            log.info(
                "job ended", job=job.id, status=outcome.status.value, reason=outcome.reason and outcome.reason.value
            )
            self._engine.bus.publish(Topic.JOB, job.id)


async def _end_orphans(job_dir: JobDir) -> None:
    """End what a killed supervisor could not: it still writes to the log, and still works on the servers."""
    spec = job_dir.read_json(job_dir.spec)
    if spec is not None:
        await end_marked(f"TMPDIR={spec['scratch']}")
        await asyncio.to_thread(shutil.rmtree, spec["scratch"], ignore_errors=True)
