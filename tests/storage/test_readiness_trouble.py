"""`/readyz` under errors of every kind, and while the database or the file system of jobs stands still."""

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from tortoise.connection import get_connection

from models.writing import write_probe
from playcast.routes import readiness
from playcast.routes.readiness import Readiness
from playcast.storage.database import migrate, opened
from playcast.storage.postgres import plain_url
from tests.support.postgres import fresh_database

STILL = "nothing came back within 0.5 seconds"


@pytest.fixture
async def _away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database answers whatever it is asked."""

    async def well(*_: object) -> None:
        """Answer."""

    monkeypatch.setattr(readiness, "_read", well)
    monkeypatch.setattr(readiness, "_write", well)


@pytest.mark.usefixtures("_away")
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), "database disk image is malformed"),
        (asyncpg.DataCorruptedError("invalid page in block 7"), "invalid page in block 7"),
        (RuntimeError("two\nlines"), "two lines"),
        (ValueError(), "ValueError"),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize(
    ("name", "what"), [("_read", "the database does not answer"), ("_write", "the database takes nothing")]
)
async def test_an_error_of_any_kind_is_the_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str, name: str, what: str
) -> None:
    asked = []

    async def fails() -> None:
        asked.append(1)
        raise error

    monkeypatch.setattr(readiness, name, fails)
    one = Readiness(None, lambda: 0.0)
    assert [await one.refusal() for _ in range(3)] == [f"{what}: {told}"] * 3
    # A read tells nothing of the disk, and each time anew; a write is not made again so soon.
    assert len(asked) == (3 if name == "_read" else 1)


@pytest.mark.usefixtures("_away")
@pytest.mark.parametrize(
    ("name", "what"), [("_read", "the database does not answer"), ("_write", "the database takes nothing")]
)
async def test_a_database_that_stands_still_is_told_in_time(
    monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    monkeypatch.setattr(readiness, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(readiness, name, lambda: asyncio.sleep(60))
    begun = time.monotonic()
    one = Readiness(None)
    assert await asyncio.gather(*(one.refusal() for _ in range(5))) == [f"{what}: {STILL}"] * 5
    assert time.monotonic() - begun < 5


@pytest.mark.usefixtures("_away")
async def test_a_file_system_that_hangs_takes_one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(readiness, "PROBE_SECONDS", 0.5)
    hangs, begun, clock = threading.Event(), [], [0.0]

    def write(folder: Path) -> None:
        begun.append(folder)
        assert hangs.wait(60)

    monkeypatch.setattr(readiness, "_write_file", write)
    one = Readiness(tmp_path, lambda: clock[0])
    for _ in range(3):
        assert await one.refusal() == f"the directory of jobs takes nothing: {tmp_path}: {STILL}"
        clock[0] += 100
    assert begun == [tmp_path]
    hangs.set()
    assert await one.refusal() is None
    clock[0] += 100
    assert await one.refusal() is None
    assert begun == [tmp_path] * 2


@pytest.mark.usefixtures("_away")
async def test_a_thread_that_fails_after_all_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(readiness, "PROBE_SECONDS", 0.1)
    hangs = threading.Event()

    def write(_folder: Path) -> None:
        assert hangs.wait(60)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(readiness, "_write_file", write)
    one = Readiness(tmp_path, lambda: 0.0)
    assert "nothing came back within 0.1 seconds" in (await one.refusal() or "")
    hangs.set()
    assert one._writing is not None
    await asyncio.wait({one._writing})


REFUSE = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{}', HINT = 'a hint'; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON write_probe FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.fixture
async def control(postgres_url: str, tmp_path: Path) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside those of Playcast, which has the database open."""
    url = await fresh_database(postgres_url, tmp_path.name)
    await migrate(url)
    connection = await asyncpg.connect(plain_url(url))
    async with opened(url):
        yield connection
    await connection.close()


@pytest.mark.postgres
async def test_a_server_that_refuses_to_write(control: asyncpg.Connection) -> None:
    clock = [0.0]
    one = Readiness(None, lambda: clock[0])
    assert await one.refusal() is None
    for code in ("58030", "XX000", "XX001", "XX002", "53100", "25006", "42501", "57014", "23514", "P0001", "0A000"):
        await control.execute(REFUSE.format(code))
        clock[0] += 100
        told = await one.refusal() or ""
        assert (code, told.startswith("the database takes nothing: refused")) == (code, True)
        assert "\n" not in told
        await control.execute("DROP TRIGGER refuse ON write_probe")
        # It is not asked again at once.
        assert await one.refusal() == told
        clock[0] += 100
        assert await one.refusal() is None


@contextmanager
def standing_still(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def writes_locked(control: asyncpg.Connection) -> AsyncIterator[None]:
    async with control.transaction():
        await control.execute("LOCK TABLE write_probe IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.postgres
async def test_a_server_that_stands_still(control: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PROBE_SECONDS", 1.0)
    monkeypatch.setattr("models.postgres.GIVE_BACK_SECONDS", 0.5)
    clock = [0.0]
    one = Readiness(None, lambda: clock[0])
    assert await one.refusal() is None
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with standing_still([row["pid"] for row in await control.fetch(others)]):
        begun = time.monotonic()
        told = "the database does not answer: nothing came back within 1 seconds"
        assert [*await asyncio.gather(one.refusal(), one.refusal())] == [told] * 2
        assert time.monotonic() - begun < 10
        # The connection that stood still is ended, so that it keeps nobody else from a new one.
        assert await one.refusal() is None
    async with writes_locked(control):
        clock[0] += 100
        assert await one.refusal() == "the database takes nothing: nothing came back within 1 seconds"
    clock[0] += 100
    assert await one.refusal() is None
    await write_probe(get_connection("default"))
