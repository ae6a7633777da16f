"""A transaction of SQLite in one call: whole or not at all, also when it fails or whoever waits for it is cancelled."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tortoise.connection import get_connection
from tortoise.exceptions import OperationalError

from models import Server
from models.transaction import at_once
from playcast.storage.database import migrate, opened

RENAME = "UPDATE server SET name = ? WHERE id = 1"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    url = f"sqlite://{tmp_path / 'db.sqlite3'}"
    await migrate(url)
    async with opened(url):
        yield await Server.create(name="old", host="h", port=22, user="u", auth="LOCAL", variables={})


async def name() -> str:
    return (await Server.get(id=1)).name


async def test_what_fails_is_rolled_back_and_told_as_every_other_failure(server: Server) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        connection.execute(RENAME, ["new"])
        connection.execute("SELECT * FROM nowhere")

    with pytest.raises(OperationalError, match=r"^no such table: nowhere$"):
        await at_once(get_connection("default"), fails)

    assert await name() == "old"
    done = await at_once(get_connection("default"), lambda connection: connection.execute(RENAME, ["new"]).rowcount)
    assert (done, await name()) == (1, "new")


async def test_a_bug_inside_is_rolled_back_and_told_as_it_is(server: Server) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        connection.execute(RENAME, ["new"])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await at_once(get_connection("default"), fails)

    assert await name() == "old"


async def test_a_cancelled_one_is_over_before_the_next_statement(server: Server) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(30)
        connection.execute(RENAME, ["new"])

    writing = asyncio.create_task(at_once(get_connection("default"), slow))
    await asyncio.to_thread(begun.wait, 30)
    writing.cancel()
    # Counts the rows that change on its connection: those of the other must not be among them.
    moving = asyncio.ensure_future(asyncio.wait_for(Server.filter(id=2).update(name="other"), 30))
    done, _ = await asyncio.wait([writing, moving], timeout=0.1)
    assert done == set()
    go_on.set()

    assert await moving == 0
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await name() == "new"
