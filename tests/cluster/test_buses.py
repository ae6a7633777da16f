"""One suite for both buses: who publishes here wakes who listens there, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from models import JobEvent, JobStatus, ProvisionJob
from playcast.storage.database import migrate, opened
from playcast.storage.postgres import connector, plain_url
from runner.bus import Bus, Listener, LocalBus, Topic
from runner.cluster import notify_bus
from runner.cluster.notify_bus import NotifyBus
from tests.support.locking import job_row
from tests.support.postgres import fresh_database

LONG = 60.0
"""Seconds; whoever waits for so long was not woken."""


@dataclass
class Pair:
    """The buses of two processes; `moved` is what the second was told of logs that came further in the first."""

    here: Bus
    there: Bus
    url: str | None = None
    moved: list[int] = field(default_factory=list)


@asynccontextmanager
async def working(bus: NotifyBus) -> AsyncIterator[None]:
    task = asyncio.create_task(bus.work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def shared(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two processes on one PostgreSQL."""
    url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    await migrate(url)
    pair = Pair(LocalBus(), LocalBus(), url)
    async with opened(url), AsyncExitStack() as stack:

        async def moved(job_ids: set[int]) -> None:
            pair.moved.extend(job_ids)

        here, there = NotifyBus(connector(url), moved), NotifyBus(connector(url), moved)
        pair.here, pair.there = here, there
        for bus in (here, there):
            await stack.enter_async_context(working(bus))
            with bus.listen((Topic.JOB, 0)) as listener:
                # Each new connection wakes everybody.
                async with asyncio.timeout(LONG):
                    await listener.wait(LONG)
        yield pair


@pytest.fixture(params=["local", pytest.param("notify", marks=pytest.mark.postgres)])
def pair(request: pytest.FixtureRequest) -> Pair:
    if request.param == "notify":
        found: Pair = request.getfixturevalue("shared")
        return found
    bus = LocalBus()
    return Pair(bus, bus)


async def woken(listener: Listener, wanted: set[tuple[Topic, int]]) -> None:
    """Wait until exactly these were heard of."""
    heard: set[tuple[Topic, int]] = set()
    async with asyncio.timeout(LONG):
        while heard != wanted:
            heard |= await listener.wait(LONG)
            assert heard <= wanted


async def test_who_listens_for_a_job_is_woken_and_nobody_else(pair: Pair) -> None:
    with pair.there.listen((Topic.LOG, 1), (Topic.JOB, 1)) as one, pair.there.listen((Topic.JOB, None)) as every:
        pair.here.publish(Topic.LOG, 1)
        pair.here.publish(Topic.LOG, 2)
        pair.here.publish(Topic.JOB, 3)
        pair.here.publish(Topic.JOB, 1)
        await woken(one, {(Topic.LOG, 1), (Topic.JOB, 1)})
        await woken(every, {(Topic.JOB, 3), (Topic.JOB, 1)})


async def test_a_flood_is_gathered_and_nothing_is_lost(pair: Pair) -> None:
    with pair.there.listen((Topic.EVENTS, None)) as listener:
        for job_id in range(1, 5001):
            pair.here.publish(Topic.EVENTS, job_id)
        await woken(listener, {(Topic.EVENTS, job_id) for job_id in range(1, 5001)})


@pytest.mark.postgres
async def test_only_logs_that_others_store_are_told_as_moved(shared: Pair) -> None:
    with shared.there.listen((Topic.LOG, 7)) as listener, shared.here.listen((Topic.LOG, 7)) as own:
        shared.here.publish(Topic.LOG, 7)
        await woken(listener, {(Topic.LOG, 7)})
        await woken(own, {(Topic.LOG, 7)})
    # Once, by the other one: whoever publishes keeps what it has stored itself.
    assert shared.moved == [7]


@pytest.mark.postgres
async def test_a_connection_that_is_cut_is_made_anew_and_everybody_looks(shared: Pair) -> None:
    assert shared.url is not None
    control = await asyncpg.connect(plain_url(shared.url))
    with shared.there.listen((Topic.JOB, 1)) as listener:
        cut = await control.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
            "AND (query LIKE '%playcast%' OR query = 'SELECT 1') AND pid <> pg_backend_pid()"
        )
        assert cut >= 2
        async with asyncio.timeout(LONG):
            assert await listener.wait(LONG) == set()
        shared.here.publish(Topic.JOB, 1)
        await woken(listener, {(Topic.JOB, 1)})
    await control.close()


@pytest.mark.postgres
async def test_what_others_send_is_not_believed(shared: Pair) -> None:
    assert shared.url is not None
    control = await asyncpg.connect(plain_url(shared.url))
    with shared.there.listen((Topic.LOG, None), (Topic.JOB, None)) as listener:
        for payload in ("", "x", "x l", "x lx", "x q5", "x l-1", "x l1e3", "x l\u0663", f"x j{'9' * 30}", "x j8"):
            await control.execute("SELECT pg_notify($1, $2)", notify_bus.CHANNEL, payload)
        await woken(listener, {(Topic.JOB, 8)})
    await control.close()


@pytest.mark.postgres
async def test_a_wake_up_that_got_lost_is_found_by_looking(shared: Pair) -> None:
    job = await job_row(JobStatus.RUNNING)
    with shared.there.listen((Topic.LOG, job.id)) as log, shared.there.listen((Topic.JOB, None)) as every:
        # What is new to it is told once.
        await woken(log, {(Topic.LOG, job.id)})
        await woken(every, {(Topic.JOB, job.id)})
        await ProvisionJob.filter(id=job.id).update(log_size=5)
        await woken(log, {(Topic.LOG, job.id)})
        await ProvisionJob.filter(id=job.id).update(status=JobStatus.SUCCESS, ended_at=datetime.now(UTC))
        await woken(every, {(Topic.JOB, job.id)})
        other = await job_row(JobStatus.RUNNING)
        await woken(every, {(Topic.JOB, other.id)})


@pytest.mark.postgres
async def test_a_look_at_all_jobs_finds_a_lost_wake_up_and_leaves_those_that_wait_alone(shared: Pair) -> None:
    job = await job_row(JobStatus.PENDING)
    for _ in range(20):
        await job_row(JobStatus.PENDING)
    assert isinstance(shared.there, NotifyBus)
    with shared.there.listen((Topic.JOB, None)) as every:
        await shared.there._look()
        assert await ProvisionJob.cancel_pending(job.id, "test", datetime.now(UTC))
        await JobEvent.of(job.id, 1, "status", datetime.now(UTC), {"status": "CANCELED", "reason": None}).save()
        # It alone: the twenty that wait are not even looked at.
        await woken(every, {(Topic.JOB, job.id)})
