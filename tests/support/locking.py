"""Jobs and locks without ansible: the verbs on a database of their own, and the rule of admission as a model."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient

from models import FailureReason, JobStatus, LogChunk, ProvisionJob, Server, ServerLock
from models.chunk import LogAppend, Run
from playcast import settings
from playcast.app import make_engine
from playcast.storage.database import migrate, opened
from runner.engine import Engine
from runner.jobs import transitions
from runner.outcome.judge import Outcome
from runner.queue.dispatch import Run as Deliver
from runner.queue.slots import Slots
from runner.verbs.cancel import cancel_job
from runner.verbs.request import Order
from runner.verbs.submit import run_provision
from runner.viewer import LOCAL_VIEWER

OUTCOMES = {
    JobStatus.SUCCESS: Outcome(JobStatus.SUCCESS, None, None, 0),
    JobStatus.ERROR: Outcome(JobStatus.ERROR, FailureReason.PLAYBOOK_FAILED, "failed on s0", 2),
    JobStatus.CANCELED: Outcome(JobStatus.CANCELED, None, "canceled by local", -2),
}


class Noting:
    """A dispatcher that runs nothing: `handed` are the jobs that may start, in the order in which they could."""

    def __init__(self) -> None:
        self.handed: list[int] = []
        self._uncommitted: set[int] = set()

    async def enqueue(self, tx: BaseDBAsyncClient, job_id: int, priority: int) -> None:  # noqa: ARG002 (the port's own)
        self._uncommitted.add(job_id)

    async def committed(self, job_id: int) -> None:
        self._uncommitted.remove(job_id)
        self.handed.append(job_id)

    async def work(self, run: Deliver, slots: Slots) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Fleet:
    """Servers, named s0, s1, … after their places in `servers`, and what can happen to the jobs on them."""

    engine: Engine
    dispatcher: Noting
    servers: list[int]

    async def submit(self, *places: int, priority: int = 0) -> int:
        """The number of a new job on the servers at these places."""
        order = Order(recipe="base", server_ids=[self.servers[place] for place in places], priority=priority)
        return int((await run_provision(self.engine, LOCAL_VIEWER, order)).id)

    async def start(self, job_id: int) -> ProvisionJob:
        """PENDING -> RUNNING."""
        job = await transitions.claim(self.engine, job_id, "test")
        assert job is not None
        return job

    async def end(self, job_id: int, status: JobStatus = JobStatus.SUCCESS) -> None:
        """Start a job and end it."""
        assert await transitions.finish(self.engine, await self.start(job_id), OUTCOMES[status])

    async def cancel(self, job_id: int) -> JobStatus:
        """Ask a job to stop; its state then."""
        return (await cancel_job(self.engine, LOCAL_VIEWER, job_id)).status

    async def held(self) -> dict[int, int]:
        """Which job holds which server, by place."""
        rows = await ServerLock.all().order_by("server_id")
        return {self.servers.index(row.server_id): row.job_id for row in rows}

    async def waiting(self) -> list[int]:
        """The jobs that hold nothing yet."""
        rows = ProvisionJob.filter(status=JobStatus.PENDING, admitted_at__isnull=True).order_by("id")
        return [int(str(row)) for row in await rows.values_list("id", flat=True)]


@asynccontextmanager
async def fleet_on(url: str, data_dir: Path, ansible_dir: Path, count: int) -> AsyncIterator[Fleet]:
    """A fleet of `count` servers in an empty database."""
    await migrate(url)
    async with opened(url):
        dispatcher = Noting()
        engine = make_engine(settings.load({}, data_dir=data_dir, ansible_dir=ansible_dir))
        servers = [
            await Server.create(name=f"s{place}", host="localhost", port=22, user="root", auth="LOCAL", variables={})
            for place in range(count)
        ]
        yield Fleet(replace(engine, dispatcher=dispatcher), dispatcher, [server.id for server in servers])


async def job_row(status: JobStatus, **given: Any) -> ProvisionJob:
    """A job as a row alone, of which nobody was told."""
    return await ProvisionJob.create(
        recipe="base",
        revision="",
        tags=[],
        skip_tags=[],
        timeout_seconds=1,
        requested_by="",
        **{"status": status, **given},
    )


async def append_runs(job: ProvisionJob, runs: Sequence[Run], size: int, lines: int) -> bool:
    """Store chunks of one log, which then comes to that size; whether it was ours to store."""
    return await LogChunk.append([LogAppend(job, runs, size, lines)]) == {job.id}


@dataclass
class Model:
    """The rule itself: in rank, a job goes unless one of its servers is held, or wanted by a job of better rank."""

    held: dict[int, int] = field(default_factory=dict)
    wanted: dict[int, tuple[int, frozenset[int]]] = field(default_factory=dict)
    never: set[int] = field(default_factory=set)
    """Who was canceled before it held anything."""

    def submit(self, job: int, places: frozenset[int], priority: int) -> None:
        """A new job."""
        self.wanted[job] = (priority, places)
        self._settle()

    def gone(self, job: int) -> None:
        """A job that ended, or was canceled."""
        if self.wanted.pop(job, None):
            self.never.add(job)
        self.held = {place: holder for place, holder in self.held.items() if holder != job}
        self._settle()

    def _settle(self) -> None:
        taken = set(self.held)
        for job, (_, places) in sorted(self.wanted.items(), key=lambda item: (-item[1][0], item[0])):
            if not places & taken:
                self.held |= dict.fromkeys(places, job)
                del self.wanted[job]
            taken |= places
