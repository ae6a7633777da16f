"""Which operation of its document a request means, and what is wrong with a request of which nothing is executed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gql.cost import Cost, cost_of
from gql.documents import Document
from gql.errors import RequestError
from gql.variables import check_lists
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


@dataclass(frozen=True)
class Asked:
    """The operation that a request means, and what it may cost; `cost` is None where its document has faults."""

    document: Document
    kind: OperationType
    cost: Cost | None


def asked(schema: GraphQLSchema, document: Document, name: str | None, variables: Mapping[str, Any]) -> Asked:
    """What a request means; RequestError if it means nothing, or is beyond a limit of its size."""
    if document.node is None:
        fault = document.faults[0]
        raise fault.again() if isinstance(fault, RequestError) else fault
    operation = _chosen(document.node, name)
    check_lists(schema, operation, variables)
    cost = None if document.faults else cost_of(schema, document.node, operation, variables)
    return Asked(document, OperationType(operation.operation.value), cost)


def check_allowed(kind: OperationType, allowed: Iterable[OperationType] | None) -> None:
    """RequestError if an operation cannot be sent in the way that it was; None allows each kind."""
    if allowed is not None and kind not in allowed:
        raise RequestError(_WAYS[kind], extensions={"code": "OPERATION_NOT_ALLOWED"})


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
    elif name is None and len(names) < len(operations):
        # With a name for one of them the others would be refused all the same.
        message = (
            f"the document has {len(operations)} operations: one without a name must be alone, so give each a name"
        )
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


def told_of(result: ExecutionResult) -> dict[str, Any]:
    """A result as it is sent; who leaves the data out of what is refused does it then."""
    told: dict[str, Any] = {"data": result.data}
    if result.errors:
        told["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        told["extensions"] = result.extensions
    return told


class RequestExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, which tells variables that do not fit apart from what fails while it executes."""

    @classmethod
    def build(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (the signature is GraphQL's, and long)
        """An executor, or the errors of the variables."""
        built = super().build(*args, **kwargs)
        if isinstance(built, list):
            return [RequestError.of(error, "BAD_USER_INPUT", error.message) for error in built]
        return built
