"""What the server keeps open while it runs: each part is ended by the function that began it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import structlog
from aiohttp import web
from tortoise.exceptions import BaseORMException

from models import JobStatus, ProvisionJob, Server
from playcast.settings import Settings
from playcast.storage.database import migrate, opened
from playcast.storage.database_file import WriterLock
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.job_processes import connections_of
from runner.start.warm_start import WarmStart

Lifetime = Callable[[web.Application | None], AsyncIterator[None]]

log = structlog.get_logger()


def database(settings: Settings, engine: Engine) -> Lifetime:
    """The database, brought to the newest schema; an embedded one is closed to every other process."""

    async def lifetime(_app: web.Application | None) -> AsyncIterator[None]:
        lock = WriterLock(settings)
        try:
            # Those that start at the same time take turns.
            await migrate(settings.database_url)
            async with opened(settings.database_url):
                await _warn_of_lost_key(engine)
                yield
        finally:
            lock.release()

    return lifetime


def recipes(engine: Engine) -> Lifetime:
    """The recipes: their files are watched as long as anybody may ask for them."""

    async def lifetime(_app: web.Application | None) -> AsyncIterator[None]:
        yield
        engine.recipes.close()

    return lifetime


def launcher(engine: Engine) -> Lifetime:
    """The launcher. It imports ansible in the background; jobs that come before it is ready start cold."""

    async def lifetime(_app: web.Application | None) -> AsyncIterator[None]:
        starter = engine.starter
        if isinstance(starter, WarmStart):
            starter.renew()
        yield
        if isinstance(starter, WarmStart):
            await starter.close()

    return lifetime


def connections(engine: Engine) -> Lifetime:
    """The ssh connections that wait for a job: none waits for a server that does not run."""

    async def lifetime(_app: web.Application | None) -> AsyncIterator[None]:
        yield
        with suppress(BaseORMException, OSError):
            running = await ProvisionJob.filter(status=JobStatus.RUNNING).values_list("id", flat=True)
            in_use = [stem for job_id in running for stem in connections_of(engine.jobs_dir / str(job_id))]
            engine.connections.close(in_use)

    return lifetime


def in_background(work: Callable[[], Awaitable[None]]) -> Lifetime:
    """Work that goes on until the server stops."""

    async def lifetime(_app: web.Application | None) -> AsyncIterator[None]:
        task = asyncio.ensure_future(work())
        task.add_done_callback(_report)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return lifetime


def _report(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a part of the server stopped", exc_info=task.exception())


async def _warn_of_lost_key(engine: Engine) -> None:
    """Say at the start, and not at the next job, that stored credentials cannot be read."""
    server = await Server.filter(credential__isnull=False).first()
    try:
        if server is not None:
            engine.vault.unlock(server.credential or b"")
    except PlaycastError as error:
        log.warning("credentials cannot be used", error=str(error))
