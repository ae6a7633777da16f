"""What comes of a PostgreSQL that is away: one error, the same everywhere, and tasks that can go on afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tortoise.connection import get_connection
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError

from models import JobStatus, ProvisionJob, ServerLock
from models.transaction import transaction
from playcast.storage import database
from playcast.storage.database import migrate, opened
from playcast.storage.postgres import plain_url
from runner.outages import until_answered
from tests.support.locking import job_row
from tests.support.postgres import fresh_database

pytestmark = pytest.mark.postgres
DIE = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
async def url(postgres_url: str, tmp_path: Path) -> str:
    url = await fresh_database(postgres_url, tmp_path.name)
    await migrate(url)
    return url


@pytest.fixture
async def _opened(url: str) -> AsyncIterator[None]:
    async with opened(url):
        yield


async def dies_in_the_middle() -> None:
    async with transaction() as tx:
        await job_row(JobStatus.PENDING)
        await tx.execute_query(DIE)


async def dies_before_its_commit(control: asyncpg.Connection) -> None:
    async with transaction() as tx:
        await job_row(JobStatus.PENDING)
        pid = (await tx.execute_query_dict("SELECT pg_backend_pid() AS pid"))[0]["pid"]
        await control.execute("SELECT pg_terminate_backend($1)", pid)


@pytest.mark.usefixtures("_opened")
async def test_a_task_goes_on_after_the_connection_of_its_transaction_has_died(url: str) -> None:
    control = await asyncpg.connect(plain_url(url))
    for _ in range(3):
        with pytest.raises(DBConnectionError):
            await dies_in_the_middle()
        assert await ProvisionJob.all().count() == 0
        with pytest.raises(DBConnectionError):
            await dies_before_its_commit(control)
        assert await ProvisionJob.all().count() == 0
    await control.close()
    await job_row(JobStatus.PENDING)
    assert await ProvisionJob.all().count() == 1


@pytest.mark.usefixtures("_opened")
async def test_a_cancellation_stays_one_though_its_connection_is_dead() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with transaction() as tx:
            with pytest.raises(DBConnectionError):
                await tx.execute_query(DIE)
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ProvisionJob.all().count() == 0


@pytest.mark.usefixtures("_opened")
async def test_what_is_wrong_with_a_statement_is_not_taken_for_an_outage() -> None:
    with pytest.raises(OperationalError) as wrong:
        await get_connection("default").execute_query("SELECT nothing FROM nowhere")
    assert not isinstance(wrong.value, DBConnectionError)
    job = await job_row(JobStatus.PENDING)
    with pytest.raises(IntegrityError):
        await ServerLock.create(server_id=1, job_id=job.id + 1, taken_at=job.created_at)


async def test_a_statement_that_never_answers_is_an_outage(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database._PATIENCE, "command_timeout", 3)
    async with opened(url):
        with pytest.raises(DBConnectionError):
            await get_connection("default").execute_query("SELECT pg_sleep(60)")
        assert await ProvisionJob.all().count() == 0


async def test_who_follows_waits_for_the_database_and_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.outages.RETRY_SECONDS", 0.01)
    answers: list[Exception | int] = [DBConnectionError("away"), DBConnectionError("still"), 42]

    async def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await until_answered(read) == 42
    answers.append(OperationalError("wrong"))
    with pytest.raises(OperationalError):
        await until_answered(read)
