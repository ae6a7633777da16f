"""One client's connection: how long it may take to ask, how much it may send meanwhile, and what is said of its faults.

aiohttp does the HTTP. What it leaves open is closed here, at the methods that its protocol calls from outside.
"""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, Protocol, cast

from aiohttp import web

from playcast.faults import Faults
from playcast.http.problems import Rejection, from_http, problem
from playcast.http.send_timeout import SEND_SECONDS
from playcast.http.tally import Tally

MAX_HEAD_BYTES = 32 * 1024
"""Request line and headers together. aiohttp alone would keep 128 headers of 8 KiB."""
MAX_AHEAD_BYTES = 32 * 1024
"""What a client may send after a whole request before it has the answer."""
KEEP_ALIVE_SECONDS = 75.0
"""How long a connection stays without a request: longer than proxies keep theirs, which is a minute in most."""
LINGER_SECONDS = 2.0
"""How long the rest of a refused body is taken in, so that the client can read why."""
STRANGER_READ_BYTES = 8 * 1024
"""What is read at once from who has not shown the token: it becomes many times larger where it is many small things."""
SOCKET_READ_BYTES = 16 * 1024
"""And from a WebSocket."""
READ_BYTES = 64 * 1024


class Registry(Protocol):
    """Who keeps the connections of a server."""

    tally: Tally
    faults: Faults

    def waits(self, connection: "Connection") -> None:
        """It has begun to wait for a whole head."""

    def asks(self, connection: "Connection") -> None:
        """A whole head has come."""

    def trusts(self, connection: "Connection") -> None:
        """It has shown the token."""

    def left(self, connection: "Connection") -> None:
        """It is gone."""

    def sends(self, connection: "Connection") -> None:
        """It opens a file to send."""

    def has_sent(self, connection: "Connection") -> None:
        """The file is closed."""

    def stalls(self, connection: "Connection") -> None:
        """Its peer is behind in taking what is sent."""

    def flows(self, connection: "Connection") -> None:
        """Its peer is not, or not any more."""


class Connection(web.RequestHandler):
    """The protocol of one connection."""

    def __init__(self, server: web.Server, registry: Registry) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=cast("Any", None),
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
        )
        self._registry = registry
        self._asking: web.BaseRequest | None = None
        self._framed = False
        self._trusted = False
        self._unwanted = False
        self._heads = 0
        self._bytes = 0
        self._stalled: asyncio.TimerHandle | None = None
        self.held = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._read_at_once(STRANGER_READ_BYTES)
        if self._unwanted:
            self.cut()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it, and what would keep its request in memory."""
        self.resume_clock()
        self._asking = None
        super().connection_lost(exc)
        self._registry.left(self)

    def cut(self) -> None:
        """End it at once, also before it has begun."""
        self._unwanted = True
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in what came, unless it is too much for where the connection stands."""
        if self._asking is None and not self._bytes:
            self._registry.waits(self)
        # Asked before it is taken in: what ends a body is of the body.
        ahead = self._asking is not None and self._asking.content.is_eof()
        try:
            super().data_received(data)
        except Exception:  # noqa: BLE001 (whatever the parser does not foresee, the client has sent)
            self._end("malformed")
            return
        if self._framed or not data:
            return
        # aiohttp counts the heads that it has read whole; nothing public says so before a request is handled.
        if self._asking is None and self._request_count == self._heads:
            self._bytes += len(data)
            if self._bytes > MAX_HEAD_BYTES:
                self._end("malformed")
        elif ahead:
            self._bytes += len(data)
            if self._bytes > MAX_AHEAD_BYTES:
                self._end("malformed")

    def _end(self, reason: str) -> None:
        self._registry.tally.count(reason)
        self.cut()

    def asks(self, request: web.BaseRequest) -> None:
        """A request begins to be handled."""
        self._asking = request
        self._bytes = 0
        self._registry.asks(self)

    def trust(self) -> None:
        """It has shown the token, or needs none."""
        self._trusted = True
        self._registry.trusts(self)
        self._read_at_once(SOCKET_READ_BYTES if self._framed else READ_BYTES)

    def _read_at_once(self, count: int) -> None:
        # An attribute of asyncio's transports; where there is none, it is not looked at.
        if self.transport is not None:
            cast("Any", self.transport).max_size = count

    def set_parser(self, parser: Any, data_received_cb: Callable[[], None] | None = None) -> None:  # noqa: ANN401 (private)
        """From here on the bytes are frames of a WebSocket, which has limits of its own."""
        self._framed = True
        if self._trusted:
            self._read_at_once(SOCKET_READ_BYTES)
        # The socket holds this connection; held by it in turn it would stay, with all that it has read, until the
        # garbage is collected.
        super().set_parser(parser, data_received_cb and _weak(data_received_cb))

    def pause_writing(self) -> None:
        """The peer is behind: it has SEND_SECONDS to take some of what waits."""
        super().pause_writing()
        self._stalled = self._loop.call_later(SEND_SECONDS, self._end, "late")
        self._registry.stalls(self)

    def resume_writing(self) -> None:
        """The peer has taken most of it."""
        self.resume_clock()
        super().resume_writing()

    def resume_clock(self) -> None:
        """Stop counting how long the peer has taken nothing."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
            self._registry.flows(self)

    @property
    def unsent(self) -> int:
        """Bytes that wait for the peer, those that its handler still holds included."""
        waiting = 0 if self.transport is None else self.transport.get_write_buffer_size()
        # Who sends a frame holds it as well until it is taken.
        return self.held + (2 * waiting if self._framed else waiting)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what a handler gave, and wait for the next request."""
        if isinstance(resp, web.HTTPException):
            # Raised before the app's middlewares ran.
            resp = from_http(request, resp)
        if isinstance(resp, web.FileResponse):
            self._registry.sends(self)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if isinstance(resp, web.Response):
                # aiohttp keeps the answer until the next request has come.
                resp.body = None
            self._registry.has_sent(self)
            self._asking = None
            self._heads = self._request_count
            self._bytes = 0

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (it quotes the client)
    ) -> web.StreamResponse:
        """The answer to what is no request, or to a handler that failed. No word of the client's goes into the log."""
        if status < 500:
            self._registry.tally.count("malformed")
        elif exc is not None and not isinstance(exc, ConnectionError):
            self._registry.faults.report(exc, "")
        if request.writer.output_size > 0:
            raise ConnectionResetError
        told = "this is not an HTTP request that can be read" if status < 500 else "this is a fault of Playcast"
        return problem(request, Rejection(status, told, closes=True))

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401, ARG002 (the signature is aiohttp's)
        """Log where something failed that nobody else has caught."""
        error = kw.get("exc_info")
        if isinstance(error, BaseException):
            self._registry.faults.report(error, "")


def _weak(method: Callable[[], None]) -> Callable[[], None]:
    """The method of an object that it does not keep alive."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        held = reference()
        if held is not None:
            held()

    return call


def asked(request: web.BaseRequest) -> None:
    """Note that a whole head has come, where the connection is one of ours."""
    if isinstance(request.protocol, Connection):
        request.protocol.asks(request)


def trust(request: web.BaseRequest) -> None:
    """Note that who asks has shown the token, or needs none."""
    if isinstance(request.protocol, Connection):
        request.protocol.trust()


def hold(request: web.BaseRequest, count: int) -> None:
    """Note how many bytes of an answer its handler holds until the peer takes them."""
    if isinstance(request.protocol, Connection):
        request.protocol.held = count
