"""A database that may be away: what happened is on disk and is written later, and who follows a job waits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import asyncpg
import structlog
from tortoise.exceptions import BaseORMException, DBConnectionError, OperationalError

RETRY_SECONDS = 1.0
T = TypeVar("T")

log = structlog.get_logger()


async def every(seconds: float, action: Callable[[], Awaitable[None]], failing: str, *, after: float = 0) -> NoReturn:
    """Do it after so many seconds, and then again and again until cancelled.

    While the database or a disk fails, `failing` says so as a warning, and the next time is the next try.
    """
    await asyncio.sleep(after)
    while True:
        try:
            await action()
        except (BaseORMException, OSError) as error:
            log.warning(failing, error=str(error) or type(error).__name__)
        await asyncio.sleep(seconds)


async def until_stored(what: str, job_id: int, write: Callable[[], Awaitable[T]]) -> T:
    """The result of `write`, repeated for as long as the database is away; `write` must bear repeating.

    A value that it never takes is an error at once, as everything else that is no outage.
    """
    while True:
        try:
            return await write()
        except (OperationalError, DBConnectionError, OSError) as error:
            if isinstance(error.__cause__, asyncpg.DataError):
                raise
            log.warning("not stored yet, trying again", what=what, job=job_id, error=str(error))
            await asyncio.sleep(RETRY_SECONDS)


async def until_answered(read: Callable[[], Awaitable[T]]) -> T:
    """The answer of `read`, asked again for as long as the database is away: for those who follow what goes on.

    A question that is wrong fails at once, as does a SQLite file that cannot be read.
    """
    while True:
        try:
            return await read()
        except DBConnectionError as error:
            log.debug("nothing can be read, trying again", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)
