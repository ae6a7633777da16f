"""The schema: types, limits and caches tied together."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any

import structlog
from graphql import GraphQLError
from strawberry import Schema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gql.cost import too_dear
from gql.descriptions import describe
from gql.documents import Documents, Prepared
from gql.errors import CodedErrors, RequestError, is_away, is_bug
from gql.executor import ROWS_FOR_EACH
from gql.mutations import Mutation
from gql.published import printed, publish
from gql.queries import Query
from gql.request import Asked, asked, check_allowed, is_refused
from gql.scalars import SCALARS
from gql.shared_payloads import make_payloads, sharing_executor
from gql.subscriptions import Subscription
from gql.types.event import EVENTS
from gql.types.host import JobHost
from gql.types.job import ProvisionJob
from gql.types.server import Server
from models.sqlite import DatabaseGone
from runner.limits import MAX_ROWS

HEAVY_ROWS = 20
"""An operation that may give more rows takes one of a few places while it is executed: what it makes may be large."""
HEAVY_AT_ONCE = 2
EVENT_SHARE = 8
"""Each event of a subscription may cost one such part of what a query may."""

_SINGLE = frozenset({OperationType.QUERY, OperationType.MUTATION})

log = structlog.get_logger()


class PreparedDocument(SchemaExtension):
    """Hands on what was parsed and validated before."""

    def on_parse(self) -> Iterator[None]:
        """Set the document."""
        if isinstance(self.execution_context.query, Prepared):
            self.execution_context.graphql_document = self.execution_context.query.document.node
        yield

    def on_validate(self) -> Iterator[None]:
        """Set what is wrong with it."""
        if isinstance(self.execution_context.query, Prepared):
            self.execution_context.pre_execution_errors = list(self.execution_context.query.document.faults)
        yield


class PlaycastSchema(Schema):
    """Executes the one operation that a request means. Logs bugs with their traceback, and no fault of a client.

    Strawberry alone takes the first operation of several, and raises where there is none.
    """

    def __init__(self, max_rows: int, **given: Any) -> None:  # noqa: ANN401 (strawberry's own, of many kinds)
        super().__init__(**given)
        describe(self._schema)
        self._max_rows = max_rows
        self._documents = Documents(self._schema)
        self._places = asyncio.Semaphore(HEAVY_AT_ONCE)

    async def asked(
        self,
        query: str | None,
        name: str | None,
        variables: dict[str, Any] | None,
        allowed: Iterable[OperationType] | None = None,
    ) -> Asked:
        """The operation that a request means; RequestError if it means none, one that is not `allowed`, or too dear."""
        found = asked(self._schema, await self._documents.prepare(query or ""), name, variables or {})
        if found.cost is not None:
            refused = too_dear(found.cost, self._limit(found.kind))
            if refused is not None:
                raise refused
        check_allowed(found.kind, allowed)
        return found

    def _limit(self, kind: OperationType) -> int:
        return max(1, self._max_rows // EVENT_SHARE) if kind is OperationType.SUBSCRIPTION else self._max_rows

    async def execute(  # noqa: PLR0913, PLR0917 (the signature is strawberry's)
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,  # noqa: ANN401 (the signature is strawberry's)
        root_value: Any | None = None,  # noqa: ANN401 (same)
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """The one result of a query or mutation."""
        try:
            found = await self.asked(query, operation_name, variable_values, allowed_operation_types or _SINGLE)
        except RequestError as error:
            return _refused(error)
        async with self._place(found):
            result = await super().execute(
                Prepared.of(found.document),
                variable_values,
                context_value,
                root_value,
                operation_name,
                operation_extensions=operation_extensions,
            )
        return self._with_cost(result, found)

    async def stream(  # noqa: PLR0913, PLR0917 (the signature is strawberry's)
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,  # noqa: ANN401 (the signature is strawberry's)
        root_value: Any | None = None,  # noqa: ANN401 (same)
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> StreamResult:
        """The results of any operation, as they come."""
        try:
            found = await self.asked(query, operation_name, variable_values, allowed_operation_types)
        except RequestError as error:
            return _alone(_refused(error))
        text = Prepared.of(found.document)
        results = await super().stream(
            text, variable_values, context_value, root_value, operation_name, operation_extensions
        )
        return results if found.kind is OperationType.SUBSCRIPTION else self._single(results, found)

    async def _single(self, results: StreamResult, found: Asked) -> StreamResult:
        """The result of a query, which is worked on in its place and sent out of it."""
        async with aclosing(results):
            while True:
                async with self._place(found):
                    result = await anext(results, None)
                if result is None:
                    return
                yield self._with_cost(result, found) if isinstance(result, ExecutionResult) else result

    def _place(self, found: Asked) -> AbstractAsyncContextManager[None]:
        return self._places if is_heavy(found) else nullcontext()

    def _with_cost(self, result: ExecutionResult, found: Asked) -> ExecutionResult:
        # What gives no rows costs nothing worth telling.
        if found.cost is not None and found.cost.rows and not is_refused(result):
            result.extensions = {**(result.extensions or {}), "cost": found.cost.told(self._limit(found.kind))}
        return result

    def as_str(self) -> str:
        """The schema as text, for people and for tools."""
        return printed(super().as_str())

    __str__ = as_str

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002 (the signature is strawberry's)
    ) -> None:
        """Log what nobody foresaw."""
        for error in errors:
            if isinstance(error.original_error, DatabaseGone):
                # It has told that itself, once.
                continue
            if is_away(error):
                log.warning("the database was away for a request", path=error.path, error=str(error.original_error))
            elif is_bug(error):
                log.error("a resolver failed", path=error.path, exc_info=error.original_error)


def is_heavy(found: Asked) -> bool:
    """Whether what an operation makes may be large."""
    return found.cost is not None and found.cost.rows > HEAVY_ROWS


def may_be_large(extensions: Mapping[str, Any] | None) -> bool:
    """Whether that which a result with these extensions is sent as may be so long that writing it takes a while."""
    cost = (extensions or {}).get("cost")
    return cost is not None and cost["estimated"] > HEAVY_ROWS


def _refused(error: RequestError) -> PreExecutionError:
    return PreExecutionError(data=None, errors=[error])


async def _alone(result: PreExecutionError) -> StreamResult:
    yield result


def make_schema(max_rows: int = MAX_ROWS) -> PlaycastSchema:
    """The executable schema. Never sorted: sorting breaks unions, and the order is stable as it is.

    `max_rows` bounds what an operation may cost (gql.cost), and with it how long its answer may be.
    """
    schema = PlaycastSchema(
        max_rows,
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[ProvisionJob, Server, JobHost, *EVENTS],
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=sharing_executor(make_payloads, ROWS_FOR_EACH * max_rows),
        extensions=[
            PreparedDocument,
            CodedErrors,
        ],
    )
    # Strawberry has no other way to say how its schema is read.
    publish(schema._schema)  # noqa: SLF001 (see above)
    return schema
