"""One suite for both dispatchers: a committed job is delivered, at least once, to a slot that is free."""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tortoise.connection import get_connection

from models import JobStatus, ProvisionJob, WorkerEntry
from models.transaction import transaction
from playcast.storage.database import migrate, opened
from playcast.storage.postgres import plain_url
from runner.lease import LEASE_SECONDS
from runner.queue.admission import alone
from runner.queue.dispatch import Dispatcher, LocalDispatcher
from runner.queue.slots import Slots
from tests.support.launchers import until
from tests.support.locking import job_row
from tests.support.postgres import fresh_database

LONG = 60.0


@dataclass
class Queue:
    """A dispatcher as one process has it; `again` is what the next process has."""

    dispatcher: Dispatcher
    again: Callable[[], Dispatcher]
    url: str


@pytest.fixture(params=["local", pytest.param("procrastinate", marks=pytest.mark.postgres)])
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Queue]:
    url, make = f"sqlite://{tmp_path}/queue.sqlite3", LocalDispatcher
    again: Callable[[], Dispatcher] = make
    if request.param == "procrastinate":
        from runner.cluster.procrastinate_queue import ProcrastinateDispatcher

        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
        again = lambda: ProcrastinateDispatcher(plain_url(url))  # noqa: E731 (a factory)
    await migrate(url)
    async with opened(url):
        yield Queue(again(), again, url)


async def admitted(dispatcher: Dispatcher, priority: int = 0, *, commit: bool = True) -> int:
    """The id of a new job that may start."""
    now = datetime.now(UTC)
    with suppress(GivenUp):
        async with transaction() as tx:
            job = await job_row(JobStatus.PENDING, priority=priority, admitted_at=now)
            await dispatcher.enqueue(tx, job.id, priority)
            _give_up(not commit)
        await dispatcher.committed(job.id)
    return int(job.id)


def _give_up(wanted: bool) -> None:
    if wanted:
        raise GivenUp


class GivenUp(Exception):
    """A transaction is not to be committed."""


class Runs:
    """What was delivered, in order; each run takes until it is let go."""

    def __init__(self, *, held: bool = False) -> None:
        self.order: list[int] = []
        self.now = self.most = 0
        self._came = asyncio.Condition()
        self.go = asyncio.Event()
        if not held:
            self.go.set()

    async def __call__(self, job_id: int) -> None:
        async with self._came:
            self.order.append(job_id)
            self.now += 1
            self.most = max(self.most, self.now)
            self._came.notify_all()
        try:
            await self.go.wait()
            await ProvisionJob.filter(id=job_id).update(status=JobStatus.SUCCESS)
        finally:
            self.now -= 1

    async def came(self, count: int) -> None:
        async with asyncio.timeout(LONG), self._came:
            await self._came.wait_for(lambda: len(self.order) >= count)


class Working:
    """A worker on a dispatcher while the context is open."""

    def __init__(self, dispatcher: Dispatcher, run: Callable[[int], Any], slots: int | Slots) -> None:
        self._work = dispatcher.work(run, Slots(slots) if isinstance(slots, int) else slots)

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._work)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_each_committed_job_is_delivered_and_no_other(queue: Queue) -> None:
    await admitted(queue.dispatcher, commit=False)
    jobs = [await admitted(queue.dispatcher) for _ in range(5)]
    runs = Runs()
    async with Working(queue.dispatcher, runs, 2):
        await runs.came(5)
        jobs.append(await admitted(queue.dispatcher))
        await runs.came(6)
    assert runs.order == jobs


async def test_higher_priority_goes_first_then_the_older(queue: Queue) -> None:
    low, first, second, high = [await admitted(queue.dispatcher, priority) for priority in (-5, 0, 0, 9)]
    runs = Runs()
    async with Working(queue.dispatcher, runs, 1):
        await runs.came(4)
    assert runs.order == [high, first, second, low]


async def test_never_more_than_there_are_slots(queue: Queue) -> None:
    for _ in range(6):
        await admitted(queue.dispatcher)
    runs = Runs(held=True)
    async with Working(queue.dispatcher, runs, 3):
        await runs.came(3)
        await asyncio.sleep(1.5)
        assert len(runs.order) == 3
        runs.go.set()
        await runs.came(6)
    assert runs.most == 3


async def test_what_waits_outlives_the_process(queue: Queue) -> None:
    jobs = [await admitted(queue.dispatcher) for _ in range(3)]
    runs = Runs()
    async with Working(queue.again(), runs, 1):
        await runs.came(3)
    assert runs.order == jobs


async def test_a_job_that_could_not_be_taken_comes_again(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.cluster.procrastinate_queue.MEND_SECONDS", 0.5)
    monkeypatch.setattr("runner.cluster.procrastinate_queue.UNTOLD_SECONDS", 1.0)
    job = await admitted(queue.dispatcher)
    runs, tries = Runs(), [0]

    async def run(job_id: int) -> None:
        tries[0] += 1
        if tries[0] == 1:
            raise OSError("the database is away")
        await runs(job_id)

    async with Working(queue.dispatcher, run, 1):
        await runs.came(1)
    assert (runs.order, tries) == ([job], [2])


async def test_closed_slots_get_nothing_more_and_what_runs_goes_on(queue: Queue) -> None:
    first = await admitted(queue.dispatcher)
    slots, runs = Slots(2), Runs(held=True)
    async with Working(queue.dispatcher, runs, slots):
        await runs.came(1)
        slots.close()
        second = await admitted(queue.dispatcher)
        await asyncio.sleep(1.5)
        assert (runs.order, runs.now) == ([first], 1)
        runs.go.set()
        await until(lambda: runs.now == 0)
    # It waits for the next process, and did not get lost on the way.
    later = Runs()
    async with Working(queue.again(), later, 1):
        await later.came(1)
    assert later.order == [second]


async def test_jobs_that_are_found_running_take_places_of_new_ones(queue: Queue) -> None:
    jobs = [await admitted(queue.dispatcher) for _ in range(3)]
    slots, runs = Slots(2), Runs(held=True)
    slots.take_anyway()
    async with Working(queue.dispatcher, runs, slots):
        await runs.came(1)
        await asyncio.sleep(1.5)
        assert runs.order == jobs[:1]
        await slots.give_anyway()
        await runs.came(2)
        runs.go.set()
        await runs.came(3)
    assert (runs.order, runs.most) == (jobs, 2)


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_what_a_full_worker_has_no_place_for_goes_to_another(queue: Queue) -> None:
    job = await admitted(queue.dispatcher)
    full, other = Runs(), Runs()
    slots = Slots(1)
    slots.take_anyway()
    async with Working(queue.again(), full, slots), Working(queue.again(), other, 1):
        await other.came(1)
    assert (full.order, other.order) == ([], [job])


async def entries() -> list[tuple[str, object]]:
    """State and job of each entry of the engine."""
    rows = await get_connection("default").execute_query_dict(
        "SELECT status::text AS status, (args->>'job_id')::bigint AS job FROM procrastinate_jobs ORDER BY id"
    )
    return [(row["status"], row["job"]) for row in rows]


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_what_was_fetched_and_not_taken_is_given_back(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.cluster.procrastinate_queue.STOP_SECONDS", 30)
    job = await admitted(queue.dispatcher)
    slots, runs = Slots(1), Runs()
    await slots.take()
    async with Working(queue.dispatcher, runs, slots), asyncio.timeout(LONG):
        while await entries() != [("doing", job)]:  # noqa: ASYNC110 (the engine tells no event)
            await asyncio.sleep(0.05)
    assert (runs.order, await entries()) == ([], [("todo", job)])


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_two_workers_share_and_nothing_is_delivered_twice(queue: Queue) -> None:
    jobs = [await admitted(queue.dispatcher) for _ in range(20)]
    one, other = Runs(), Runs()
    async with Working(queue.again(), one, 2), Working(queue.again(), other, 2):
        await until(lambda: len(one.order) + len(other.order) == 20)
    assert sorted(one.order + other.order) == jobs


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_the_queue_is_begun_anew_when_its_connections_are_cut(queue: Queue) -> None:
    control = await asyncpg.connect(plain_url(queue.url))
    first = await admitted(queue.dispatcher)
    runs = Runs(held=True)
    async with Working(queue.dispatcher, runs, 2):
        await runs.came(1)
        await control.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND application_name = 'playcast queue'"
        )
        second = await admitted(queue.dispatcher)
        await runs.came(2)
        # What ran, runs on.
        assert (runs.order, runs.now) == ([first, second], 2)
        runs.go.set()
    await control.close()


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_entries_of_ended_jobs_do_not_pile_up(queue: Queue) -> None:
    for _ in range(3):
        await admitted(queue.dispatcher)
    runs = Runs()
    async with Working(queue.dispatcher, runs, 3):
        await runs.came(3)
        async with asyncio.timeout(LONG):
            while await entries():  # noqa: ASYNC110 (the engine removes each by itself, and tells no event)
                await asyncio.sleep(0.05)


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_a_stop_at_any_moment_leaves_nothing_open(queue: Queue) -> None:
    before = asyncio.all_tasks()
    for step in range(25):
        async with Working(queue.dispatcher, Runs(), 1):
            await asyncio.sleep(step * 0.004)
        assert asyncio.all_tasks() == before
    control = await asyncpg.connect(plain_url(queue.url))
    # Of this database alone: those of a test before may be about to end.
    left = (
        "SELECT pid, state, query, backend_start FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'playcast queue'"
    )
    deadline = time.monotonic() + LONG
    while (rows := await control.fetch(left)) and time.monotonic() < deadline:  # noqa: ASYNC110 (no event tells it)
        await asyncio.sleep(0.05)
    assert [dict(row) for row in rows] == []
    await control.close()


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_an_engine_that_stands_still_keeps_no_entry(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    commit = psycopg.AsyncConnection.commit
    stopped = asyncio.Event()

    async def stop_once(connection: psycopg.AsyncConnection[Any]) -> None:
        rows = await (await connection.execute("SELECT status FROM procrastinate_jobs")).fetchall()
        if rows == [("doing",)] and not stopped.is_set():
            stopped.set()
            await asyncio.sleep(LONG)
        await commit(connection)

    monkeypatch.setattr(psycopg.AsyncConnection, "commit", stop_once)
    still, other = Runs(), Runs()
    async with Working(queue.dispatcher, still, 1):
        job = await admitted(queue.dispatcher)
        await asyncio.wait_for(stopped.wait(), LONG)
        async with Working(queue.again(), other, 1), asyncio.timeout(LEASE_SECONDS):
            await other.came(1)
    assert (still.order, other.order) == ([], [job])


@pytest.mark.postgres
@pytest.mark.parametrize("queue", ["procrastinate"], indirect=True)
async def test_whoever_looks_for_lost_entries_keeps_nobody_waiting(queue: Queue) -> None:
    from runner.cluster.procrastinate_queue import ProcrastinateDispatcher

    assert isinstance(queue.dispatcher, ProcrastinateDispatcher)
    await admitted(queue.dispatcher)
    async with transaction() as tx:
        await alone(tx)
        # In a context of its own, as it must not go into this transaction.
        looking = asyncio.create_task(queue.dispatcher.mend(), context=contextvars.Context())
        await asyncio.wait_for(looking, LONG)
    assert await queue.dispatcher.turn() == 15
    now = datetime.now(UTC)
    for number in range(4):
        since = now - timedelta(seconds=60 * (number == 3))
        await WorkerEntry.create(name=f"w{number}", home="", slots=1, version="", started_at=now, heartbeat_at=since)
    assert await queue.dispatcher.turn() == 45
