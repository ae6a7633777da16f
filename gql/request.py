"""Which operation of its document a request means, and what is wrong with a request of which nothing is executed."""

from collections.abc import Callable, Iterable
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gql.errors import RequestError
from runner.errors import quoted

# Of the names of a document, how many a message shows.
_NAMED = 10
_WAYS = {
    OperationType.QUERY: "a query cannot be sent this way: send it by POST",
    OperationType.MUTATION: "a mutation cannot be sent this way: send it by POST",
    OperationType.SUBSCRIPTION: (
        "a subscription has many results: use a WebSocket with graphql-transport-ws at /graphql, "
        "or server-sent events at /graphql/stream"
    ),
}


Parse = Callable[[str], DocumentNode]
"""Gives the document of a text, or raises GraphQLError."""


def kind_of(parse: Parse, query: str, name: str | None) -> OperationType:
    """The kind of the operation that a request means; RequestError if it means none."""
    try:
        document = parse(query)
    except GraphQLError as error:
        message = error.message if query.strip() else "the query is empty: send an operation"
        raise RequestError.of(error, "GRAPHQL_PARSE_FAILED", message) from error
    return OperationType(_chosen(document, name).operation.value)


def refusal(
    parse: Parse, query: str | None, name: str | None, allowed: Iterable[OperationType] | None
) -> RequestError | None:
    """Why a request is not executed at all; None if its operation can be, and is of a kind that is `allowed`."""
    try:
        kind = kind_of(parse, query or "", name)
    except RequestError as error:
        return error
    if allowed is None or kind in allowed:
        return None
    return RequestError(_WAYS[kind], extensions={"code": "OPERATION_NOT_ALLOWED"})


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """GetOperation of the GraphQL specification, 6.1: without a name there must be one operation alone."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    fitting = [one for one in operations if name is None or (one.name is not None and one.name.value == name)]
    if len(fitting) == 1:
        return fitting[0]
    names = [one.name.value for one in operations if one.name is not None]
    told = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    if not operations:
        message = "the document has no operation, only definitions of other kinds"
    elif name is None:
        message = f"the document has {len(operations)} operations: name one of them in operationName ({told})"
    elif fitting:
        message = f"the document has several operations called {quoted(name)}: give each a name of its own"
    else:
        message = f"the document has no operation called {quoted(name)}" + (f"; it has {told}" if told else "")
    raise RequestError(message, extensions={"code": "OPERATION_RESOLUTION_FAILURE"})


def is_refused(result: ExecutionResult) -> bool:
    """Whether nothing of the request was executed; then the answer has no `data`, not even null."""
    errors = result.errors or []
    return result.data is None and bool(errors) and all(isinstance(error, RequestError) for error in errors)


class RequestExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, which tells variables that do not fit apart from what fails while it executes."""

    @classmethod
    def build(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (the signature is GraphQL's, and long)
        """An executor, or the errors of the variables."""
        built = super().build(*args, **kwargs)
        if isinstance(built, list):
            return [RequestError.of(error, "BAD_USER_INPUT", error.message) for error in built]
        return built
