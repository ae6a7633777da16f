"""Transactions that bear being given up at any moment, and that fail with the errors of every other query."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError
from tortoise.transactions import in_transaction

T = TypeVar("T")


@asynccontextmanager
async def transaction() -> AsyncIterator[TransactionalDBClient]:
    """Tortoise's `in_transaction`, mended in two places (Tortoise 1.1).

    A task that is cancelled while its transaction begins would keep the lock of the one SQLite connection for ever, or
    its connection of the pool. And an error of SQLite's COMMIT, such as a full disk, would come out as sqlite3's own.
    """
    context = in_transaction()
    try:
        tx = await context.__aenter__()
    except BaseException as error:
        # It has a token from when it has taken the connection until it gives it back.
        if getattr(context, "token", None) is not None:
            with suppress(Exception):
                await context.__aexit__(type(error), error, error.__traceback__)
        if isinstance(error, TransactionManagementError):
            raise OperationalError(error) from error
        raise
    try:
        yield tx
        await _commit(tx)
    except BaseException as error:
        await context.__aexit__(type(error), error, error.__traceback__)
        raise
    await context.__aexit__(None, None, None)


async def at_once(db: BaseDBAsyncClient, work: Callable[[sqlite3.Connection], T]) -> T:
    """`work` in a transaction of SQLite, by one call to its connection's thread: statement by statement it takes five.

    Once begun, it is not stopped by a cancellation, which is only told when the work is over.
    """
    async with db.acquire_connection() as connection:
        try:
            # aiosqlite has no public way to run a function there.
            done: T = await connection._execute(_whole, connection._conn, work)  # noqa: SLF001
        except BaseException as error:
            # Waits behind the work, should that still go on: whoever has the connection next finds nothing open.
            await connection.rollback()
            if isinstance(error, sqlite3.OperationalError):
                raise OperationalError(error) from error
            if isinstance(error, sqlite3.IntegrityError):
                raise IntegrityError(error) from error
            raise
    return done


def _whole(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    done = work(connection)
    connection.execute("COMMIT")
    return done


async def _commit(tx: TransactionalDBClient) -> None:
    try:
        await tx.commit()
    except sqlite3.OperationalError as error:
        raise OperationalError(error) from error
