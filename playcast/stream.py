"""GraphQL as server-sent events at /graphql/stream, for where no WebSocket gets through.

The protocol is that of `graphql-sse` with a connection for each operation. What has a cursor carries it as the id of
its event, and the header Last-Event-ID resumes after it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from strawberry import Schema
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gql.context import Context
from gql.sharing import Encoded
from gql.wire import decode, encode
from playcast.auth import STREAM_PATH, VIEWER, problem
from playcast.peer import HEARTBEAT_SECONDS, taken
from runner.errors import BadInput
from runner.viewer import Viewer

_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store, no-transform",
    "X-Content-Type-Options": "nosniff",
    # Else nginx keeps events back until it has a page full of them.
    "X-Accel-Buffering": "no",
}
_COMMENT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"
# A link or a picture of another page can make a browser send a GET.
_BY_GET = frozenset({OperationType.SUBSCRIPTION})
_BY_POST = frozenset(OperationType)
MakeContext = Callable[[Viewer, str | None], Context]


@dataclass(frozen=True)
class Operation:
    """What a client asks for."""

    query: str
    variables: dict[str, Any] | None
    name: str | None


class EventStreams:
    """The handler of one app. It ends its streams when the server stops."""

    def __init__(self, schema: Schema, context: MakeContext) -> None:
        self._schema = schema
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
        if request.method == "POST" and request.content_type != "application/json":
            return problem(415, "send JSON, with Content-Type: application/json")
        try:
            operation = await _operation(request)
        except BadInput as error:
            return problem(400, str(error))
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        context = self._context(request[VIEWER], request.headers.get("Last-Event-ID") or None)
        with suppress(ConnectionError):
            # The headers alone would wait for the first event.
            await taken(request, response.write(_COMMENT))
            async with aclosing(self._events(operation, context, request.method)) as events:
                async for event in events:
                    # A peer that does not read holds one event, and what fits in the socket.
                    await taken(request, response.write(event))
            await response.write_eof()
        return response

    async def _events(self, operation: Operation, context: Context, method: str) -> AsyncGenerator[bytes, None]:
        """Each result as an event, a comment where none came for long, and the end unless the server stops."""
        results = await self._schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.name,
            allowed_operation_types=_BY_GET if method == "GET" else _BY_POST,
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
                yield _event(result, context.cursor)
                coming = asyncio.ensure_future(anext(results, None))
        finally:
            for task in (stopping, coming):
                task.cancel()
            await asyncio.wait({stopping, coming})
            await results.aclose()


def _event(result: Any, cursor: str | None) -> bytes:  # noqa: ANN401 (strawberry has several kinds)
    """A result, with the cursor as its id where it has one."""
    if isinstance(result.data, Encoded):
        payload = b'{"data":%b}' % result.data.json
    else:
        # Of what was never executed there is no data, not even none.
        told: dict[str, Any] = {} if isinstance(result, PreExecutionError) else {"data": result.data}
        if result.errors:
            told["errors"] = [error.formatted for error in result.errors]
        payload = encode(told)
    mark = b"" if cursor is None or result.errors else b"id: %b\n" % cursor.encode()
    return b"event: next\n%bdata: %b\n\n" % (mark, payload)


async def _operation(request: web.Request) -> Operation:
    """What the body or the query string asks for; BadInput if it is nothing of the kind."""
    try:
        if request.method == "POST":
            given = decode(await request.read())
        else:
            given = dict(request.query)
            given["variables"] = decode(given.get("variables") or "{}")
    except json.JSONDecodeError as error:
        raise BadInput(f"this is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise BadInput("send one operation, as an object with `query`")
    query, variables, name = (given.get(key) for key in ("query", "variables", "operationName"))
    if not isinstance(query, str):
        raise BadInput("query: send an operation as text")
    if not isinstance(variables, dict | None):
        raise BadInput("variables: send an object")
    if not isinstance(name, str | None):
        raise BadInput("operationName: send text")
    return Operation(query, variables, name)
