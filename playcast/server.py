"""Running the app: listen, say so, stop cleanly on the first SIGINT or SIGTERM."""

import asyncio
import errno
import gc
import logging
import os
import socket
import sys
import warnings
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from playcast.app import FAULTS, TALLY, WORKER, make_app
from playcast.http.listener import Listener
from playcast.seldom import SeldomFilter
from playcast.setting_texts import bracketed
from playcast.settings import Settings
from playcast.shutdown import see_off, stop_asked
from runner.errors import PlaycastError

SHUTDOWN_SECONDS = 5.0
SWITCH_SECONDS = 0.001
# Python's own figures are for programs with less in their hands: a long answer is made of a million objects, and the
# collector would go through all of them again and again. What the second figure lets gather is gone through in one go,
# in which all wait; so it is small, and what stands in a circle may live until all is gone through, after the third.
COLLECT_AFTER = (10000, 5, 80)
# A client that leaves ends its query in the middle. What graphql-core had not begun by then is never begun, and Python
# would say so in the server's log each time.
_NEVER_BEGUN = r"coroutine '(\w*Executor|GraphQLCoreConverter)\..*' was never awaited"
# What the system says of an address that no interface here has, or that it has no such network for.
_NO_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL, errno.ENODEV})
Started = Callable[[str], Awaitable[None]]


async def serve(settings: Settings, started: Started | None = None) -> None:
    """Serve until a signal; `started` is called once with the address, and ends with the server."""
    warnings.filterwarnings("ignore", _NEVER_BEGUN, RuntimeWarning)
    # A thread that works on a long document gives way to the event loop after so many seconds.
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = stop_asked()
    app = make_app(settings)
    app_runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS)
    listener: Listener | None = None
    try:
        await app_runner.setup()
        server = app_runner.server
        if server is None:
            raise PlaycastError("the server could not be set up")
        listener = Listener(server, app[TALLY], app[FAULTS], settings.slots if settings.runs_jobs else 0)
        port = await _listen(listener, settings)
        # Freeze the objects of the start-up: each full collection of them would stall the event loop for 50 ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        address = _address(settings, port)
        print(f"Playcast is ready on {address}", flush=True)  # noqa: T201 (the one line that serve promises)
        await _until(stop, started, address)
        await see_off(app.get(WORKER), settings, stop)
    finally:
        if listener is not None:
            await listener.close()
        await app_runner.cleanup()


async def _listen(listener: Listener, settings: Settings) -> int:
    try:
        return await listener.open(settings.host, settings.port)
    except OSError as error:
        raise PlaycastError(_no_listening(settings, error)) from error


def _no_listening(settings: Settings, error: OSError) -> str:
    """Why nobody can listen there, and which setting is to blame."""
    if isinstance(error, socket.gaierror) or error.errno in _NO_ADDRESS:
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        return (
            f"PLAYCAST_HOST: {settings.host} is not an address of this machine ({why}): "
            "name one that is, such as 127.0.0.1, or 0.0.0.0 for all of them"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"PLAYCAST_PORT: this account may not listen on port {settings.port}: name one from 1024 on"
    return f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set PLAYCAST_PORT to another"


async def _until(stop: asyncio.Event, started: Started | None, address: str) -> None:
    task = asyncio.ensure_future(started(address)) if started is not None else None
    waiting = asyncio.ensure_future(stop.wait())
    try:
        if task is not None:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        await waiting
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        waiting.cancel()


def _address(settings: Settings, port: int) -> str:
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    return f"http://{bracketed(host)}:{port}"


def set_up_logging() -> None:
    """Log lines on stderr, one event each; stdout stays for what commands print."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(SeldomFilter())
    # aiohttp tells of protocols that a client asks for in a handshake, in the client's words.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    # Strawberry logs every client error; PlaycastSchema logs what matters.
    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)
    # Strawberry's advice on a refused origin names a setting that is not ours.
    logging.getLogger("strawberry.ws").setLevel(logging.ERROR)
    # Our own lines tell of a database that is away, once; these show where in the library each attempt has failed.
    for library in ("asyncpg.pool", "procrastinate", "psycopg.pool"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
