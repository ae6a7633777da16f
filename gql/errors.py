"""Failures as clients see them: expected ones in the payload, malformed input by code, bugs masked."""

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaskErrors
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from tortoise.exceptions import DBConnectionError, OperationalError

from gql.enums import ErrorCode
from runner.errors import BadInput, Problem

# What Strawberry raises about the document itself: the client named no operation, or one that cannot be sent this way.
_GRAPHQL = (GraphQLError, CannotGetOperationTypeError, InvalidOperationTypeError)
CODES: dict[type[BaseException], str] = {BadInput: "BAD_USER_INPUT", PermissionError: "UNAUTHENTICATED"}


@strawberry.type(
    description="An expected failure. `field` is the input path; `code` is stable, `message` is for people."
)
class UserError:
    """One expected failure."""

    code: ErrorCode
    message: str
    field: list[str] | None

    @classmethod
    def of(cls, problem: Problem) -> "UserError":
        """The error that a problem is to clients."""
        return cls(code=problem.code, message=problem.message, field=list(problem.field) or None)


def is_ours(error: GraphQLError) -> bool:
    """Whether an exception of a resolver is behind the error; else it is GraphQL's own and fit to show."""
    return error.original_error is not None and not isinstance(error.original_error, _GRAPHQL)


def is_unreadable(error: GraphQLError) -> bool:
    """Whether GraphQL failed at a literal before any resolver ran, such as a number of 5,000 digits."""
    return error.path is None and isinstance(error.original_error, ValueError)


def is_away(error: GraphQLError) -> bool:
    """Whether the database did not take it; errors of a query that is wrong are more special."""
    return type(error.original_error) in {OperationalError, DBConnectionError}


def is_bug(error: GraphQLError) -> bool:
    """Whether nobody foresaw this error."""
    return is_ours(error) and not is_unreadable(error) and not isinstance(error.original_error, tuple(CODES))


class CodedErrors(MaskErrors):
    """Gives errors of resolvers a code, and hides the text of bugs."""

    def __init__(self) -> None:
        super().__init__(should_mask_error=is_ours)

    def _process_result(self, result: object) -> None:
        # Strawberry asks each result by a Protocol whether it has errors, which costs as much as sending it.
        if not isinstance(result, ExecutionResult) or result.errors:
            super()._process_result(result)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """The error as a client may see it."""
        original = error.original_error
        if is_unreadable(error):
            original = BadInput("a value in the query cannot be read: is a number too long?")
        if is_away(error):
            message = "the database does not take this now: it is locked, full or away; try again"
            return GraphQLError(message, nodes=error.nodes, path=error.path, extensions={"code": "UNAVAILABLE"})
        code = next((code for kind, code in CODES.items() if isinstance(original, kind)), "INTERNAL")
        message = str(original) if isinstance(original, BadInput) else self.error_message
        return GraphQLError(message, nodes=error.nodes, path=error.path, extensions={"code": code})
