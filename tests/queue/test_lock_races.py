"""Servers that are deleted at the very moment at which a job is submitted for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tortoise.transactions import in_transaction

from models import JobHost, ProvisionJob, Server
from runner.errors import Refused
from runner.verbs import submit
from runner.verbs.servers import delete_server
from runner.viewer import LOCAL_VIEWER
from tests.support.locking import Fleet, fleet_on
from tests.support.postgres import fresh_database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def fleet(request: pytest.FixtureRequest, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Fleet]:
    url = f"sqlite://{tmp_path}/locks.sqlite3"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    async with fleet_on(url, tmp_path / "data", ansible_dir, 2) as found:
        yield found


async def test_a_server_that_goes_after_it_was_checked_is_missed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def late() -> AsyncIterator[Any]:
        await Server.filter(id=fleet.servers[1]).delete()
        async with in_transaction() as tx:
            yield tx

    monkeypatch.setattr(submit, "transaction", late)
    with pytest.raises(Refused) as refused:
        await fleet.submit(0, 1)

    (problem,) = refused.value.problems
    assert (problem.code, problem.field) == ("NOT_FOUND", ("serverIds", "1"))
    assert (await fleet.held(), fleet.dispatcher.handed) == ({}, [])
    assert (await ProvisionJob.all().count(), await JobHost.all().count()) == (0, 0)


@pytest.mark.postgres
@pytest.mark.parametrize("fleet", ["postgres"], indirect=True)
async def test_a_job_does_not_lose_its_server_to_a_delete(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    delete, looked = Server.delete, asyncio.Event()

    async def submit_then() -> None:
        await looked.wait()
        with suppress(Refused):
            await fleet.submit(0, 1)

    # Not started within the transaction, whose connection it would share.
    task = asyncio.create_task(submit_then())

    async def slow(self: Server, using_db: Any = None) -> None:
        looked.set()
        await asyncio.wait([task], timeout=0.5)
        await delete(self, using_db)

    monkeypatch.setattr(Server, "delete", slow)
    with suppress(Refused):
        await delete_server(fleet.engine, LOCAL_VIEWER, fleet.servers[1])
    await task

    # Either the server stays, or there is no job that needs it.
    assert await JobHost.filter(server_id__isnull=True).count() == 0
    assert len(await fleet.held()) in (0, 2)
