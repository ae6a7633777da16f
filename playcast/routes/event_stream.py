"""GraphQL as server-sent events at /graphql/stream, for where no WebSocket gets through.

The protocol is that of `graphql-sse` with a connection for each operation. What has a cursor carries it as the id of
its event, and the header Last-Event-ID resumes after it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import web
from strawberry.types.graphql import OperationType

from gql.context import Context
from gql.errors import RequestError
from gql.json_text import decode_value, encode, encode_in_turns
from gql.request import is_refused, told_of
from gql.schema import PlaycastSchema, may_be_large
from gql.shared_payloads import Encoded
from playcast.http.accept import media_type
from playcast.http.auth import STREAM_PATH, VIEWER
from playcast.http.body import Bodies
from playcast.http.problems import Rejection
from playcast.http.send_timeout import HEARTBEAT_SECONDS, send_or_abort
from playcast.routes.operation import Operation
from runner.viewer import Viewer

_TYPE = "text/event-stream"
_HEADERS = {
    "Content-Type": _TYPE,
    "Cache-Control": "no-store, no-transform",
    "X-Content-Type-Options": "nosniff",
    # Else nginx keeps events back until it has a page full of them.
    "X-Accel-Buffering": "no",
}
_COMMENT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"
MakeContext = Callable[[Viewer, str | None], Context]


class EventStreams:
    """The handler of one app. It ends its streams when the server stops."""

    def __init__(self, schema: PlaycastSchema, context: MakeContext, bodies: Bodies) -> None:
        self._schema = schema
        self._bodies = bodies
        self._context = context
        self._stopping = asyncio.Event()

    def table(self) -> list[web.RouteDef]:
        """The one path, for EventSource and for fetch."""
        return [web.get(STREAM_PATH, self.respond, allow_head=False), web.post(STREAM_PATH, self.respond)]

    def stop(self) -> None:
        """End every stream without saying that it is complete, so that clients come back."""
        self._stopping.set()

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """The results of one operation as they come."""
        if media_type(request.headers.get("Accept"), _TYPE) is None:
            raise Rejection(406, f"answers here are {_TYPE}: accept it, or send the operation to /graphql")
        operation = await self._operation(request)
        if request.method == "GET":
            await self._check_safe(operation)
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        context = self._context(request[VIEWER], request.headers.get("Last-Event-ID") or None)
        with suppress(ConnectionError):
            # The headers alone would wait for the first event.
            await send_or_abort(request, response.write(_COMMENT))
            async with aclosing(self._events(operation, context)) as events:
                async for event in events:
                    # A peer that does not read holds one event, and what fits in the socket.
                    await send_or_abort(request, response.write(event))
            await response.write_eof()
        return response

    async def _check_safe(self, operation: Operation) -> None:
        """Rejection of a query or mutation: a link or a picture of another page can make a browser send a GET."""
        with suppress(RequestError):
            asked = await self._schema.asked(operation.query, operation.name, operation.variables)
            if asked.kind is not OperationType.SUBSCRIPTION:
                raise Rejection(
                    405, "by GET only subscriptions are taken: send this by POST", headers={"Allow": "POST"}
                )

    async def _operation(self, request: web.Request) -> Operation:
        """What the body or the query string asks for; Rejection if it is nothing of the kind."""
        if request.method == "POST":
            return Operation.of(await self._bodies.json(request))
        given: dict[str, Any] = dict(request.query)
        # The GraphQL-over-HTTP specification: here an empty name is none.
        given["operationName"] = given.get("operationName") or None
        for name in ("variables", "extensions"):
            try:
                given[name] = decode_value(given.get(name) or "{}")
            except json.JSONDecodeError as error:
                raise Rejection(400, f"{name}: this is not JSON: {error}") from error
        return Operation.of(given)

    async def _events(self, operation: Operation, context: Context) -> AsyncGenerator[bytes, None]:
        """Each result as an event, a comment where none came for long, and the end unless the server stops."""
        results = await self._schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.name,
        )
        stopping = asyncio.ensure_future(self._stopping.wait())
        coming = asyncio.ensure_future(anext(results, None))
        try:
            while not stopping.done():
                await asyncio.wait({coming, stopping}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    if not stopping.done():
                        yield _COMMENT
                    continue
                result = coming.result()
                if result is None:
                    yield _COMPLETE
                    return
                yield await _event(result, context.cursor)
                coming = asyncio.ensure_future(anext(results, None))
        finally:
            for task in (stopping, coming):
                task.cancel()
            await asyncio.wait({stopping, coming})
            await results.aclose()


async def _event(result: Any, cursor: str | None) -> bytes:  # noqa: ANN401 (strawberry has several kinds)
    """A result, with the cursor as its id where it has one."""
    if isinstance(result.data, Encoded):
        payload = b'{"data":%b}' % result.data.json
    else:
        told = told_of(result)
        if is_refused(result):
            # Of what was never executed there is no data, not even none.
            del told["data"]
        payload = await encode_in_turns(told, told) if may_be_large(result.extensions) else encode(told)
    mark = b"" if cursor is None or result.errors else b"id: %b\n" % cursor.encode()
    return b"event: next\n%bdata: %b\n\n" % (mark, payload)
