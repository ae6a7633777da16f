"""Server locks: all of a job's servers or none, handed on by rank, told to everybody who waits."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from models import JobEvent, JobHost, JobStatus, ProvisionJob, Server, ServerLock
from playcast.storage import database
from runner.bus import Topic
from runner.errors import Refused
from runner.jobs import transitions
from runner.queue import dispatch
from runner.queue.dispatch import LocalDispatcher
from runner.queue.slots import Slots
from runner.verbs.servers import delete_server
from runner.viewer import LOCAL_VIEWER
from tests.support.locking import OUTCOMES, Fleet, fleet_on
from tests.support.postgres import fresh_database

SERVERS = 6
NO_TRANSACTION = cast("BaseDBAsyncClient", None)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def fleet(request: pytest.FixtureRequest, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Fleet]:
    """Six servers without jobs, in a database of each kind."""
    url = f"sqlite://{tmp_path}/locks.sqlite3"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    async with fleet_on(url, tmp_path / "data", ansible_dir, SERVERS) as found:
        yield found


async def test_a_job_gets_all_its_locks_or_none(fleet: Fleet) -> None:
    first = await fleet.submit(0, 1)
    second = await fleet.submit(1, 2)
    third = await fleet.submit(3)

    assert await fleet.held() == {0: first, 1: first, 3: third}
    assert await fleet.waiting() == [second]
    assert fleet.dispatcher.handed == [first, third]
    rows = await ProvisionJob.all().order_by("id")
    assert [row.admitted_at is None for row in rows] == [False, True, False]
    assert [row.status for row in rows] == [JobStatus.PENDING] * 3


@pytest.mark.parametrize("status", OUTCOMES)
async def test_an_end_of_any_kind_hands_the_locks_on(fleet: Fleet, status: JobStatus) -> None:
    first, second = await fleet.submit(0, 1), await fleet.submit(1, 2)

    await fleet.end(first, status)

    assert await fleet.held() == {1: second, 2: second}
    assert fleet.dispatcher.handed == [first, second]


async def test_the_next_is_chosen_by_priority_then_age(fleet: Fleet) -> None:
    first = await fleet.submit(0)
    low = await fleet.submit(0, priority=-1)
    older, younger = await fleet.submit(0), await fleet.submit(0)
    high = await fleet.submit(0, priority=5)
    order = [first, high, older, younger, low]

    for number, job in enumerate(order):
        assert await fleet.held() == {0: job}
        assert fleet.dispatcher.handed == order[: number + 1]
        await fleet.end(job)

    assert await fleet.held() == {}


async def test_narrow_jobs_do_not_starve_a_wide_one(fleet: Fleet) -> None:
    first = await fleet.submit(0)
    wide = await fleet.submit(*range(SERVERS))
    narrow = [await fleet.submit(place) for place in range(SERVERS)]
    # All but one of the servers are free, and kept for the wide job.
    assert await fleet.held() == {0: first}
    assert await fleet.waiting() == [wide, *narrow]

    await fleet.end(first)
    assert await fleet.held() == dict.fromkeys(range(SERVERS), wide)
    await fleet.end(wide)

    assert await fleet.held() == dict(enumerate(narrow))
    assert fleet.dispatcher.handed == [first, wide, *narrow]


async def test_a_higher_priority_goes_ahead_of_who_waits(fleet: Fleet) -> None:
    first = await fleet.submit(0)
    wide = await fleet.submit(0, 1)
    urgent = await fleet.submit(1, 2, priority=1)
    assert await fleet.held() == {0: first, 1: urgent, 2: urgent}
    # One that waits keeps its servers from lower ranks, and from no higher one.
    later, higher = await fleet.submit(1, 3, priority=1), await fleet.submit(3, priority=2)

    await fleet.end(first)
    assert await fleet.waiting() == [wide, later]
    await fleet.end(urgent)
    assert await fleet.waiting() == [wide, later]
    await fleet.end(higher)

    assert await fleet.held() == {1: later, 3: later}
    await fleet.end(later)
    assert fleet.dispatcher.handed == [first, urgent, higher, later, wide]


async def test_a_canceled_waiting_job_gives_up_what_it_reserved(fleet: Fleet) -> None:
    first = await fleet.submit(0)
    wide = await fleet.submit(0, 1, 2)
    beside, behind = await fleet.submit(1, 2), await fleet.submit(0, 3)

    with fleet.engine.bus.listen((Topic.JOB, None)) as listener:
        assert await fleet.cancel(wide) is JobStatus.CANCELED
        assert await listener.wait(30) == {(Topic.JOB, wide), (Topic.JOB, beside)}

    assert await fleet.held() == {0: first, 1: beside, 2: beside}
    assert await fleet.waiting() == [behind]
    assert fleet.dispatcher.handed == [first, beside]


async def test_a_canceled_admitted_job_frees_its_locks(fleet: Fleet) -> None:
    first, second = await fleet.submit(0, 1), await fleet.submit(1, 2)

    assert await fleet.cancel(first) is JobStatus.CANCELED

    assert await fleet.held() == {1: second, 2: second}
    # A dispatcher that delivers the canceled one nevertheless starts nothing.
    assert await transitions.claim(fleet.engine, first, "test") is None
    assert (await ProvisionJob.get(id=first)).fence == 0


async def test_a_running_job_keeps_its_locks_until_it_has_ended(fleet: Fleet) -> None:
    first, second = await fleet.submit(0), await fleet.submit(0)
    job = await fleet.start(first)

    assert await fleet.cancel(first) is JobStatus.RUNNING
    assert (await fleet.held(), await fleet.waiting()) == ({0: first}, [second])
    job.fence -= 1
    assert not await transitions.finish(fleet.engine, job, OUTCOMES[JobStatus.SUCCESS])
    assert (await fleet.held(), await fleet.waiting()) == ({0: first}, [second])
    assert [event.seq for event in await JobEvent.filter(job_id=first).order_by("seq")] == [1, 2]


async def test_who_is_admitted_by_an_end_is_told(fleet: Fleet) -> None:
    first, second, third = await fleet.submit(0, 1), await fleet.submit(0), await fleet.submit(1)
    job = await fleet.start(first)

    with fleet.engine.bus.listen((Topic.JOB, None)) as listener:
        assert await transitions.finish(fleet.engine, job, OUTCOMES[JobStatus.SUCCESS])
        assert await listener.wait(30) == {(Topic.JOB, first), (Topic.JOB, second), (Topic.JOB, third)}


async def test_a_submit_that_fails_leaves_no_lock(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(fleet.dispatcher, "enqueue", broken)
        with pytest.raises(ConnectionError):
            await fleet.submit(0, 1)
    assert await fleet.held() == {}
    assert (await ProvisionJob.all().count(), await JobHost.all().count(), await JobEvent.all().count()) == (0, 0, 0)
    assert await fleet.held() == {}

    again = await fleet.submit(0, 1)
    assert await fleet.held() == {0: again, 1: again}


@pytest.mark.parametrize("ready", [True, False], ids=["admitted", "waiting"])
async def test_a_server_that_is_needed_is_not_deleted(fleet: Fleet, ready: bool) -> None:
    first, second = await fleet.submit(0, 1), await fleet.submit(1, 2)
    needed, job = (fleet.servers[0], first) if ready else (fleet.servers[2], second)

    with pytest.raises(Refused, match=f"job {job} still needs this server: wait for its end, then delete it"):
        await delete_server(fleet.engine, LOCAL_VIEWER, needed)

    assert await Server.all().count() == SERVERS
    assert (await fleet.held(), await fleet.waiting()) == ({0: first, 1: first}, [second])
    assert await JobHost.filter(job_id=job).count() == 2
    await fleet.end(first)
    await fleet.end(second)
    assert await delete_server(fleet.engine, LOCAL_VIEWER, needed) == needed
    assert await JobHost.filter(job_id=job, server_id__isnull=True).count() == 1


async def test_a_start_admits_what_was_left_waiting(fleet: Fleet) -> None:
    """As an earlier version left it, which knew no locks, or a crash that took a table along."""
    running = await fleet.submit(0)
    await fleet.start(running)
    jobs = [await fleet.submit(*places) for places in [(0, 1), (1, 2), (2, 3), (4,), (5,)]]
    late = await fleet.submit(3, 4, priority=3)
    await ServerLock.exclude(job_id=running).delete()
    await ProvisionJob.filter(status=JobStatus.PENDING).update(admitted_at=None)
    fleet.dispatcher.handed.clear()

    await transitions.admit_all(fleet.engine)

    # The one that is behind the running job keeps the second away, which keeps the third away.
    assert await fleet.held() == {0: running, 3: late, 4: late, 5: jobs[4]}
    assert await fleet.waiting() == jobs[:4]
    assert sorted(fleet.dispatcher.handed) == [jobs[4], late]
    await transitions.admit_all(fleet.engine)
    assert len(fleet.dispatcher.handed) == 2


async def test_an_admission_whose_answer_got_lost_is_delivered_however_busy_the_queue(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "REFILL_SECONDS", 0.05)
    dispatcher, done = LocalDispatcher(), asyncio.Event()
    lost: list[int] = []

    async def run(job_id: int) -> None:
        if not lost:
            # Admitted in the table; of the commit this dispatcher has not heard.
            lost.append(await fleet.submit(0))
        if job_id in lost:
            done.set()
        else:
            await dispatcher.enqueue(NO_TRANSACTION, job_id + 1, 1)
            await dispatcher.committed(job_id + 1)
            await asyncio.sleep(0.005)

    await dispatcher.enqueue(NO_TRANSACTION, 1000, 1)
    await dispatcher.committed(1000)
    task = asyncio.create_task(dispatcher.work(run, Slots(2)))
    async with asyncio.timeout(60):
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


OLD = """
INSERT INTO server (name, host, port, user, auth, variables, created_at, updated_at)
    SELECT 's' || value, 'localhost', 22, 'root', 'LOCAL', '{}', '2026-01-01', '2026-01-01' FROM json_each('[0,1]');
INSERT INTO provision_job (id, recipe, revision, status, check_mode, diff, tags, skip_tags, timeout_seconds, priority,
    requested_by, fence, log_size, line_count, created_at)
    SELECT value ->> 0, 'base', 'r', value ->> 1, 0, 0, '[]', '[]', 60, value ->> 2, 'local', value ->> 1 = 'RUNNING',
    0, 0, '2026-01-01' FROM json_each('[[1,"RUNNING",0], [2,"PENDING",0], [3,"PENDING",0], [4,"PENDING",1]]');
INSERT INTO job_host (job_id, server_id, host, server_name)
    SELECT value ->> 0, value ->> 1, 'srv-' || (value ->> 1), '' FROM json_each('[[1,1], [2,1], [2,2], [3,2], [4,2]]');
"""


async def test_jobs_of_a_version_without_locks_take_their_turns(
    tmp_path: Path, ansible_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers; a job runs on the first, and three wait: for both, for the second, and urgently for the second."""
    steps = database.migrations_dir() / "sqlite" / "models"
    (tmp_path / "old/sqlite/models").mkdir(parents=True)
    for step in sorted(steps.glob("[01]_*.py")):
        shutil.copy(step, tmp_path / "old/sqlite/models")
    file = tmp_path / "old.sqlite3"
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations_dir", lambda: tmp_path / "old")
        await database.migrate(f"sqlite://{file}")
    with sqlite3.connect(file) as connection:
        connection.executescript(OLD)
    connection.close()

    async with fleet_on(f"sqlite://{file}", tmp_path / "data", ansible_dir, 0) as empty:
        fleet = replace(empty, servers=[1, 2])
        assert await fleet.held() == {0: 1}
        await transitions.admit_all(fleet.engine)
        assert (await fleet.held(), await fleet.waiting()) == ({0: 1, 1: 4}, [2, 3])
        await fleet.end(4)
        assert (await fleet.held(), await fleet.waiting()) == ({0: 1}, [2, 3])
        assert await transitions.finish(fleet.engine, await ProvisionJob.get(id=1), OUTCOMES[JobStatus.SUCCESS])
        assert (await fleet.held(), await fleet.waiting()) == ({0: 2, 1: 2}, [3])
        await fleet.end(2)
        await fleet.end(3)
        assert (await fleet.held(), fleet.dispatcher.handed) == ({}, [4, 2, 3])
        events = [(event.seq, event.details["status"]) for event in await JobEvent.filter(job_id=1)]
        assert events == [(1, "SUCCESS")]
