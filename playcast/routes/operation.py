"""One GraphQL operation, as a client asks for it over HTTP."""

from dataclasses import dataclass
from typing import Any, Self

from playcast.http.problems import Rejection


@dataclass(frozen=True)
class Operation:
    """What a client asks for."""

    query: str
    variables: dict[str, Any] | None
    name: str | None

    @classmethod
    def of(cls, given: dict[str, Any] | list[Any]) -> Self:
        """The operation of a request's parameters; Rejection if they are of a wrong type."""
        if isinstance(given, list):
            raise Rejection(400, "send one operation, as an object with `query`: there are no batches")
        query, variables, name = (given.get(key) for key in ("query", "variables", "operationName"))
        extensions = given.get("extensions")
        if not isinstance(extensions, dict | None):
            raise Rejection(400, "extensions: send an object, or leave it out")
        if query is None and extensions is not None and "persistedQuery" in extensions:
            # In these words clients that would send a hash learn to send the operation.
            raise Rejection(400, "PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
        if not isinstance(query, str):
            raise Rejection(400, "query: send an operation as text")
        if not isinstance(variables, dict | None):
            raise Rejection(400, "variables: send an object, or leave it out")
        if not isinstance(name, str | None):
            raise Rejection(400, "operationName: send text, or leave it out")
        return cls(query, variables, name)
