"""Where connections come in: how many there may be, who goes when there are too many, and who is late.

A *stranger* is a connection that has not shown the token yet, or has not asked anything. Strangers make room for
others; those that have shown the token stay.
"""

import asyncio
import errno
import resource
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web

from playcast.faults import Faults, trace_of
from playcast.http.connection import Connection
from playcast.http.tally import Tally
from playcast.seldom import Seldom

HEAD_SECONDS = 15.0
"""How long the head of a request may take to come, from the connection or from its first byte on."""
MOST_STRANGERS = 1024
AT_ONCE = 8
"""Connections that are taken in at once. Those that are there have their turn between, however many come."""
QUEUE = 512
"""Connections that the kernel holds ready."""
MOST_FILES = 32
"""Files of the page that are sent at the same time; of more the one goes that has been under way for longest."""
MOST_UNSENT_BYTES = 20 * 1024 * 1024
"""Bytes that wait for all peers that are behind; of more the answer is cut that has waited for longest."""
RESERVED_FILES = 4 * AT_ONCE + 2 * MOST_FILES + 64
"""File descriptors that are not for clients: what is being taken in or closed, the database, the log."""
FILES_PER_JOB = 12
"""And those of a running job: its log, its events, what is handed to its processes."""
_SWEEP_SECONDS = 1.0
_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = structlog.get_logger()


def most_connections(files: int, slots: int) -> int:
    """How many connections there may be with so many file descriptors and jobs; at least half of the descriptors."""
    return max(files // 2, files - RESERVED_FILES - slots * FILES_PER_JOB)


class Listener:
    """The sockets that a server listens on, and all connections that came in by them."""

    def __init__(self, server: web.Server, tally: Tally, faults: Faults, slots: int) -> None:
        self._server = server
        self.tally = tally
        self.faults = faults
        self._most = most_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0], slots)
        self._open: set[Connection] = set()
        self._strangers: OrderedDict[Connection, None] = OrderedDict()
        self._waiting: OrderedDict[Connection, float] = OrderedDict()
        self._sending: OrderedDict[Connection, None] = OrderedDict()
        self._stalled: OrderedDict[Connection, None] = OrderedDict()
        self._listening: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._seldom = Seldom()

    async def open(self, host: str, port: int) -> int:
        """Listen, and give the port; OSError if that cannot be."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._caught)
        self._listening = await loop.create_server(self._connection, host, port, backlog=AT_ONCE)
        for listening in self._listening.sockets:
            # asyncio has one number for the kernel's queue and for what it takes out of it at once.
            with listening.dup() as same:
                same.listen(QUEUE)
        self._sweeping = loop.create_task(self._sweep())
        listened: int = self._listening.sockets[0].getsockname()[1]
        return listened

    async def close(self) -> None:
        """Take no more connections; those that are there are ended by their server."""
        if self._listening is not None:
            self._listening.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping

    def _connection(self) -> asyncio.Protocol:
        if not self._room():
            return _Refusal()
        connection = Connection(self._server, self)
        self._open.add(connection)
        self._strangers[connection] = None
        self.waits(connection)
        self.tally.connections = len(self._open)
        return connection

    def _room(self) -> bool:
        """Whether one more can come in: the stranger that has asked nothing for longest goes for it."""
        full = len(self._open) >= self._most
        if not full and len(self._strangers) < MOST_STRANGERS:
            return True
        self.tally.count("full")
        if self._seldom.may("full"):
            log.warning("too many connections: some are closed", open=len(self._open), strangers=len(self._strangers))
        if not self._strangers:
            return False
        stranger, _ = self._strangers.popitem(last=False)
        stranger.cut()
        return True

    def waits(self, connection: Connection) -> None:
        """Its next head must come within HEAD_SECONDS."""
        self._waiting[connection] = asyncio.get_running_loop().time() + HEAD_SECONDS

    def asks(self, connection: Connection) -> None:
        """Its head has come: as a stranger it has asked latest of all."""
        self._waiting.pop(connection, None)
        if connection in self._strangers:
            self._strangers.move_to_end(connection)

    def trusts(self, connection: Connection) -> None:
        """It is no stranger any more."""
        self._strangers.pop(connection, None)

    def left(self, connection: Connection) -> None:
        """It is gone."""
        self._open.discard(connection)
        self._strangers.pop(connection, None)
        self._waiting.pop(connection, None)
        self.tally.connections = len(self._open)

    def sends(self, connection: Connection) -> None:
        """It opens a file to send."""
        self._sending[connection] = None
        if len(self._sending) > MOST_FILES:
            slowest, _ = self._sending.popitem(last=False)
            self.tally.count("full")
            slowest.cut()

    def has_sent(self, connection: Connection) -> None:
        """The file is closed."""
        self._sending.pop(connection, None)

    def stalls(self, connection: Connection) -> None:
        """Its peer is behind. Its own answer may be the one that is cut."""
        self._stalled[connection] = None
        unsent = sum(one.unsent for one in self._stalled)
        while unsent > MOST_UNSENT_BYTES and self._stalled:
            longest, _ = self._stalled.popitem(last=False)
            unsent -= longest.unsent
            self.tally.count("unread")
            longest.cut()

    def flows(self, connection: Connection) -> None:
        """Its peer has caught up, or has gone."""
        self._stalled.pop(connection, None)

    async def _sweep(self) -> None:
        """Let go whose head is late."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            while self._waiting:
                connection, until = next(iter(self._waiting.items()))
                if until > loop.time():
                    break
                del self._waiting[connection]
                self.tally.count("late")
                connection.cut()

    def _caught(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the event loop caught: seldom told, and without words that a client may have sent."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTOR:
            self.tally.count("no_descriptor")
            if self._seldom.may("no_descriptor"):
                log.warning("connections cannot be accepted", error=error.strerror)
            return
        # What it says of a callback quotes the arguments.
        message = "a callback failed" if "handle" in context else context["message"]
        if self._seldom.may((message, type(error).__name__)):
            trace = trace_of(error) if error is not None else None
            log.error("the event loop caught an error", message=message, trace=trace)


class _Refusal(asyncio.Protocol):
    """A connection that is closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()
