"""Running a worker: no API, only jobs, until a signal."""

from contextlib import AsyncExitStack, asynccontextmanager

from playcast.app import make_engine
from playcast.cluster import make_worker, shared, working
from playcast.lifetimes import database, in_background, recipes
from playcast.settings import Settings
from playcast.shutdown import see_off, stop_asked
from runner.errors import PlaycastError
from runner.waits import first


async def work(settings: Settings) -> None:
    """Run jobs of a shared database until SIGINT or SIGTERM."""
    if settings.embedded:
        raise PlaycastError(
            "PLAYCAST_DATABASE_URL: with SQLite `playcast serve` runs the jobs; workers need PostgreSQL"
        )
    stop = stop_asked()
    engine = make_engine(settings)
    worker = make_worker(engine, settings)
    facts = in_background(lambda: engine.facts.work(engine.recipes))
    parts = (*shared(settings, engine), *working(settings, engine, worker), facts)
    lifetimes = (recipes(engine), database(settings, engine), *parts)
    async with AsyncExitStack() as stack:
        for lifetime in lifetimes:
            await stack.enter_async_context(asynccontextmanager(lifetime)(None))
        print(f"Worker {worker.name} takes jobs", flush=True)  # noqa: T201 (the one line that it promises)
        await first(stop.wait(), worker.gone.wait())
        if worker.gone.is_set():
            raise PlaycastError("the worker has stopped; its log says why")
        await see_off(worker, settings, stop)
