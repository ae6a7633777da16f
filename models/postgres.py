"""Tortoise's client of PostgreSQL, mended (Tortoise 1.1): a database that is away says so with one error, everywhere.

Tortoise lets asyncpg's own errors of a lost connection through, so nobody could tell an outage from a bug. Where the
rollback over a dead connection fails, that failure would take the place of what ended the transaction, a cancellation
for instance; and where the pool does not take the connection back, the task would keep the dead transaction for ever.
A backend that stands still (stopped, or cut off) would hold whoever leaves it for as long: to give its connection back
waits until it has heard of the cancellation.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    ConnectionWrapper,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError, OperationalError, TransactionManagementError

GIVE_BACK_SECONDS = 3.0
"""How long a connection may take to be ready for the next statement; one that takes longer is ended."""

# What comes of a server that is down, restarts, changes over to its standby, is full, or does not answer in time.
AWAY: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.InterfaceError,
    # Its own confusion over a connection that dies in the middle of a statement.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    # Of a process that stood still for so long that its transaction was ended.
    asyncpg.IdleInTransactionSessionTimeoutError,
    # Of its disk: it cannot read or write its files.
    asyncpg.PostgresSystemError,
)


class _Client(AsyncpgDBClient):
    async def _translate_exceptions(self, func: Callable[..., Any], *args: object, **kwargs: object) -> Exception:
        try:
            # What it returns is the call's own result; Tortoise declares it like this.
            return await super()._translate_exceptions(func, *args, **kwargs)
        except (*AWAY, asyncpg.PostgresError) as error:
            raise told(error) from error
        except TransactionManagementError as error:
            # A server that has become a standby refuses to write, which Tortoise takes for a fault of the transaction.
            if isinstance(error.__cause__, AWAY):
                raise away(error.__cause__) from error
            raise

    def acquire_connection(self) -> ConnectionWrapper[asyncpg.Connection] | PoolConnectionWrapper[asyncpg.Connection]:
        """A connection of the pool for one statement."""
        return _Pooled(self, self._pool_init_lock)

    async def give_back(self, connection: asyncpg.Connection) -> None:
        """Return a connection to the pool, which ends one that is of no use any more."""
        if self._pool is not None:
            # What was asked of it is answered or has failed by now, and it says so itself.
            with suppress(*AWAY):
                await self._pool.release(connection, timeout=GIVE_BACK_SECONDS)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_TransactionClient(self), self._pool_init_lock)


class _Pooled(PoolConnectionWrapper[asyncpg.Connection]):
    __slots__ = ()

    async def __aexit__(self, *_: object) -> None:
        await cast("_Client", self.client).give_back(self.connection)


class _TransactionClient(TransactionWrapper, _Client):
    async def commit(self) -> None:
        try:
            await super().commit()
        except (*AWAY, asyncpg.PostgresError) as error:
            # It may be stored all the same: whoever tries again must bear that.
            raise told(error) from error

    async def rollback(self) -> None:
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await super().rollback()
        except AWAY:
            # Nothing is left to roll back with the connection gone; one that does not answer must not be used again.
            self._finalized = True
            with suppress(asyncpg.InterfaceError):
                self._connection.terminate()

    async def close_transaction(self, *, commit: bool) -> None:
        """End it, unless that was done before."""
        if not self._finalized:
            await (self.commit() if commit else self.rollback())


class _Transaction(TransactionContextPooled):
    async def __aenter__(self) -> TransactionalDBClient:
        try:
            return await super().__aenter__()
        except (*AWAY, asyncpg.PostgresError) as error:
            raise told(error) from error

    async def __aexit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        client = cast("_TransactionClient", self.client)
        try:
            await client.close_transaction(commit=exc_type is None)
        finally:
            # Even if the connection cannot be given back: the task would go on with this transaction for ever.
            get_connections().reset(self.token)
            await cast("_Client", client._parent).give_back(client._connection)  # noqa: SLF001 (Tortoise's own do the same)


def told(error: Exception) -> DBConnectionError | OperationalError:
    """What everybody else calls an error of the server, of whatever kind: one of a lost connection, or another."""
    return away(error) if isinstance(error, AWAY) else OperationalError(error)


def away(error: Exception) -> DBConnectionError:
    """What everybody else calls one of these errors."""
    return DBConnectionError(str(error) or type(error).__name__)


client_class = _Client
