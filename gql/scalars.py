"""The custom scalars."""

from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

JSON = NewType("JSON", object)
BigInt = NewType("BigInt", int)
_MOST = 2**63 - 1


def _write_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _read_instant(value: Any) -> datetime:  # noqa: ANN401 (whatever a client sends)
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    message = "a DateTime is RFC 3339 with an offset, such as 2026-11-23T09:31:03+00:00"
    raise GraphQLError(message)


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An instant, RFC 3339, always UTC with offset, e.g. 2026-11-23T09:31:03.131455+00:00.",
    serialize=_write_instant,
    parse_value=_read_instant,
)
JSON_SCALAR = strawberry.scalar(
    name="JSON",
    description="Arbitrary JSON; only for data whose shape this API does not own (host variables, module results).",
    serialize=lambda value: value,
    parse_value=lambda value: value,
)


def _whole(value: Any) -> int:  # noqa: ANN401 (whatever a client sends)
    if isinstance(value, int) and not isinstance(value, bool) and -_MOST - 1 <= value <= _MOST:
        return value
    message = "a BigInt is a whole number of up to 64 bits"
    raise GraphQLError(message)


BIG_INT = strawberry.scalar(
    name="BigInt",
    description=(
        "A whole number of up to 64 bits, as a JSON number. JavaScript's `JSON.parse` reads it exactly up to "
        "9007199254740991."
    ),
    serialize=_whole,
    parse_value=_whole,
)

SCALARS: dict[object, ScalarDefinition] = {datetime: DATE_TIME, JSON: JSON_SCALAR, BigInt: BIG_INT}
