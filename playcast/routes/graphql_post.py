"""GraphQL over HTTP POST at /graphql, as the GraphQL-over-HTTP specification has it."""

from collections.abc import Callable

from aiohttp import web
from strawberry.types import ExecutionResult

from gql.context import Context
from gql.json_text import encode, encode_in_turns
from gql.request import is_refused, told_of
from gql.schema import PlaycastSchema, may_be_large
from playcast.http.accept import media_type
from playcast.http.auth import VIEWER
from playcast.http.body import Bodies
from playcast.http.connection import hold
from playcast.http.problems import Rejection
from playcast.routes.operation import Operation
from runner.viewer import Viewer

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
MAX_AT_ONCE = 128 * 1024
"""Bytes of an answer that are handed to the system at once."""


class Post:
    """The handler of one app."""

    def __init__(self, schema: PlaycastSchema, context: Callable[[Viewer], Context], bodies: Bodies) -> None:
        self._schema = schema
        self._bodies = bodies
        self._context = context

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """The result of one query or mutation."""
        kind = media_type(request.headers.get("Accept"), JSON, GRAPHQL_RESPONSE)
        if kind is None:
            raise Rejection(406, f"answers here are {JSON} or {GRAPHQL_RESPONSE}: accept one of them")
        operation = Operation.of(await self._bodies.json(request))
        result = await self._schema.execute(
            operation.query,
            variable_values=operation.variables,
            context_value=self._context(request[VIEWER]),
            operation_name=operation.name,
        )
        return await _answer(request, result, kind)


async def _answer(request: web.Request, result: ExecutionResult, kind: str) -> web.StreamResponse:
    told, status = told_of(result), 200
    if kind == GRAPHQL_RESPONSE and is_refused(result):
        # Clients of the older type take any other status than 200 for a broken server.
        status = 400
        del told["data"]
    body = await encode_in_turns(told, request.protocol) if may_be_large(result.extensions) else encode(told)
    if len(body) > MAX_AT_ONCE:
        return await _sent(request, body, kind)
    return web.Response(body=body, status=status, content_type=kind, charset="utf-8")


async def _sent(request: web.Request, body: bytes, kind: str) -> web.StreamResponse:
    """Send a long answer as the peer takes it."""
    response = web.StreamResponse()
    response.content_type, response.charset, response.content_length = kind, "utf-8", len(body)
    await response.prepare(request)
    view = memoryview(body)
    try:
        # To its end the whole of it is in memory.
        hold(request, len(body))
        for start in range(0, len(body), MAX_AT_ONCE):
            await response.write(view[start : start + MAX_AT_ONCE])
    finally:
        hold(request, 0)
    await response.write_eof()
    return response
