"""The database: how it is opened, and its migrations."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aerich import Command
from tortoise import Tortoise
from tortoise.connection import get_connection

from models.dialect import register_upper
from playcast.settings import file_of
from playcast.storage.database_file import check_file, make_file
from playcast.storage.open_errors import opening
from playcast.storage.postgres import CONNECT_SECONDS, migrating, pool_of
from runner.errors import PlaycastError
from runner.lease import STANDSTILL_SECONDS

MODELS = ["models", "aerich.models"]
# `wal_autocheckpoint`, in pages: a commit moves the write-ahead log itself only if wal_checkpoint.py does not do it.
# `journal_size_limit`, in bytes: what that file keeps while unused; cut off each time, it would be made anew each time.
# `cache_size`, in KiB as a negative number: a batch of the tail fits in.
SQLITE = {
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "busy_timeout": "1000",
    "wal_autocheckpoint": "8192",
    "journal_size_limit": "16777216",
    "cache_size": "-8192",
}
# Of asyncpg: a connection, or a statement, that takes longer has met a network or a server that stands still.
# Migrations have no such limit.
_PATIENCE = {"timeout": CONNECT_SECONDS, "command_timeout": 60.0}
# Of PostgreSQL, in milliseconds: a process that stands still in the middle of a transaction keeps its locks, and with
# that of admission all the others waiting. runner.cluster.hold_ups ends those that PostgreSQL takes for being at work.
_STANDSTILL = {"idle_in_transaction_session_timeout": f"{STANDSTILL_SECONDS * 1000:.0f}"}
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
    connection = _sqlite(url) if dialect(url) == "sqlite" else pool_of(url, options)
    return {
        "connections": {"default": connection},
        "apps": {"models": {"models": MODELS, "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def _sqlite(url: str) -> dict[str, Any]:
    chosen = dict(parse_qsl(url.partition("?")[2])) or SQLITE
    # Not by the URL: Tortoise would end the path at a `#`, and takes `%23` for four characters.
    return {"engine": "models.sqlite", "credentials": {"file_path": str(file_of(url)), **chosen}}


def migrations_dir() -> Path:
    """`migrations/` of the checkout, or of the installed package."""
    return Path(__file__).resolve().parents[2] / "migrations"


async def migrate(url: str) -> list[str]:
    """Bring the database to the newest schema; the names of the steps that were taken."""
    if dialect(url) == "sqlite":
        with opening(url):
            make_file(file_of(url))
            check_file(file_of(url))
            return await _upgraded(url)
    with opening(url):
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


@asynccontextmanager
async def opened(url: str, **settings: str) -> AsyncIterator[None]:
    """The database, open for every task of this process while the context lasts; `settings` are PostgreSQL's."""
    with opening(url):
        config = tortoise_config(url, **_PATIENCE, server_settings={**_STANDSTILL, **settings})
        context = await Tortoise.init(config=config, _enable_global_fallback=True)
    try:
        with opening(url):
            # Connect now: a task that is cancelled while it makes the first connection would leave it open for ever.
            await get_connection("default").execute_query("SELECT 1")
            if dialect(url) == "sqlite":
                await register_upper(get_connection("default")._connection)  # noqa: SLF001 (Tortoise has no other way to its connection)
        yield
    finally:
        await context.close_connections()
