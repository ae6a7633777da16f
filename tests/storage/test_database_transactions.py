"""One suite for both databases: what fails or is cancelled leaves nothing behind, and a small pool serves many."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connection
from tortoise.exceptions import DBConnectionError, IntegrityError

from models import JobEvent, JobHost, JobStatus, LogChunk, ProvisionJob, Server, ServerLock, ServerTag
from models.chunk import Run
from models.transaction import transaction
from playcast.storage.database import dialect, opened
from playcast.storage.postgres import plain_url
from runner.cluster.hold_ups import end_holdups
from runner.jobs import transitions
from runner.lease import HEARTBEAT_SECONDS, LEASE_SECONDS, STANDSTILL_SECONDS
from runner.log.stored import read_range
from runner.queue.admission import _ADVISORY_LOCK, alone
from runner.verbs.list_jobs import JobQuery, count_jobs, newest_jobs
from runner.viewer import LOCAL_VIEWER
from tests.support.locking import OUTCOMES, Fleet, append_runs, fleet_on
from tests.support.postgres import emptied_database

JOBS = 20
READERS = 50
CHUNKS = 10
LONG = 60.0
# Well before PostgreSQL itself ends the transaction of a connection that was left open.
HEARS_OF_AN_END_SECONDS = STANDSTILL_SECONDS / 2
LEFT = """
    SELECT pid, state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND (state LIKE 'idle in transaction%' OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))
"""


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Fleet]:
    """A server for each job, in a database of each kind; on PostgreSQL all share two connections."""
    url = database_url + ("&maxsize=2" if dialect(database_url) == "postgres" else "")
    async with fleet_on(url, tmp_path / "data", ansible_dir, JOBS) as found:
        yield found


async def counts() -> dict[str, int]:
    tables: list[Any] = [Server, ServerTag, ServerLock, ProvisionJob, JobHost, JobEvent, LogChunk]
    return {table.__name__: await table.all().count() for table in tables}


async def nothing_is_held() -> None:
    """Return as soon as no connection is taken, and then no transaction is open, nor any lock of ours held."""
    client = get_connection("default")
    if isinstance(client, SqliteClient):
        assert client._connection is not None
        assert not client._connection.in_transaction
        assert not client._lock.locked()
        return
    assert isinstance(client, AsyncpgDBClient)
    assert client._pool is not None
    async with asyncio.timeout(30):
        while client._pool.get_idle_size() < client._pool.get_size():  # noqa: ASYNC110 (asyncpg gives them back behind a cancellation)
            await asyncio.sleep(0.001)
    in_pool = [holder._con.get_server_pid() for holder in client._pool._holders if holder.is_connected()]
    # PostgreSQL hears of an ended connection a moment later, and takes it for open until then.
    async with asyncio.timeout(HEARS_OF_AN_END_SECONDS):
        while left := await client.execute_query_dict(LEFT):
            assert not {row["pid"] for row in left} & set(in_pool), left
            await asyncio.sleep(0.001)


async def test_what_fails_half_way_leaves_nothing(fleet: Fleet) -> None:
    was = await counts()

    async def fails(error: Exception) -> None:
        async with transaction() as tx:
            await alone(tx)
            server = await Server.create(name="new", host="h", port=1, user="u", auth="LOCAL", variables={})
            await ServerTag.create(server_id=server.id, tag="a")
            await ServerTag.create(server_id=1, tag="a")
            if isinstance(error, IntegrityError):
                await ServerTag.create(server_id=1, tag="a")
            raise error

    for error in (ZeroDivisionError(), IntegrityError("twice")):
        with pytest.raises(type(error)):
            await fails(error)
        assert await counts() == was
        await nothing_is_held()
    async with transaction():
        await ServerTag.create(server_id=1, tag="a")
    assert await counts() == {**was, "ServerTag": 1}


async def test_chunks_are_stored_whole_or_not_at_all(fleet: Fleet) -> None:
    job, now = await fleet.start(await fleet.submit(0)), datetime.now(UTC)
    assert await append_runs(job, [Run(0, 1, b"a", now)], 1, 0)
    job.log_size = 1
    was = await counts()

    # The second stands where one stands already.
    with pytest.raises(IntegrityError):
        await append_runs(job, [Run(1, 1, b"b", now), Run(0, 1, b"c", now)], 3, 0)

    assert await counts() == was
    assert (await ProvisionJob.get(id=job.id)).log_size == 1
    await nothing_is_held()
    assert await append_runs(job, [Run(1, 1, b"b", now)], 2, 0)


async def seconds(verb: Callable[[], Awaitable[None]]) -> float:
    """How long it takes where nothing holds it up."""
    found = []
    for _ in range(3):
        before = time.perf_counter()
        await verb()
        found.append(time.perf_counter() - before)
    return min(found)


async def test_a_task_that_is_cancelled_anywhere_holds_nothing(fleet: Fleet) -> None:
    """After each time the same verbs still work, and what they have stored is whole."""
    done = [0, 0]

    async def append() -> None:
        job = await ProvisionJob.get(id=first)
        run = Run(job.log_size, 1, b"x", datetime.now(UTC))
        await append_runs(job, [run], job.log_size + 1, 0)

    async def whole_life() -> None:
        await fleet.end(await fleet.submit(1, 2))

    first = (await fleet.start(await fleet.submit(0))).id
    verbs: list[Callable[[], Awaitable[None]]] = [append, whole_life]
    lasting = [await seconds(verb) for verb in verbs]
    for step in range(60):
        for verb, whole in zip(verbs, lasting, strict=True):
            task = asyncio.ensure_future(verb())
            await asyncio.wait([task], timeout=whole * step / 60)
            done[task.done()] += 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await nothing_is_held()

    # Else no cancellation has met anything.
    assert done[False] > 20
    row = await ProvisionJob.get(id=first)
    assert await LogChunk.filter(job_id=first).count() == row.log_size
    rows = await ProvisionJob.exclude(id=first).order_by("id")
    found = await counts()
    assert found["JobHost"] == 1 + 2 * len(rows)
    assert found["JobEvent"] == row.event_count + sum(job.event_count for job in rows)
    # Whoever was stopped in the middle still waits, and the first of them holds both servers.
    open_jobs = [job.id for job in rows if job.status is not JobStatus.SUCCESS]
    expected = {0: first} | ({1: open_jobs[0], 2: open_jobs[0]} if open_jobs else {})
    assert await fleet.held() == expected


async def test_a_pool_of_two_serves_twenty_jobs_and_fifty_readers(fleet: Fleet) -> None:
    ended = 0

    async def job_of(place: int) -> int:
        nonlocal ended
        job = await fleet.start(await fleet.submit(place))
        for number in range(CHUNKS):
            text = b"%d.%d\n" % (place, number)
            run = Run(job.log_size, number + 1, text, datetime.now(UTC))
            assert await append_runs(job, [run], job.log_size + len(text), number + 1)
            job.log_size += len(text)
        assert await transitions.finish(fleet.engine, job, OUTCOMES[JobStatus.SUCCESS])
        ended += 1
        return job.id

    async def reader() -> None:
        while ended < JOBS:
            for job in await newest_jobs(LOCAL_VIEWER, JobQuery(), JOBS):
                pieces = [piece async for piece in read_range(job.id, 0, job.log_size)]
                assert sum(len(piece.data) for piece in pieces) == job.log_size
                await asyncio.sleep(0.01)
            await count_jobs(LOCAL_VIEWER, JobQuery(status=[JobStatus.RUNNING]))

    async with asyncio.timeout(LONG), asyncio.TaskGroup() as group:
        writing = [group.create_task(job_of(place)) for place in range(JOBS)]
        for _ in range(READERS):
            group.create_task(reader())

    for place, task in enumerate(writing):
        pieces = [piece async for piece in read_range(task.result(), 0, 1000)]
        assert b"".join(piece.data for piece in pieces) == b"".join(b"%d.%d\n" % (place, n) for n in range(CHUNKS))
    assert await fleet.held() == {}
    await nothing_is_held()


@pytest.mark.postgres
async def test_who_stands_still_in_a_transaction_keeps_nobody_waiting(postgres_url: str) -> None:
    url = await emptied_database(postgres_url)

    async def stand_still() -> None:
        async with transaction() as tx:
            await alone(tx)
            await new_server()
            await admission(url)
            await Server.all().count()

    async with opened(url):
        with pytest.raises(DBConnectionError):
            await stand_still()
        assert await Server.all().count() == 0
        await nothing_is_held()


async def new_server() -> None:
    await Server.create(name="new", host="h", port=1, user="u", auth="LOCAL", variables={})


async def admission(url: str) -> None:
    """What another process does: it gets the lock of admission though this one says not another word."""
    other = await asyncpg.connect(plain_url(url))
    async with asyncio.timeout(LEASE_SECONDS):
        await other.execute(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
    await other.close()


async def half_a_statement(tx: BaseDBAsyncClient) -> None:
    """A client that stands still between the two halves of a statement: PostgreSQL has prepared it, and waits."""
    await cast("Any", tx)._connection.prepare("SELECT count(*) FROM server")


@pytest.mark.postgres
@pytest.mark.parametrize("writes", [True, False])
async def test_nor_who_stands_still_within_a_statement(postgres_url: str, *, writes: bool) -> None:
    url = await emptied_database(postgres_url)

    async def look() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await end_holdups(get_connection("default"))

    async def stand_still() -> None:
        async with transaction() as tx:
            await alone(tx)
            if writes:
                await new_server()
            await half_a_statement(tx)
            await admission(url)
            await Server.all().count()

    async with opened(url):
        looking = asyncio.create_task(look())
        with pytest.raises(DBConnectionError):
            await stand_still()
        assert await Server.all().count() == 0
        await nothing_is_held()
        looking.cancel()


@pytest.mark.postgres
async def test_who_reads_slowly_or_is_in_nobodys_way_is_left_alone(postgres_url: str) -> None:
    url = await emptied_database(postgres_url)
    async with opened(url):
        reader, writer, waiter = [await asyncpg.connect(plain_url(url)) for _ in range(3)]
        await reader.execute("BEGIN; LOCK TABLE server IN ACCESS SHARE MODE")
        await reader.prepare("SELECT 1")
        await writer.execute("BEGIN; SELECT txid_current()")
        await writer.prepare("SELECT 1")
        waiting = asyncio.create_task(waiter.execute("BEGIN; LOCK TABLE server; ROLLBACK"))
        await asyncio.sleep(STANDSTILL_SECONDS + 1)
        await end_holdups(get_connection("default"))
        assert [await one.fetchval("SELECT 1") for one in (reader, writer)] == [1, 1]
        assert not waiting.done()
        for one in (reader, writer):
            await one.execute("ROLLBACK")
            await one.close()
        await waiting
        await waiter.close()
