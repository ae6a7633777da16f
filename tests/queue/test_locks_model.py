"""Server locks against a model of their rule, one step at a time and many at once: nobody doubled, nobody forgotten."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models import FINAL, JobHost, JobStatus, ProvisionJob
from runner.errors import Refused
from runner.jobs import transitions
from tests.support.locking import OUTCOMES, Fleet, Model, fleet_on
from tests.support.postgres import fresh_database

SERVERS = 6
CLIENTS = 6
SUBMITS = 12
WORKERS = 6
SOME = st.frozensets(st.integers(0, 3), min_size=1, max_size=3)
STEPS = st.lists(
    st.tuples(st.just("submit"), SOME, st.integers(-1, 1))
    | st.tuples(st.sampled_from(["start", "end", "cancel"]), st.integers(0, 9), st.just(0)),
    min_size=10,
    max_size=25,
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def fleet(request: pytest.FixtureRequest, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Fleet]:
    """Six servers; on PostgreSQL each transaction that goes on at a time has a connection of its own."""
    url = f"sqlite://{tmp_path}/locks.sqlite3"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name) + "&maxsize=16"
    async with fleet_on(url, tmp_path / "data", ansible_dir, SERVERS) as found:
        yield found


@given(steps=STEPS)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=set(Phase) - {Phase.shrink},  # it takes minutes, and 25 steps can be read
)
async def test_the_tables_are_what_the_rule_says(
    fleet: Fleet, steps: list[tuple[str, frozenset[int] | int, int]]
) -> None:
    await ProvisionJob.all().delete()
    fleet.dispatcher.handed.clear()
    model, jobs, running = Model(), [], set()
    for step, what, priority in steps:
        if isinstance(what, frozenset):
            jobs.append(await fleet.submit(*what, priority=priority))
            model.submit(jobs[-1], what, priority)
        elif jobs:
            job = jobs[what % len(jobs)]
            held = job in model.held.values()
            if step == "start" and held and job not in running:
                await fleet.start(job)
                running.add(job)
            elif step == "end" and held:
                row = await (ProvisionJob.get(id=job) if job in running else fleet.start(job))
                assert await transitions.finish(fleet.engine, row, OUTCOMES[JobStatus.SUCCESS])
                model.gone(job)
            elif step == "cancel" and job not in running and (held or job in model.wanted):
                assert await fleet.cancel(job) is JobStatus.CANCELED
                model.gone(job)
        assert (await fleet.held(), await fleet.waiting()) == (model.held, sorted(model.wanted))
        # Whoever was ever admitted was handed over once.
        assert sorted(fleet.dispatcher.handed) == sorted(set(jobs) - set(await fleet.waiting()) - model.never)


@dataclass
class Crowd:
    """Clients and workers on one fleet, all at once."""

    fleet: Fleet
    rng: random.Random
    taken: int = 0
    submitted: int = 0
    holders: dict[int, int] = field(default_factory=dict)

    async def client(self) -> None:
        """Submit jobs on random servers, and take one in six back."""
        for _ in range(SUBMITS):
            places = self.rng.sample(range(SERVERS), self.rng.choice([1, 1, 2, 3]))
            job = await self.fleet.submit(*places, priority=self.rng.choice([0, 0, 0, 1]))
            self.submitted += 1
            if not self.rng.randrange(6):
                await self._cancel(job)

    async def _cancel(self, job: int) -> None:
        """Take a job back, unless a worker was quicker and has seen it to its end."""
        try:
            await self.fleet.cancel(job)
        except Refused:
            assert (await ProvisionJob.get(id=job)).status is JobStatus.SUCCESS

    async def worker(self) -> None:
        """Run what is handed over until all is done, and watch that no server is used twice at a time."""
        while self.submitted < CLIENTS * SUBMITS or await ProvisionJob.exclude(status__in=list(FINAL)).exists():
            if self.taken == len(self.fleet.dispatcher.handed):
                await asyncio.sleep(0.005)
                continue
            self.taken += 1
            job = await transitions.claim(self.fleet.engine, self.fleet.dispatcher.handed[self.taken - 1], "test")
            if job is None:
                continue
            places = [row.server_id or 0 for row in await JobHost.filter(job_id=job.id)]
            assert not self.holders.keys() & set(places)
            self.holders |= dict.fromkeys(places, job.id)
            await asyncio.sleep(self.rng.random() * 0.01)
            for place in places:
                del self.holders[place]
            assert await transitions.finish(self.fleet.engine, job, OUTCOMES[JobStatus.SUCCESS])


async def test_many_at_once_neither_meet_nor_wait_for_ever(fleet: Fleet) -> None:
    seed = time.time_ns()
    print("seed", seed)  # noqa: T201 (to repeat a failure)
    crowd = Crowd(fleet, random.Random(seed))  # noqa: S311 (choices, not secrets)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(crowd.client())
        for _ in range(WORKERS):
            group.create_task(crowd.worker())

    assert (await fleet.held(), await fleet.waiting()) == ({}, [])
    jobs = await ProvisionJob.all().order_by("id").prefetch_related("hosts")
    assert len(jobs) == CLIENTS * SUBMITS
    assert {job.status for job in jobs} == {JobStatus.SUCCESS, JobStatus.CANCELED}
    servers = {job.id: {row.server_id for row in job.hosts} for job in jobs}  # type: ignore[attr-defined]  # a reverse relation
    admitted = [(job, job.admitted_at) for job in jobs if job.admitted_at is not None]
    for (older, first), (younger, second) in combinations(admitted, 2):
        if servers[older.id] & servers[younger.id] and older.priority >= younger.priority:
            assert first < second, (older.id, younger.id)


async def test_a_job_that_comes_at_the_very_end_of_another_is_not_forgotten(fleet: Fleet) -> None:
    holder = await fleet.submit(0, 1)
    for _ in range(20):
        running = await fleet.start(holder)
        moved, *new = await asyncio.gather(
            transitions.finish(fleet.engine, running, OUTCOMES[JobStatus.SUCCESS]),
            fleet.submit(0),
            fleet.submit(1, 0),
            fleet.submit(1),
        )
        assert moved
        # Whichever came first, the one of best rank goes, and all follow.
        for job in sorted(new):
            assert (await fleet.held())[0 if job != new[2] else 1] == job
            await fleet.end(job)
        assert (await fleet.held(), await fleet.waiting()) == ({}, [])
        holder = await fleet.submit(0, 1)
