"""The app: every part made from the settings, tied together, and ended in the right order."""

import asyncio
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from gql.schema import make_schema
from models import Server
from playcast import __version__
from playcast.auth import Gate
from playcast.database import WriterLock, dialect, migrate, opened
from playcast.metrics import make_registry
from playcast.routes import Routes
from playcast.settings import Settings
from playcast.view import PlaycastView
from runner.bus import LocalBus
from runner.credentials import Credentials
from runner.dispatch import LocalDispatcher
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.prune import Pruner
from runner.recipes import RecipeBook
from runner.vault import Vault, key_from_file
from runner.worker import Worker

MAX_BODY_BYTES = 1024 * 1024

log = structlog.get_logger()


def make_engine(settings: Settings) -> Engine:
    """The parts that verbs work with."""
    vault = Vault(settings.secret_key or key_from_file(settings.data_dir / "secret.key"))
    return Engine(
        bus=LocalBus(),
        dispatcher=LocalDispatcher(),
        recipes=RecipeBook(settings.ansible_dir),
        credentials=Credentials(vault, settings.keys_dir),
        vault=vault,
        jobs_dir=settings.jobs_dir,
        timeout=settings.timeout,
        cancel_grace=settings.cancel_grace,
        log_cap=settings.log_cap,
        mask_words=settings.masked_words,
    )


async def warn_of_lost_key(engine: Engine) -> None:
    """Say at the start, and not at the next job, that stored credentials cannot be read."""
    server = await Server.filter(credential__isnull=False).first()
    try:
        if server is not None:
            engine.vault.unlock(server.credential or b"")
    except PlaycastError as error:
        log.warning("credentials cannot be used", error=str(error))


def check_safe(settings: Settings) -> None:
    """PlaycastError if others could reach the server without a token."""
    if settings.token is None and not settings.loopback:
        message = (
            f"PLAYCAST_TOKEN: {settings.host} can be reached from other machines, so a token is needed; "
            "set PLAYCAST_TOKEN or PLAYCAST_TOKEN_FILE, or listen on 127.0.0.1"
        )
        raise PlaycastError(message)


def make_app(settings: Settings) -> web.Application:
    """The whole server as an aiohttp app; starting it migrates an embedded database and starts the worker."""
    check_safe(settings)
    engine = make_engine(settings)
    worker = Worker(engine, settings.worker, settings.slots)
    pruner = Pruner(settings.retention, settings.jobs_dir)
    gate = Gate(settings.token)
    view = PlaycastView(make_schema(), engine, worker, gate, __version__, graphiql=settings.graphiql)
    app = web.Application(middlewares=[gate.middleware()], client_max_size=MAX_BODY_BYTES)
    app.add_routes([*Routes(engine, worker, make_registry(worker, pruner)).table(), web.route("*", "/graphql", view)])

    async def database(_app: web.Application) -> AsyncIterator[None]:
        lock = WriterLock(settings)
        try:
            if dialect(settings.database_url) == "sqlite":
                await migrate(settings.database_url)
            async with opened(settings.database_url):
                await warn_of_lost_key(engine)
                yield
        finally:
            lock.release()

    async def work(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(worker.work())
        task.add_done_callback(_report)
        yield
        # Supervisors and playbooks go on; the next start follows them again.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def prune(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(pruner.work())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def close_sockets(_app: web.Application) -> None:
        await view.close_sockets()

    app.cleanup_ctx.extend([database, work, prune])
    app.on_shutdown.append(close_sockets)
    return app


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("the worker stopped", exc_info=task.exception())
