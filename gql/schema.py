"""The schema: types, limits and caches tied together."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from graphql import ASTValidationRule, GraphQLError, ValidationContext, ValidationRule
from strawberry import Schema
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.extensions.max_aliases import create_validator as alias_rule
from strawberry.extensions.query_depth_limiter import create_validator as depth_rule
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gql.errors import CodedErrors, is_away, is_bug
from gql.mutations import Mutation
from gql.published import printed, publish
from gql.queries import Query
from gql.request import kind_of, refusal
from gql.scalars import SCALARS
from gql.sharing import make_payloads, sharing_executor
from gql.subscriptions import Subscription
from gql.types.event import EVENTS
from gql.types.host import JobHost
from gql.types.job import ProvisionJob
from gql.types.server import Server
from models.sqlite import DatabaseGone

MAX_DEPTH = 12
MAX_ALIASES = 50
MAX_TOKENS = 2000
CACHED_DOCUMENTS = 500

_Depth = depth_rule(MAX_DEPTH, should_ignore=None, callback=None)


class _DepthOfKnown(_Depth):  # type: ignore[misc, valid-type]  # strawberry makes the class at run time
    """A fragment that is not there is left to GraphQL's own rule, which tells the client."""

    def __init__(self, context: ValidationContext) -> None:
        try:
            super().__init__(context)
        except KeyError:
            ValidationRule.__init__(self, context)


# Made once: the rules are part of the validation cache's key, and a new class per request would empty it.
_RULES: list[type[ASTValidationRule]] = [
    _DepthOfKnown,
    alias_rule(MAX_ALIASES),
]

_SINGLE = frozenset({OperationType.QUERY, OperationType.MUTATION})

log = structlog.get_logger()


class DocumentCache(ParserCache):
    """Keeps parsed documents; one that cannot be parsed is left to the schema, which tells the client.

    An exception in here would reach a socket's client as an empty answer, and the server log as a traceback.
    """

    def on_parse(self) -> Iterator[None]:
        """Set the document, if there is one."""
        context = self.execution_context
        with suppress(GraphQLError):
            context.graphql_document = self.cached_parse_document(context.query, **context.parse_options)
        yield


# The same cache as that of the extension, so that a document is parsed once.
_parsed = partial(DocumentCache(maxsize=CACHED_DOCUMENTS).cached_parse_document, max_tokens=MAX_TOKENS)


class PlaycastSchema(Schema):
    """Executes the one operation that a request means. Logs bugs with their traceback, and no fault of a client.

    Strawberry alone takes the first operation of several, and raises where there is none.
    """

    def kind_of(self, query: str, name: str | None) -> OperationType:
        """The kind of the operation that a request means; RequestError if it means none."""
        return kind_of(_parsed, query, name)

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
        refused = refusal(_parsed, query, operation_name, allowed_operation_types or _SINGLE)
        if refused is not None:
            return PreExecutionError(data=None, errors=[refused])
        return await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            operation_extensions=operation_extensions,
        )

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
        refused = refusal(_parsed, query, operation_name, allowed_operation_types)
        if refused is not None:
            return _alone(PreExecutionError(data=None, errors=[refused]))
        return await super().stream(
            query, variable_values, context_value, root_value, operation_name, operation_extensions
        )

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


async def _alone(result: PreExecutionError) -> StreamResult:
    yield result


def make_schema() -> PlaycastSchema:
    """The executable schema. Never sorted: sorting breaks unions, and the order is stable as it is."""
    schema = PlaycastSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[ProvisionJob, Server, JobHost, *EVENTS],
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=sharing_executor(make_payloads),
        extensions=[
            lambda: DocumentCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
            lambda: AddValidationRules(_RULES),
            lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
            CodedErrors,
        ],
    )
    # Strawberry has no other way to say how its schema is read.
    publish(schema._schema)  # noqa: SLF001 (see above)
    return schema
