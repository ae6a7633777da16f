"""A database opened only to look: nothing is written, created or migrated, and a server may be using it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiosqlite
from tortoise import Tortoise
from tortoise.backends.sqlite.client import SqliteClient

from playcast.settings import file_of
from playcast.storage.database import dialect, opened, tortoise_config
from playcast.storage.open_errors import opening
from runner.errors import PlaycastError


class ReadOnlyClient(SqliteClient):
    """A connection to a SQLite file that exists."""

    async def create_connection(self, with_db: bool) -> None:  # noqa: ARG002, FBT001 (Tortoise's signature)
        """Connect; of a file in use, to what is committed."""
        if self._connection is None:
            self._connection = await aiosqlite.connect(_uri(self.filename), uri=True, isolation_level=None)
            self._connection.row_factory = sqlite3.Row


client_class = ReadOnlyClient


def _uri(file: str) -> str:
    # Without a write-ahead log nobody uses the file; unless told so, SQLite would leave an empty one behind.
    itself = Path(file).resolve()
    used = itself.with_name(itself.name + "-wal").exists()
    return f"{itself.as_uri()}?mode=ro{'' if used else '&immutable=1'}"


def existing_file(url: str) -> Path:
    """The file of a SQLite database; PlaycastError if there is none."""
    file = file_of(url)
    with opening(url):
        there = file.is_file()
    if not there:
        raise PlaycastError(f"there is no database at {file}; PLAYCAST_DATA_DIR or PLAYCAST_DATABASE_URL names another")
    return file


@asynccontextmanager
async def opened_read_only(url: str) -> AsyncIterator[None]:
    """The database, for queries alone, while the context lasts."""
    if dialect(url) == "postgres":
        async with opened(url, default_transaction_read_only="on"):
            yield
        return
    file = existing_file(url)
    # Of a file that it cannot open, the library that Tortoise uses would leave a thread behind that says so.
    with opening(url), closing(sqlite3.connect(_uri(str(file)), uri=True)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master")
    credentials = {"file_path": str(file)}
    config = tortoise_config(url) | {"connections": {"default": {"engine": __name__, "credentials": credentials}}}
    context = await Tortoise.init(config=config, _enable_global_fallback=True)
    try:
        yield
    finally:
        await context.close_connections()
