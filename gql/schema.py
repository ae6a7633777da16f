"""The schema: types, limits and caches tied together."""

from collections.abc import Iterator
from contextlib import suppress

import structlog
from graphql import ASTValidationRule, GraphQLError
from strawberry import Schema
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.extensions.max_aliases import create_validator as alias_rule
from strawberry.extensions.query_depth_limiter import create_validator as depth_rule
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from gql.errors import CodedErrors, is_away, is_bug
from gql.mutations import Mutation
from gql.queries import Query
from gql.scalars import SCALARS
from gql.sharing import make_payloads, sharing_executor
from gql.subscriptions import Subscription
from gql.types.event import EVENTS
from gql.types.host import JobHost
from gql.types.job import ProvisionJob
from gql.types.server import Server

MAX_DEPTH = 12
MAX_ALIASES = 50
MAX_TOKENS = 2000
CACHED_DOCUMENTS = 500

# Made once: the rules are part of the validation cache's key, and a new class per request would empty it.
_RULES: list[type[ASTValidationRule]] = [
    depth_rule(MAX_DEPTH, should_ignore=None, callback=None),
    alias_rule(MAX_ALIASES),
]

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


class PlaycastSchema(Schema):
    """Logs bugs with their traceback, and nothing that a client did wrong."""

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002 (the signature is strawberry's)
    ) -> None:
        """Log what nobody foresaw."""
        for error in errors:
            if is_away(error):
                log.warning("the database was away for a request", path=error.path, error=str(error.original_error))
            elif is_bug(error):
                log.error("a resolver failed", path=error.path, exc_info=error.original_error)


def make_schema() -> Schema:
    """The executable schema. Never sorted: sorting breaks unions, and the order is stable as it is."""
    return PlaycastSchema(
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
