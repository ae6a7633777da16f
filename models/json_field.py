"""JSON columns: strict JSON, so that every database accepts every value, and gives it back as it was."""

import json
from typing import Any, TypeVar

from tortoise import fields

T = TypeVar("T")


def dumps(value: Any) -> str:  # noqa: ANN401 (a JSON value has no narrower type)
    """JSON text of `value`; NaN and infinities raise ValueError, as PostgreSQL refuses them."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:  # noqa: ANN401 (a JSON value has no narrower type)
    """The value of JSON text that `dumps` wrote."""
    return json.loads(text)


class JsonField(fields.JSONField[T]):
    """A JSON value, its keys in their order and each number of its kind.

    Tortoise takes PostgreSQL's JSONB, which sorts the keys and makes a whole number of 1e22.
    """

    class _db_postgres:  # noqa: N801 (Tortoise's name)
        SQL_TYPE = "JSON"

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 (whatever a field takes)
        super().__init__(encoder=dumps, decoder=loads, **kwargs)
