"""Sharing: what a piece of a log is to its watchers is written once for all who watch it with the same selection.

Each watcher has its own subscription: its arguments, its rights and its cursor are checked as ever. Only what an event
becomes is shared, and only where it depends on the event alone: the one field `jobLog` with plain fields below it.
Whatever else a document holds is executed for each watcher.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast
from weakref import WeakKeyDictionary

from graphql import ExecutionResult, FieldNode, OperationDefinitionNode
from graphql.execution import Executor

from gql.executor import PacedExecutor
from gql.json_text import encode, encode_text
from gql.types.log import JobLogChunk
from runner.log.shelf import Shelf
from runner.lru import ByteLru

MOST_BYTES = 16 * 1024 * 1024
_FIELD = "jobLog"
# What GraphQL makes of each field of a chunk; a test holds the two against each other.
_LEAVES: dict[str, Callable[[JobLogChunk], bytes]] = {
    "__typename": lambda _: encode("JobLogChunk"),
    "cursor": lambda chunk: encode(chunk.cursor),
    "after": lambda chunk: encode(chunk.after),
    "firstLine": lambda chunk: encode(chunk.first_line),
    "text": lambda chunk: encode_text(chunk.piece.data),
    "emittedAt": lambda chunk: encode(chunk.emitted_at.isoformat()),
    "end": lambda chunk: encode(chunk.end),
}

Names = tuple[str, str]
"""How the client calls a field, and its own name."""
Shape = tuple[str, tuple[Names, ...]]
"""How the client calls `jobLog`, and the fields below it."""


class Encoded:
    """The `data` of a result, as the JSON that it is sent as."""

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json


Payloads = ByteLru[tuple[Shape, int, int, int, bool], ExecutionResult]


def make_payloads(most: int = MOST_BYTES) -> Payloads:
    """An empty store of results whose data is `Encoded`, bounded in bytes."""
    return ByteLru(most, lambda result: len(cast("Encoded", result.data).json))


def sharing_executor(make: Callable[[], Payloads], rows: int) -> type[PacedExecutor]:
    """Strawberry's executor, which takes the results of events from a store where it can: one for each engine.

    A schema may serve several engines, and each numbers its jobs from 1. An answer may have so many `rows`.
    """
    stores: WeakKeyDictionary[Shelf, Payloads] = WeakKeyDictionary()

    class SharingExecutor(PacedExecutor):
        most_rows = rows

        @cached_property
        def shape(self) -> Shape | None:
            return shape_of(self.operation)

        def build_per_event_executor(self, payload: Any) -> Executor[Any]:  # noqa: ANN401 (the signature is GraphQL's)
            # A chunk without text is told once to each watcher: nothing is gained.
            if self.shape is None or not isinstance(payload, JobLogChunk) or not payload.piece.data:
                return super().build_per_event_executor(payload)
            shelf, piece = self.context_value.engine.shelf, payload.piece
            payloads = stores.get(shelf)
            if payloads is None:
                payloads = stores[shelf] = make()
            key = (self.shape, piece.job_id, piece.start, piece.stop, piece.end)
            result = payloads.get(key)
            if result is None:
                result = ExecutionResult(cast("dict[str, Any]", Encoded(written(self.shape, payload))), None)
                payloads.put(key, result)
            return cast("Executor[Any]", _Done(result))

    return SharingExecutor


def written(shape: Shape, chunk: JobLogChunk) -> bytes:
    """The data of an event, as JSON."""
    called, names = shape
    parts = [b"{", encode(called)]
    before = b":{"
    # Put together at once: each step on the way would copy the text.
    for told_as, name in dict(names).items():
        parts += [before, encode(told_as), b":", _LEAVES[name](chunk)]
        before = b","
    return b"".join([*parts, b"}}"])


class _Done:
    """Stands where an executor stands, for an event that needs none."""

    __slots__ = ("execute_operation",)

    def __init__(self, result: ExecutionResult) -> None:
        self.execute_operation: Callable[[bool], ExecutionResult] = lambda _serially: result


def shape_of(operation: OperationDefinitionNode) -> Shape | None:
    """What decides how an event of `jobLog` looks to the client; None if more than the event itself does."""
    root = operation.selection_set.selections
    if len(root) != 1 or operation.directives:
        return None
    field = root[0]
    if not isinstance(field, FieldNode) or field.name.value != _FIELD or field.directives or not field.selection_set:
        return None
    below = []
    for leaf in field.selection_set.selections:
        if not isinstance(leaf, FieldNode) or leaf.directives or leaf.arguments or leaf.name.value not in _LEAVES:
            return None
        below.append((_told_as(leaf), leaf.name.value))
    return _told_as(field), tuple(below)


def _told_as(field: FieldNode) -> str:
    return field.alias.value if field.alias else field.name.value
