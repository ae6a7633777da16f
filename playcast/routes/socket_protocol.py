"""What the messages of `graphql-transport-ws` may be, and what each connection may have in flight.

Strawberry speaks the protocol; here is where it is less strict, or stricter, than PROTOCOL.md of graphql-ws.
"""

import asyncio
from contextlib import aclosing, suppress
from typing import Any, cast

import structlog
from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    Message,
    PingMessage,
    SubscribeMessage,
)
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gql.context import Context
from gql.errors import RequestError
from gql.request import is_refused
from gql.schema import PlaycastSchema, is_heavy

MAX_SUBSCRIPTIONS = 100
MAX_QUERIES = 500
"""Queries and mutations of one socket that are not answered yet."""
MAX_AT_ONCE = 10
"""Those of them that are executed at the same time."""
_WITH_ID = frozenset({"subscribe", "complete"})
_WITH_PAYLOAD = frozenset({"connection_init", "ping", "pong"})

log = structlog.get_logger()


def fault_of(message: object) -> str | None:
    """What is wrong with a message by the protocol; None if nothing is."""
    if not isinstance(message, dict):
        return "a message is a JSON object"
    kind = message.get("type")
    if not isinstance(kind, str):
        return "a message has a `type`, which is text"
    if kind in _WITH_PAYLOAD:
        return None if isinstance(message.get("payload"), dict | None) else f"{kind}: `payload` is an object or null"
    if kind not in _WITH_ID:
        return f"a client sends no message of the type {kind}"
    if not isinstance(message.get("id"), str) or not message["id"]:
        return f"{kind}: `id` is text, and not empty"
    return _fault_of_payload(message.get("payload")) if kind == "subscribe" else None


def _fault_of_payload(payload: object) -> str | None:
    if not isinstance(payload, dict):
        return "subscribe: `payload` is an object"
    if not isinstance(payload.get("query"), str):
        return "subscribe: `query` is text"
    for name in ("variables", "extensions"):
        if not isinstance(payload.get(name), dict | None):
            return f"subscribe: `{name}` is an object or null"
    return (
        None if isinstance(payload.get("operationName"), str | None) else "subscribe: `operationName` is text or null"
    )


class ProtocolHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket that speaks the protocol."""

    schema: PlaycastSchema

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 (strawberry's own, of many kinds)
        super().__init__(**{**given, "max_subscriptions_per_connection": None})
        self._subscriptions: set[str] = set()
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._heavy: set[str] = set()
        self._heavy_turn = asyncio.Semaphore(1)

    async def handle_message(self, message: Message) -> None:
        """Take one message; one that is not of the protocol closes the socket."""
        fault = fault_of(message)
        if fault is not None:
            await self.handle_invalid_message(fault)
            return
        given = cast("dict[str, Any]", message)
        if given["type"] == "connection_init" and given.get("payload") is None:
            given.pop("payload", None)
        await super().handle_message(message)

    async def handle_ping(self, message: PingMessage) -> None:
        """Answer with what the client has sent along."""
        payload = cast("dict[str, Any]", message).get("payload")
        await self.send_message({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Begin an operation, unless too many are under way."""
        name = message["id"]
        if self.connection_acknowledged and name not in self.operations:
            refused = await self._enter(name, message["payload"])
            if refused is not None:
                await self.send_message({"id": name, "type": "error", "payload": [refused.formatted]})
                return
        await super().handle_subscribe(message)

    async def _enter(self, name: str, payload: Any) -> GraphQLError | None:  # noqa: ANN401 (strawberry's, of any kind)
        """Note whether an operation is a subscription; an error if there are too many of its kind."""
        self._subscriptions &= self.operations.keys()
        self._heavy &= self.operations.keys()
        try:
            asked = await self.schema.asked(payload["query"], payload.get("operationName"), payload.get("variables"))
        except RequestError as error:
            return error
        if is_heavy(asked):
            self._heavy.add(name)
        if asked.kind is not OperationType.SUBSCRIPTION:
            if len(self.operations) - len(self._subscriptions) < MAX_QUERIES:
                return None
            message = f"{MAX_QUERIES} queries of this socket are not answered yet: wait for some of them"
            return RequestError(message, extensions={"code": "TOO_MANY_OPERATIONS"})
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            message = f"this socket has {MAX_SUBSCRIPTIONS} subscriptions: complete one, or open another socket"
            return RequestError(message, extensions={"code": "TOO_MANY_OPERATIONS"})
        self._subscriptions.add(name)
        return None

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        """Send the results of an operation. What is refused before it is executed is an `error`, and never a close."""
        try:
            if operation.id in self._subscriptions:
                await self._run(operation)
            else:
                # Until a large answer is sent the next one is not made: a peer that does not read has one at most.
                async with self._heavy_turn if operation.id in self._heavy else self._turns:
                    await self._run(operation)
        except WebSocketDisconnected:
            # The client has left; the socket ends by itself.
            self.operations.pop(operation.id, None)
        except Exception:
            log.exception("an operation failed")
            error = GraphQLError("Unexpected error.", extensions={"code": "INTERNAL"})
            with suppress(Exception):
                await operation.send_initial_errors([error])
            self.operations.pop(operation.id, None)

    async def _run(self, operation: Operation[Context, None]) -> None:
        results = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=self.context,
            operation_name=operation.operation_name,
        )
        async with aclosing(results):
            async for result in results:
                if not isinstance(result, ExecutionResult):
                    message = "this server sends no results in parts: leave out @defer and @stream"
                    await operation.send_initial_errors([RequestError(message)])
                    return
                if is_refused(result):
                    await operation.send_initial_errors(result.errors or [])
                    return
                await operation.send_next(result)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})
