"""The statements that a database really gets: as its driver reports them, with their values as the ORM sent them."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from asyncpg.connection import LoggedQuery
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.connection import get_connection

# What the pool of asyncpg sends whenever a connection comes back.
_RESET = "SELECT pg_advisory_unlock_all()"


@dataclass(frozen=True)
class Statement:
    """One statement, and the values of its parameters."""

    sql: str
    values: tuple[Any, ...]


@dataclass
class _Recorder(logging.Handler):
    """Takes what the ORM's connection says just before it executes something."""

    found: list[Statement] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == "%s: %s" and isinstance(record.args, tuple):
            sql, values = record.args
            self.found.append(Statement(str(sql), tuple(values or ())))  # type: ignore[arg-type]  # a list of values


@asynccontextmanager
async def recorded() -> AsyncIterator[list[Statement]]:
    """Every statement of the default connection while the context lasts; on PostgreSQL it needs a pool of one."""
    logger, recorder, level = logging.getLogger("tortoise.db_client"), _Recorder(), logging.NOTSET
    level = logger.level
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    told: list[str] = []
    try:
        async with _told_to(told.append):
            yield recorder.found
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(level)
    assert len(told) == len(recorder.found), (told, recorder.found)


@asynccontextmanager
async def _told_to(tell: Callable[[str], None]) -> AsyncIterator[None]:
    client = get_connection("default")
    if isinstance(client, SqliteClient):
        assert client._connection is not None
        await client._connection.set_trace_callback(tell)
        yield
        await client._connection.set_trace_callback(None)  # type: ignore[arg-type]  # sqlite3 takes None to end it
        return

    def note(query: LoggedQuery) -> None:
        if not query.query.startswith(_RESET):
            tell(query.query)

    assert isinstance(client, AsyncpgDBClient)
    assert client._pool is not None
    assert client._pool.get_max_size() == 1
    async with client._pool.acquire() as connection:
        connection.add_query_logger(note)
    yield
    async with client._pool.acquire() as connection:
        connection.remove_query_logger(note)
