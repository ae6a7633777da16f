"""Failures as clients see them: expected ones in the payload, malformed input by code, bugs masked."""

from typing import Self

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaskErrors
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from tortoise.exceptions import DBConnectionError, OperationalError

from gql.enums import ErrorCode
from models.sqlite import DatabaseGone
from runner.errors import BadInput, Problem


class AnswerTooLarge(BadInput):
    """The answer became larger than any may be."""


VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
# The first that fits counts.
CODES: dict[type[BaseException], str] = {
    AnswerTooLarge: "COST_LIMIT_EXCEEDED",
    BadInput: "BAD_USER_INPUT",
    PermissionError: "UNAUTHENTICATED",
}


@strawberry.type
class UserError:
    """An expected failure. `field` is the input path; `code` is stable, `message` is for people."""

    code: ErrorCode
    """What kind of failure; stable, for programs."""
    message: str
    """What is wrong and what to do, for people."""
    field: list[str] | None
    """Path of the input that caused it, e.g. ["serverIds", "0"]; null if it is none of them."""

    @classmethod
    def of(cls, problem: Problem) -> "UserError":
        """The error that a problem is to clients."""
        return cls(code=problem.code, message=problem.message, field=list(problem.field) or None)


class RequestError(GraphQLError):
    """Something about the request itself, because of which nothing of it is executed. `extensions.code` says what."""

    @classmethod
    def of(cls, error: GraphQLError, code: str, message: str) -> Self:
        """GraphQL's own error, with a code."""
        extensions = {"code": code, **(error.extensions or {})}
        return cls(message, source=error.source, positions=error.positions, extensions=extensions)

    def again(self) -> Self:
        """The same error, to be raised: one that is raised again and again would hold all places where it was."""
        return type(self)(
            self.message, source=self.source, positions=self.positions, extensions=dict(self.extensions or {})
        )


def is_ours(error: GraphQLError) -> bool:
    """Whether an exception of a resolver is behind the error; else it is GraphQL's own and fit to show."""
    return error.original_error is not None and not isinstance(error.original_error, GraphQLError)


def is_unreadable(error: GraphQLError) -> bool:
    """Whether GraphQL failed at a literal before any resolver ran, such as a number of 5,000 digits."""
    return error.path is None and isinstance(error.original_error, ValueError)


def is_away(error: GraphQLError) -> bool:
    """Whether the database did not take it; errors of a query that is wrong are more special."""
    return type(error.original_error) in {OperationalError, DBConnectionError, DatabaseGone}


def is_bug(error: GraphQLError) -> bool:
    """Whether nobody foresaw this error."""
    return is_ours(error) and not is_unreadable(error) and not isinstance(error.original_error, tuple(CODES))


class CodedErrors(MaskErrors):
    """Gives errors of resolvers a code, and hides the text of bugs."""

    def __init__(self) -> None:
        super().__init__(should_mask_error=is_ours)

    def _process_result(self, result: object) -> None:
        # Strawberry asks each result by a Protocol whether it has errors, which costs as much as sending it.
        if isinstance(result, ExecutionResult) and not result.errors:
            return
        super()._process_result(result)
        if isinstance(result, PreExecutionError) and result.errors:
            # What is left without a code is GraphQL's own, found before anything was executed.
            result.errors = [coded(error) for error in result.errors]

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """The error as a client may see it."""
        original = error.original_error
        if is_unreadable(error):
            return RequestError.of(
                error, "BAD_USER_INPUT", "a value in the query cannot be read: is a number too long?"
            )
        if is_away(error):
            message = "the database does not take this now: it is locked, full or away; try again"
            if isinstance(original, DatabaseGone):
                message = str(original)
            return GraphQLError(message, nodes=error.nodes, path=error.path, extensions={"code": "UNAVAILABLE"})
        code = next((code for kind, code in CODES.items() if isinstance(original, kind)), "INTERNAL")
        message = str(original) if isinstance(original, BadInput) else self.error_message
        return GraphQLError(message, nodes=error.nodes, path=error.path, extensions={"code": code})


def coded(error: GraphQLError) -> GraphQLError:
    """GraphQL's own error of a request with the code of a document that does not fit; another one as it is."""
    if is_ours(error) or error.path is not None or (error.extensions or {}).get("code") is not None:
        return error
    return RequestError.of(error, VALIDATION_FAILED, error.message)
