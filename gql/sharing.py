"""Sharing: a piece of a log is executed and encoded once for all who watch it with the same selection.

Each watcher has its own subscription: its arguments, its rights and its cursor are checked as ever. Only what an event
becomes is shared, and only where it depends on the event alone: the one field `jobLog` with plain fields below it.
Whatever else a document holds is executed for each watcher.
"""

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any, cast

from graphql import ExecutionResult, FieldNode, OperationDefinitionNode
from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gql.types.log import JobLogChunk
from gql.wire import encode
from runner.recent import Recent

MOST_BYTES = 16 * 1024 * 1024
_FIELD = "jobLog"


class Encoded:
    """The `data` of a result, as the JSON that it is sent as."""

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json


Payloads = Recent[Hashable, ExecutionResult]


def make_payloads(most: int = MOST_BYTES) -> Payloads:
    """An empty store of results whose data is `Encoded`, bounded in bytes."""
    return Recent(most, lambda result: len(cast("Encoded", result.data).json))


def sharing_executor(payloads: Payloads) -> type[StrawberryGraphQLCoreExecutionContext]:
    """Strawberry's executor, which takes the results of events from `payloads` where it can."""

    class SharingExecutor(StrawberryGraphQLCoreExecutionContext):
        @cached_property
        def shape(self) -> Hashable | None:
            return shape_of(self.operation)

        def build_per_event_executor(self, payload: Any) -> Executor[Any]:  # noqa: ANN401 (the signature is GraphQL's)
            build = super().build_per_event_executor
            # A chunk without text is told once to each watcher: nothing is gained.
            if self.shape is None or not isinstance(payload, JobLogChunk) or not payload.piece.data:
                return build(payload)
            piece = payload.piece
            key = (self.shape, piece.job_id, piece.start, piece.stop, piece.end)
            result = payloads.get(key)
            if result is None:
                result = _encoded(build(payload))
                if not result.errors:
                    payloads.put(key, result)
            return cast("Executor[Any]", _Done(result))

    return SharingExecutor


def _encoded(executor: Executor[Any]) -> ExecutionResult:
    """The result of one event, encoded unless it failed. Nothing below `jobLog` waits, so it is there at once."""
    result = cast("ExecutionResult", executor.execute_operation(False))
    if result.errors:
        return result
    return ExecutionResult(cast("dict[str, Any]", Encoded(encode(result.data).encode())), None)


class _Done:
    """Stands where an executor stands, for an event that was executed already."""

    __slots__ = ("execute_operation",)

    def __init__(self, result: ExecutionResult) -> None:
        self.execute_operation: Callable[[bool], ExecutionResult] = lambda _serially: result


def shape_of(operation: OperationDefinitionNode) -> Hashable | None:
    """What decides how an event of `jobLog` looks to the client; None if more than the event itself does."""
    root = operation.selection_set.selections
    if len(root) != 1 or operation.directives:
        return None
    field = root[0]
    if not isinstance(field, FieldNode) or field.name.value != _FIELD or field.directives or not field.selection_set:
        return None
    below = []
    for leaf in field.selection_set.selections:
        if not isinstance(leaf, FieldNode) or leaf.directives or leaf.arguments or leaf.selection_set:
            return None
        below.append((_told_as(leaf), leaf.name.value))
    return _told_as(field), tuple(below)


def _told_as(field: FieldNode) -> str:
    return field.alias.value if field.alias else field.name.value
