"""The database: where it is, who may write it, its migrations."""

import asyncio
import contextvars
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aerich import Command
from tortoise import Tortoise
from tortoise.connection import get_connection

from models.letters import teach
from playcast.postgres import migrating, pool_of
from playcast.settings import Settings
from runner.errors import PlaycastError
from runner.lease import LEASE_SECONDS

MODELS = ["models", "aerich.models"]
# Bytes. Against SQLite's own 4096 a flood takes a sixth less CPU, and a single line writes hardly more.
PAGE_SIZE = 8192
# `wal_autocheckpoint`, in pages: a commit moves the write-ahead log itself only if `checkpoint.py` does not get to it.
# `journal_size_limit`, in bytes: what that file keeps while unused; cut off each time, it would be made anew each time.
# `cache_size`, in KiB as a negative number: a batch of the tail fits in.
_SQLITE = "synchronous=NORMAL&busy_timeout=1000&wal_autocheckpoint=8192&journal_size_limit=16777216&cache_size=-8192"
# Of asyncpg: a connection, or a statement, that takes longer has met a network or a server that stands still.
# Migrations have no such limit.
_PATIENCE = {"timeout": 10.0, "command_timeout": 60.0}
# Of PostgreSQL, in milliseconds: a process that stands still in the middle of a transaction keeps its locks, and with
# that of admission all the others waiting. It is to be over before its lease is, or nobody could be judged.
_STANDSTILL = {"idle_in_transaction_session_timeout": f"{LEASE_SECONDS / 3 * 1000:.0f}"}
_SCHEMES = {"sqlite": "sqlite", "postgres": "postgres", "postgresql": "postgres", "asyncpg": "postgres"}


def dialect(url: str) -> str:
    """`sqlite` or `postgres`: the folder of the migrations."""
    scheme = url.partition("://")[0]
    if scheme not in _SCHEMES:
        message = "PLAYCAST_DATABASE_URL: use sqlite:///path/to/file or postgres://user@host/name"
        raise PlaycastError(message)
    return _SCHEMES[scheme]


def tortoise_config(url: str, **options: object) -> dict[str, Any]:
    """Tortoise's configuration for a database URL; `options` are asyncpg's, for PostgreSQL alone."""
    embedded = url if "?" in url else f"{url}?{_SQLITE}"
    connection = embedded if dialect(url) == "sqlite" else pool_of(url, options)
    return {
        "connections": {"default": connection},
        "apps": {"models": {"models": MODELS, "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def migrations_dir() -> Path:
    """`migrations/` of the checkout, or of the installed package."""
    return Path(__file__).resolve().parent.parent / "migrations"


async def migrate(url: str) -> list[str]:
    """Bring the database to the newest schema; the names of the steps that were taken."""
    if dialect(url) == "sqlite":
        make_file(file_of(url))
        return await _upgraded(url)
    async with migrating(url):
        return await _upgraded(url)


async def _upgraded(url: str) -> list[str]:
    # In an empty context: aerich opens Tortoise for itself, and would take a closed one that it finds for its own.
    return await asyncio.create_task(_upgrade(url), context=contextvars.Context())


async def _upgrade(url: str) -> list[str]:
    command = Command(tortoise_config(url), app="models", location=str(migrations_dir() / dialect(url)))
    try:
        await command.init()
        return await command.upgrade(run_in_transaction=True)
    finally:
        await Tortoise.close_connections()


def make_file(file: Path) -> None:
    """Create an empty database that can give space back; this and its pages cannot be chosen once it has tables."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(file)
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            connection.execute("VACUUM")
        finally:
            connection.close()


@asynccontextmanager
async def opened(url: str, **settings: str) -> AsyncIterator[None]:
    """The database, open for every task of this process while the context lasts; `settings` are PostgreSQL's."""
    config = tortoise_config(url, **_PATIENCE, server_settings={**_STANDSTILL, **settings})
    context = await Tortoise.init(config=config, _enable_global_fallback=True)
    try:
        # Connect now: a task that is cancelled while it makes the first connection would leave it open for ever.
        await get_connection("default").execute_query("SELECT 1")
        if dialect(url) == "sqlite":
            await teach(get_connection("default")._connection)  # noqa: SLF001 (Tortoise has no other way to its connection)
        yield
    finally:
        await context.close_connections()


def file_of(url: str) -> Path:
    """The file of a SQLite URL."""
    return Path(url.partition("://")[2].partition("?")[0])


class WriterLock:
    """Keeps a second writing process off an embedded database: SQLite's own lock would fail its transactions."""

    def __init__(self, settings: Settings) -> None:
        self._fd: int | None = None
        if dialect(settings.database_url) != "sqlite":
            return
        file = file_of(settings.database_url)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(file.with_name(file.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            message = f"another Playcast already works on {file}: stop it first, or use its API"
            raise PlaycastError(message) from error

    def release(self) -> None:
        """Let the next process in."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
