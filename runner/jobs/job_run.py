"""One claimed job from its start to its final state, right at any point of a restart."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from models import FailureReason, FenceLost, JobHost, JobStatus, ProvisionJob, Server
from runner.bus import Topic
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.events.intake import Intake
from runner.host_keys import learned_keys
from runner.job_dir import JobDir
from runner.job_processes import ProcessWatch, holder, start_time, this_boot
from runner.jobs import transitions
from runner.jobs.halt import Halt, end_rest
from runner.jobs.launch import launch, targets_of
from runner.log.tail import Tail
from runner.outages import until_stored
from runner.outcome.findings import Recap, read_findings
from runner.outcome.judge import Outcome, judge
from runner.start import interpreters

START_POLL_SECONDS = 0.02
# From then on a supervisor that has not said who it is is looked for in another way.
LATE_SECONDS = 2.0
# The bus tells of a cancel at once; this is the net below it.
RELOOK_SECONDS = 5.0
# Stands for a run.json that cannot be read: a process of no boot, so one that has ended.
_UNREADABLE: dict[str, Any] = {"supervisor": {"pid": 1, "start": 0}, "boot_id": ""}

log = structlog.get_logger()


class JobRun:
    """Carries one job of this worker to its end. `job` moves with what is stored."""

    def __init__(self, engine: Engine, job: ProvisionJob) -> None:
        self._engine = engine
        self._job = job
        self._dir = JobDir(engine.jobs_dir, job.id)

    async def to_end(self) -> bool:
        """Start the job unless it was started already, and see it through; whether its end was ours to write.

        FenceLost says that somebody else has written it.
        """
        if self._job.final:
            raise FenceLost
        refused = await self._start()
        if refused is not None:
            return await self._finish(refused)
        await self._follow()
        spec = self._dir.read_json(self._dir.spec) or {}
        await until_stored("host keys", self._job.id, lambda: self._learn_host_keys(spec))
        hosts = await until_stored("result", self._job.id, self._hosts)
        found = await asyncio.to_thread(read_findings, self._dir)
        given = spec.get("interpreters")
        await until_stored("interpreters", self._job.id, lambda: interpreters.learn(given, found.told))
        await self._keep_facts(found.told.recap or {})
        outcome = judge(found.end, found.told.recap, hosts, found)
        if outcome.status is JobStatus.CANCELED and (by := await self._cancel_requested_by()) is not None:
            outcome = replace(outcome, message=f"canceled by {by}{(outcome.message or '').removeprefix('canceled')}")
        if not await self._finish(outcome):
            raise FenceLost
        return True

    async def report_late_end(self) -> None:
        """Wait for the end of a job that was already marked lost, then add how it ended and free its servers."""
        if (run := self._dir.read_run()) is not None:
            gone = ProcessWatch(run["supervisor"], run["boot_id"])
            halt = self._halt(gone)
            watching = asyncio.create_task(halt.watch())
            try:
                await gone.event.wait()
                await halt.settled()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                gone.close()
        await end_rest(self._dir)
        found = await asyncio.to_thread(read_findings, self._dir)
        outcome = judge(found.end, found.told.recap, await until_stored("result", self._job.id, self._hosts), found)
        said = f"it ended as {outcome.status.value}" + (f" ({outcome.message})" if outcome.message else "")
        await until_stored(
            "late result", self._job.id, lambda: transitions.add_late_result(self._engine, self._job, said)
        )

    async def give_up(self) -> bool:
        """End a job that Playcast fails to follow, with everything that it started."""
        await end_rest(self._dir)
        message = "Playcast itself failed on this job, again and again; its server log says why"
        return await self._finish(Outcome(JobStatus.ERROR, FailureReason.WORKER_LOST, message, None))

    async def _start(self) -> Outcome | None:
        """Launch the job if that was not done before; the outcome if it cannot or must not be launched."""
        if self._job.launched_at is not None:
            # Even without a trace of it: it ran, and is never run again.
            return None
        if self._dir.claimed():
            if not self._ours():
                return self._of_another_database()
        elif (by := await self._cancel_requested_by()) is not None:
            return Outcome(JobStatus.CANCELED, None, f"canceled by {by} before it started", None)
        else:
            try:
                await launch(self._engine, self._job)
            except PlaycastError as error:
                # A supervisor that the server started just before it was killed may have come first: then it runs.
                if not self._dir.held() and not self._dir.run.exists():
                    return Outcome(JobStatus.ERROR, FailureReason.LAUNCH_FAILED, str(error), None)
        await until_stored("start", self._job.id, lambda: self._job.mark_launched(datetime.now(UTC)))
        return None

    def _ours(self) -> bool:
        """Whether the claim in the directory was made for this very job.

        Specifications of earlier versions, and those that cannot be read, do not say for which. But no claim is older
        than the start of its job.
        """
        made_for = self._dir.made_for()
        if made_for is not None:
            return made_for == self._job.created_at.isoformat()
        return self._job.started_at is not None and self._dir.claimed_since(self._job.started_at.timestamp())

    def _of_another_database(self) -> Outcome:
        """Its exit code and recap would pass for this job's own."""
        message = f"{self._dir.path} holds a job of another database: move it away, then run the recipe again"
        return Outcome(JobStatus.ERROR, FailureReason.LAUNCH_FAILED, message, None)

    async def _cancel_requested_by(self) -> str | None:
        current = await until_stored("cancel", self._job.id, lambda: ProvisionJob.get_or_none(id=self._job.id))
        return current.cancel_requested_by if current is not None else None

    def _halt(self, gone: ProcessWatch) -> Halt:
        return Halt(self._dir, gone, self._job.timeout_seconds, self._engine.cancel_grace)

    async def _stop_when_asked(self, halt: Halt) -> None:
        """End the job once somebody has cancelled it, be it before a restart."""
        with self._engine.bus.listen((Topic.JOB, self._job.id)) as listener:
            while await self._cancel_requested_by() is None:
                await listener.wait(RELOOK_SECONDS)
        await halt.cancel()

    async def _hosts(self) -> dict[str, str]:
        return {row.host: row.server_name for row in await JobHost.filter(job_id=self._job.id).order_by("id")}

    async def _begun(self) -> dict[str, Any] | None:
        """Which process is the supervisor, as run.json says; None if it has ended before it could write that."""
        late_at = time.monotonic() + LATE_SECONDS
        while (run := self._dir.read_run()) is None:
            if not self._dir.held():
                # It died before it started anything, or between writing and now: then the file is there.
                return self._dir.read_run()
            await asyncio.sleep(START_POLL_SECONDS)
            if time.monotonic() >= late_at and (run := self._holder()) is not None:
                # A supervisor that was stopped here has not made it yet.
                with suppress(FileNotFoundError):
                    self._dir.log.touch(mode=0o600)
                return run
        return run

    def _holder(self) -> dict[str, Any] | None:
        """The supervisor by its lock, where run.json cannot be read or does not come; None if the kernel hides it."""
        pid = holder(self._dir.claim)
        start = start_time(pid) if pid is not None else None
        return {"supervisor": {"pid": pid, "start": start}, "boot_id": this_boot()} if start is not None else None

    async def _follow(self) -> None:
        """Copy log and events until the supervisor is gone and both are drained, in this order."""
        run = await self._begun()
        if run is None or not self._dir.log.exists():
            await end_rest(self._dir)
            if not self._dir.log.exists():
                return
            run = run or _UNREADABLE
        gone = ProcessWatch(run["supervisor"], run["boot_id"])
        halt = self._halt(gone)
        drained = asyncio.Event()
        intake = asyncio.create_task(Intake(self._job, self._dir, self._engine.bus).follow(drained))
        tasks = [asyncio.create_task(self._stop_when_asked(halt)), asyncio.create_task(halt.watch()), intake]
        try:
            await self._copy_log(gone, halt)
            drained.set()
            await intake
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            gone.close()

    async def _copy_log(self, gone: ProcessWatch, halt: Halt) -> None:
        tail = Tail(self._job, self._dir, self._engine.bus, self._engine.shelf, self._engine.appender)
        await tail.follow(gone.is_set, gone.event)
        await halt.settled()
        if not self._dir.exit.exists():
            # The supervisor was killed: what it left behind still writes, and still works on the servers.
            await end_rest(self._dir)
            if self._dir.log.exists():
                await tail.follow(gone.is_set, gone.event)

    async def _learn_host_keys(self, spec: dict[str, Any]) -> None:
        """Pin what a first contact brought, unless the server was pinned or moved to another address meanwhile."""
        try:
            learned = learned_keys(self._dir.known_hosts.read_text(errors="replace"))
        except OSError:
            return
        for server_id, host, port in _first_contacts(spec):
            if server_id in learned:
                unpinned = Server.filter(id=server_id, host=host, port=port, host_key__isnull=True)
                await unpinned.update(host_key=learned[server_id])

    async def _keep_facts(self, recap: Recap) -> None:
        """Keep the facts of the hosts that the recap names without a failure, for the next job of the recipe."""
        recipe = await self._engine.recipes.find(self._job.recipe)
        if recipe is None or recipe.sidecar.fact_cache is None:
            return
        well = [host for host, told in recap.items() if not told.get("failed", 0) and not told.get("unreachable", 0)]
        try:
            targets = await until_stored("facts", self._job.id, lambda: targets_of(self._engine, self._job))
            await asyncio.to_thread(self._engine.facts.take, self._job, recipe, targets, self._dir, well)
        except PlaycastError as error:
            # A key file has gone meanwhile: what is known of its server is of no use either.
            log.warning("the facts that a job left are not kept", job=self._job.id, error=str(error))

    async def _finish(self, outcome: Outcome) -> bool:
        """Write the final state; while the database is away, keep trying: exit.json holds it meanwhile."""
        moved = await until_stored("result", self._job.id, lambda: transitions.finish(self._engine, self._job, outcome))
        if moved:
            reason = outcome.reason and outcome.reason.value
            log.info("job ended", job=self._job.id, status=outcome.status.value, reason=reason)
        return moved


def _first_contacts(spec: dict[str, Any]) -> list[tuple[int, str, int]]:
    """(server id, host, port) of each first contact that the specification has in the form of this version."""
    given = spec.get("first_contacts")
    try:
        contacts = [(int(key), host, port) for key, (host, port) in given.items()] if isinstance(given, dict) else []
    except (TypeError, ValueError):
        return []
    return [contact for contact in contacts if isinstance(contact[1], str) and isinstance(contact[2], int)]
