"""Turns of several processes on one PostgreSQL, by its advisory locks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from models.postgres import AWAY, away
from runner.retention.turns import Still, Turn

# Any number that nothing else in this database locks.
PRUNING = 0x706C7072
_CLOSE_SECONDS = 5.0
# A machine that vanishes must not keep its turn for the hours that TCP waits by itself.
_NOTICE_LOSS = "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"


def advisory(connect: Callable[[], Awaitable[asyncpg.Connection]], number: int) -> Turn:
    """Turns by an advisory lock of PostgreSQL, which nobody waits for.

    It is held by a connection of its own: none of the pool is taken, and the lock goes with the process.
    """

    @asynccontextmanager
    async def turn() -> AsyncIterator[Still | None]:
        try:
            connection = await connect()
        except AWAY as error:
            raise away(error) from error
        try:
            taken = await _taken(connection, number)
            yield (lambda: not connection.is_closed()) if taken else None
        finally:
            try:
                await connection.close(timeout=_CLOSE_SECONDS)
            except AWAY:
                connection.terminate()

    return turn


async def _taken(connection: asyncpg.Connection, number: int) -> bool:
    try:
        await connection.execute(_NOTICE_LOSS)
        return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", number))
    except AWAY as error:
        raise away(error) from error
