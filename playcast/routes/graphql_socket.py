"""What GET of /graphql is: a WebSocket with `graphql-transport-ws`, or GraphiQL."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from strawberry.aiohttp.views import AiohttpWebSocketAdapter, GraphQLView
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncBaseHTTPView
from strawberry.http.exceptions import NonJsonMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UNSET, UnsetType

from gql.context import Context
from gql.json_text import decode, encode, encode_in_turns
from gql.schema import PlaycastSchema, may_be_large
from gql.shared_payloads import Encoded
from playcast.http.accept import media_type
from playcast.http.auth import VIEWER, Gate
from playcast.http.connection import trust
from playcast.http.problems import Rejection, problem
from playcast.http.send_timeout import HEARTBEAT_SECONDS, send_or_abort
from playcast.routes.graphiql import GraphiQL
from playcast.routes.socket_protocol import ProtocolHandler
from runner.viewer import Viewer

INIT_SECONDS = 10
MAX_MESSAGE_BYTES = 64 * 1024
# RFC 6455, 5.5: a control frame holds 125 bytes, of which two are the code.
MAX_REASON_BYTES = 123
SOCKET = web.RequestKey("socket", web.WebSocketResponse)


class SocketAdapter(AiohttpWebSocketAdapter):
    """Never waits for ever for a peer that stopped reading."""

    def __init__(
        self,
        view: AsyncBaseHTTPView[Any, Any, Any, Any, Any, Any, Any],
        request: web.Request,
        ws: web.WebSocketResponse,
    ) -> None:
        super().__init__(view, request, ws)
        self._sending = asyncio.Lock()

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """What comes as JSON; anything else closes the socket with 4400."""
        try:
            async for message in super().iter_json(ignore_parsing_errors=ignore_parsing_errors):
                yield message
                # Of a client that sends without end the next message is there already: others have their turn too.
                await asyncio.sleep(0)
        except (ValueError, RecursionError) as error:
            raise NonJsonMessageReceived from error

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send, for as long as a peer may take."""
        try:
            # A hundred subscriptions of a peer that is behind hold one message on its way, not a hundred.
            async with self._sending:
                written = await _written(message)
                sending = super().send_json(message) if written is None else self.ws.send_frame(written, WSMsgType.TEXT)
                await send_or_abort(self.request, sending)
        except (ConnectionError, RuntimeError) as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close with as much of the reason as a close frame can hold; it may quote what the client sent."""
        fits = reason.encode(errors="backslashreplace")[:MAX_REASON_BYTES].decode(errors="ignore")
        await super().close(code=code, reason=fits)


async def _written(message: Mapping[str, object]) -> bytes | None:
    """The text of a result that others get as well, of which only the id is its own, or that may be long."""
    payload = message.get("payload")
    if not isinstance(payload, dict):
        return None
    data = payload.get("data")
    if isinstance(data, Encoded):
        return b'{"id":%b,"type":"next","payload":{"data":%b}}' % (encode(message["id"]), data.json)
    return await encode_in_turns(message, message) if may_be_large(payload.get("extensions")) else None


def _is_version_13(request: web.Request) -> bool:
    return request.headers.get("Sec-WebSocket-Version", "").strip() == "13"


def _no_handshake(request: web.Request) -> Rejection:
    """What is said to who asks for a WebSocket in a way that none can be opened."""
    if not _is_version_13(request):
        headers = {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        return Rejection(426, "open the WebSocket with Sec-WebSocket-Version: 13", headers=headers)
    return Rejection(400, "this is not the handshake of a WebSocket: see RFC 6455, 4.2.1")


async def _let_go(request: web.Request) -> None:
    """End what keeps a socket in memory, with all that has come and was not read, until the garbage is collected.

    That is its heartbeat, its request, and the frames of the error that it ended with.
    """
    socket = request.pop(SOCKET, None)
    if socket is None:
        return
    if not socket.closed:
        await socket.close(code=WSCloseCode.ABNORMAL_CLOSURE)
    error = socket.exception()
    if error is not None:
        error.__traceback__ = error.__context__ = error.__cause__ = None


class PlaycastView(GraphQLView[Context, None]):
    """The view of one app. It keeps track of its sockets, to close them when the server stops."""

    websocket_adapter_class = SocketAdapter
    graphql_transport_ws_handler_class = ProtocolHandler

    def __init__(
        self, schema: PlaycastSchema, context: Callable[[Viewer | None], Context], gate: Gate, graphiql: GraphiQL | None
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
        )
        self._context = context
        self._gate = gate
        self._graphiql = graphiql
        self._sockets: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()
        self._requests: dict[Context, web.Request] = {}

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """A socket, GraphiQL, or what to do instead."""
        # aiohttp takes the drafts before the RFC as well.
        if request.method == "GET" and self.is_websocket_request(request) and _is_version_13(request):
            context = self._context(request.get(VIEWER))
            self._requests[context] = request
            try:
                return await self.run(request, context)
            finally:
                del self._requests[context]
                await _let_go(request)
        if request.headers.get("Upgrade", "").strip().lower() == "websocket":
            raise _no_handshake(request)
        if "query" in request.query:
            raise Rejection(405, "operations are taken by POST alone", headers={"Allow": "POST"})
        if media_type(request.headers.get("Accept"), "text/html") is None:
            raise Rejection(405, "send an operation by POST, or open a WebSocket here", headers={"Allow": "POST"})
        if self._graphiql is None:
            raise Rejection(404, "there is no page at this address: send operations by POST")
        return self._graphiql.show(signed_in=VIEWER in request)

    async def reject_websocket(self, request: web.Request) -> web.Response:
        """What a page of another site gets."""
        return problem(request, Rejection(403, "pages of other sites cannot use this server"))

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Take the token from the first message, unless a header has brought it already."""
        request = self._requests[context]
        if context.given_viewer is None:
            token = (context.connection_params or {}).get("token")
            context.given_viewer = await self._gate.viewer_of_token(token, request.remote)
        if context.given_viewer is None:
            raise ConnectionRejectionError
        trust(request)
        unset: UnsetType = UNSET
        return unset

    async def create_websocket_response(self, request: web.Request, subprotocol: str | None) -> web.WebSocketResponse:
        """A socket with heartbeat and a bound on what it takes in."""
        socket = web.WebSocketResponse(
            protocols=[subprotocol] if subprotocol else [],
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=MAX_MESSAGE_BYTES,
            compress=False,
        )
        await socket.prepare(request)
        self._sockets.add(socket)
        request[SOCKET] = socket
        return socket

    async def close_sockets(self) -> None:
        """Tell every client that the server goes away; clients reconnect and resume on 1001."""
        closing = [socket.close(code=WSCloseCode.GOING_AWAY, message=b"server stops") for socket in list(self._sockets)]
        await asyncio.gather(*closing, return_exceptions=True)

    def decode_json(self, data: str | bytes) -> dict[str, Any] | list[Any]:
        """What a client sent as JSON."""
        return decode(data)

    def encode_json(self, data: object) -> str:
        """The JSON that clients get."""
        return encode(data).decode()
