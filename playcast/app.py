"""The app: every part made from the settings, tied together, and ended in the right order."""

from functools import partial

from aiohttp import web

from gql.context import Context
from gql.schema import make_schema
from playcast import __version__
from playcast.auth import Gate
from playcast.checkpoint import checkpointer
from playcast.cluster import make_pruner, make_worker, queue, shared, working
from playcast.graphiql import GraphiQL
from playcast.lifetimes import database, in_background, recipes
from playcast.metrics import make_registry
from playcast.page import Page, built_page
from playcast.postgres import connector
from playcast.routes import Routes
from playcast.session import SignIn
from playcast.settings import LauncherMode, Settings
from playcast.stream import EventStreams
from playcast.view import PlaycastView
from runner.appender import Appender
from runner.bus import Bus, LocalBus
from runner.connections import Connections
from runner.credentials import Credentials
from runner.dispatch import Dispatcher, LocalDispatcher
from runner.engine import Engine
from runner.errors import PlaycastError
from runner.facts import Facts
from runner.notify import NotifyBus
from runner.recipes import RecipeBook
from runner.shelf import Shelf
from runner.start import ColdStart
from runner.vault import Vault, key_from_file
from runner.warmstart import WarmStart
from runner.worker import Worker

MAX_BODY_BYTES = 1024 * 1024
ENGINE = web.AppKey("engine", Engine)
WORKER = web.AppKey("worker", Worker)


def make_engine(settings: Settings) -> Engine:
    """The parts that verbs work with."""
    shelf = Shelf()
    bus, dispatcher = _ways(settings, shelf)
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
    )


def _ways(settings: Settings, shelf: Shelf) -> tuple[Bus, Dispatcher]:
    """How wake-ups and jobs go about: in this process, or between all that share a PostgreSQL."""
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
    gate = Gate(settings.token)
    graphiql = GraphiQL(built_page()) if settings.graphiql else None
    schema = make_schema()
    context = partial(Context, engine, worker, __version__)
    view = PlaycastView(schema, context, gate, graphiql)
    streams = EventStreams(schema, context)
    app = web.Application(middlewares=[gate.middleware()], client_max_size=MAX_BODY_BYTES)
    app[ENGINE] = engine
    if worker is not None:
        app[WORKER] = worker
    registry = make_registry(worker, engine.starter, pruner)
    app.add_routes([*Routes(engine, worker, registry).table(), web.route("*", "/graphql", view), *streams.table()])
    app.add_routes([*Page(built_page()).table(), *SignIn(gate.sessions, gate.fits).table()])
    app.add_routes(graphiql.table() if graphiql is not None else [])

    async def close_sockets(_app: web.Application) -> None:
        streams.stop()
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
