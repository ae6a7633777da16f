"""What runs beside the API where several processes share a PostgreSQL, and what runs in those that run jobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import structlog
from aiohttp import web
from tortoise.exceptions import BaseORMException

from playcast import __version__
from playcast.lifetimes import Lifetime, connections, in_background, launcher
from playcast.settings import OnPartition, Settings
from playcast.storage.postgres import NEEDS_EXTRA, connector, plain_url
from runner.cluster.advisory_turns import PRUNING, advisory
from runner.cluster.cut_off import Partition
from runner.cluster.janitor import Janitor
from runner.cluster.lost_workers import LostWorkers
from runner.cluster.notify_bus import NotifyBus
from runner.cluster.registry import DataDirLock, Registry
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.jobs.worker import Worker
from runner.queue.dispatch import Dispatcher
from runner.retention.pruner import Pruner

log = structlog.get_logger()


def queue(url: str) -> Dispatcher:
    """The queue in a PostgreSQL."""
    try:
        from runner.cluster.procrastinate_queue import ProcrastinateDispatcher  # noqa: PLC0415 (an extra: one machine does without it)
    except ImportError as error:
        raise PlaycastError(NEEDS_EXTRA) from error
    return ProcrastinateDispatcher(plain_url(url))


def make_pruner(settings: Settings) -> Pruner:
    """The pruner of this process; those that share a database take turns."""
    turn = None if settings.embedded else advisory(connector(settings.database_url), PRUNING)
    return Pruner(settings.retention, settings.jobs_dir, turn)


def make_worker(engine: Engine, settings: Settings) -> Worker:
    """The worker of this process."""
    return Worker(engine, settings.worker, settings.slots, alone=settings.embedded)


def shared(settings: Settings, engine: Engine) -> list[Lifetime]:
    """What each process does that shares a database."""
    bus = engine.bus
    ways = [in_background(bus.work)] if isinstance(bus, NotifyBus) else []
    sweeps = in_background(Janitor(engine.jobs_dir).work)
    return [*ways, in_background(LostWorkers(engine, settings.lost_grace).work), sweeps]


def working(settings: Settings, engine: Engine, worker: Worker) -> list[Lifetime]:
    """What each process does that runs jobs. Playbooks go on when it ends; the next start follows them."""
    runs = in_background(worker.work) if settings.embedded else registered(settings, engine, worker)
    return [connections(engine), launcher(engine), runs]


def registered(settings: Settings, engine: Engine, worker: Worker) -> Lifetime:
    """A worker that others know of: it works under its name for as long as that is its own."""

    async def lifetime(_app: web.Application | None) -> AsyncIterator[None]:
        home = DataDirLock(settings.data_dir, worker.name)
        try:
            registry = Registry(worker.name, home.mark, worker.slots, __version__)
            await registry.enter()
            parts = [worker.work, registry.work]
            if settings.on_partition is OnPartition.STOP:
                parts.append(Partition(registry.silence, lambda: worker.running, engine.jobs_dir).work)
            tasks = [asyncio.create_task(work()) for work in parts]
            watching = asyncio.create_task(_until_lost(registry, tasks, worker))
            yield
            for task in (watching, *tasks):
                task.cancel()
            await asyncio.gather(watching, *tasks, return_exceptions=True)
            with suppress(BaseORMException, OSError):
                await registry.pause(settings.lost_grace)
        finally:
            home.release()

    return lifetime


async def _until_lost(registry: Registry, tasks: list[asyncio.Task[None]], worker: Worker) -> None:
    lost: asyncio.Task[object] = asyncio.create_task(registry.lost.wait())
    others: list[asyncio.Task[object]] = [lost, *tasks]
    try:
        await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                log.error("the worker has stopped", exc_info=task.exception())
            task.cancel()
        worker.gone.set()
    finally:
        lost.cancel()
