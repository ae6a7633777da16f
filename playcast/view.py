"""GraphQL over HTTP POST and `graphql-transport-ws`, hosted by aiohttp."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from cross_web import HTTPException
from strawberry import Schema
from strawberry.aiohttp.views import AiohttpWebSocketAdapter, GraphQLView
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import NonJsonMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UNSET, UnsetType

from gql.context import Context
from gql.sharing import Encoded
from gql.wire import decode, encode
from playcast.auth import VIEWER, Gate
from playcast.graphiql import GraphiQL
from playcast.peer import HEARTBEAT_SECONDS, taken
from runner.viewer import Viewer

INIT_SECONDS = 10
MAX_MESSAGE_BYTES = 64 * 1024
# RFC 6455, 5.5: a control frame holds 125 bytes, of which two are the code.
MAX_REASON_BYTES = 123
_NEEDS_ID = frozenset({"subscribe", "complete"})


class SocketAdapter(AiohttpWebSocketAdapter):
    """Lets only well-formed messages in, and never waits for ever for a peer that stopped reading."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Messages of the protocol's shape; anything else closes the socket with 4400."""
        messages = super().iter_json(ignore_parsing_errors=ignore_parsing_errors)
        try:
            async for message in messages:
                if not _well_formed(message):
                    raise NonJsonMessageReceived
                yield message
        except (ValueError, RecursionError) as error:
            raise NonJsonMessageReceived from error

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send, for as long as a peer may take."""
        try:
            shared = _shared(message)
            sending = super().send_json(message) if shared is None else self.ws.send_frame(shared, WSMsgType.TEXT)
            await taken(self.request, sending)
        except (ConnectionError, RuntimeError) as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close with as much of the reason as a close frame can hold; it may quote what the client sent."""
        fits = reason.encode(errors="backslashreplace")[:MAX_REASON_BYTES].decode(errors="ignore")
        await super().close(code=code, reason=fits)


def _shared(message: Mapping[str, object]) -> bytes | None:
    """The frame of a result that others get as well: only the id is this subscription's own."""
    payload = message.get("payload")
    data = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(data, Encoded):
        return None
    return b'{"id":%b,"type":"next","payload":{"data":%b}}' % (encode(message["id"]), data.json)


def _well_formed(message: object) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] in _NEEDS_ID and not isinstance(message.get("id"), str):
        return False
    if message["type"] != "subscribe":
        return True
    payload = message.get("payload")
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


class PlaycastView(GraphQLView[Context, None]):
    """The view of one app. It keeps track of its sockets, to close them when the server stops."""

    websocket_adapter_class = SocketAdapter

    def __init__(
        self, schema: Schema, context: Callable[[Viewer | None], Context], gate: Gate, graphiql: GraphiQL | None
    ) -> None:
        super().__init__(
            schema,
            graphql_ide="graphiql" if graphiql is not None else None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
        )
        self._context = context
        self._gate = gate
        self._graphiql = graphiql
        self._sockets: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()

    async def get_context(
        self,
        request: web.Request,
        response: web.Response | web.WebSocketResponse,  # noqa: ARG002 (the signature is strawberry's)
    ) -> Context:
        """The context of one request or socket."""
        return self._context(request.get(VIEWER))

    async def render_graphql_ide(self, request: web.Request) -> web.StreamResponse:  # type: ignore[override]  # a file
        """What a browser gets that opens this address."""
        if self._graphiql is None:
            raise HTTPException(404, "Not Found")
        return self._graphiql.show(signed_in=VIEWER in request)

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Take the token from the first message, unless a header has brought it already."""
        if context.given_viewer is None:
            context.given_viewer = self._gate.viewer_for((context.connection_params or {}).get("token"))
        if context.given_viewer is None:
            raise ConnectionRejectionError
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
