"""The app: every part made from the settings, tied together, and ended in the right order."""

from functools import partial

from aiohttp import web

from gql.context import Context
from gql.schema import make_schema
from playcast import __version__
from playcast.cluster import make_pruner, make_worker, queue, shared, working
from playcast.faults import Faults
from playcast.http.arrival import answer_later, arrivals
from playcast.http.auth import Gate
from playcast.http.body import Bodies
from playcast.http.problems import one_form
from playcast.http.session import SignIn
from playcast.http.tally import Tally
from playcast.lifetimes import database, in_background, recipes
from playcast.routes.event_stream import EventStreams
from playcast.routes.graphiql import GraphiQL
from playcast.routes.graphql_post import Post
from playcast.routes.graphql_socket import PlaycastView
from playcast.routes.metrics import make_registry
from playcast.routes.page import Page, built_page
from playcast.routes.plain_routes import Routes
from playcast.routes.readiness import Readiness
from playcast.settings import LauncherMode, Settings
from playcast.storage.postgres import connector
from playcast.storage.wal_checkpoint import checkpointer
from runner.bus import Bus, LocalBus
from runner.cluster.notify_bus import NotifyBus
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.jobs.worker import Worker
from runner.log.appender import Appender
from runner.log.shelf import Shelf
from runner.queue.dispatch import Dispatcher, LocalDispatcher
from runner.recipes.book import RecipeBook
from runner.secrets.credentials import Credentials
from runner.secrets.shown_variables import Shown
from runner.secrets.vault import Vault, key_from_file
from runner.start.cold_start import ColdStart
from runner.start.fact_cache import Facts
from runner.start.kept_connections import Connections
from runner.start.warm_start import WarmStart
from runner.verbs.list_workers import alive_workers

ENGINE = web.AppKey("engine", Engine)
WORKER = web.AppKey("worker", Worker)
TALLY = web.AppKey("tally", Tally)
FAULTS = web.AppKey("faults", Faults)


def make_engine(settings: Settings) -> Engine:
    """The parts that verbs work with."""
    settings.check_paths()
    shelf = Shelf()
    bus, dispatcher = _bus_and_dispatcher(settings, shelf)
    vault = Vault(settings.secret_key or key_from_file(settings.data_dir / "secret.key"))
    return Engine(
        bus=bus,
        shelf=shelf,
        appender=Appender(),
        dispatcher=dispatcher,
        recipes=RecipeBook(settings.ansible_dir),
        credentials=Credentials(vault, settings.keys_dir),
        vault=vault,
        connections=Connections(vault, settings.jobs_dir, settings.keep_connections),
        facts=Facts(vault, settings.data_dir / "facts", settings.ansible_dir),
        starter=WarmStart(settings.ansible_dir) if settings.launcher is LauncherMode.WARM else ColdStart(),
        jobs_dir=settings.jobs_dir,
        timeout=settings.timeout,
        cancel_grace=settings.cancel_grace,
        log_cap=settings.log_cap,
        mask_words=settings.masked_words,
        shown=Shown(vault, settings.masked_words),
    )


def _bus_and_dispatcher(settings: Settings, shelf: Shelf) -> tuple[Bus, Dispatcher]:
    """In-process ones with SQLite; with PostgreSQL those that all its processes share."""
    if settings.embedded:
        return LocalBus(), LocalDispatcher()
    bus = NotifyBus(connector(settings.database_url), shelf.moved)
    return bus, queue(settings.database_url)


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
    worker = make_worker(engine, settings) if settings.runs_jobs else None
    pruner = make_pruner(settings)
    tally, faults, bodies = Tally(), Faults(), Bodies()
    gate = Gate(settings.token, tally)
    graphiql = GraphiQL(built_page()) if settings.graphiql else None
    schema = make_schema(settings.max_rows)
    context = partial(Context, engine, partial(alive_workers, worker), __version__)
    view = PlaycastView(schema, context, gate, graphiql)
    streams = EventStreams(schema, context, bodies)
    readiness = Readiness(settings.jobs_dir if worker is not None else None)
    routes = Routes(engine, worker, make_registry(worker, engine.starter, pruner, tally), bodies, readiness)
    # The first of them is the outermost.
    app = web.Application(middlewares=[one_form(faults), arrivals(tally), gate.middleware()])
    app[ENGINE], app[TALLY], app[FAULTS] = engine, tally, faults
    if worker is not None:
        app[WORKER] = worker
    table = [
        *routes.table(),
        web.get("/graphql", view.respond),
        web.post("/graphql", Post(schema, context, bodies).respond),
        *streams.table(),
        *Page(built_page()).table(),
        *SignIn(gate.sessions, gate.fits, bodies).table(),
        *(graphiql.table() if graphiql is not None else []),
    ]
    late = {"expect_handler": answer_later}
    app.add_routes([web.RouteDef(one.method, one.path, one.handler, {**one.kwargs, **late}) for one in table])

    async def close_sockets(_app: web.Application) -> None:
        for part in (gate.tries, routes.log, streams):
            part.stop()
        await view.close_sockets()

    app.cleanup_ctx.extend(
        [
            recipes(engine),
            database(settings, engine),
            *([in_background(checkpointer(settings.database_url))] if settings.embedded else shared(settings, engine)),
            *(working(settings, engine, worker) if worker is not None else []),
            in_background(pruner.work),
            in_background(lambda: engine.facts.work(engine.recipes)),
        ]
    )
    app.on_shutdown.append(close_sockets)
    return app
