"""How JSON columns are written: strict JSON, so that every database accepts every value."""

import json
from typing import Any


def dumps(value: Any) -> str:  # noqa: ANN401 (a JSON value has no narrower type)
    """JSON text of `value`; NaN and infinities raise ValueError, as PostgreSQL refuses them."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:  # noqa: ANN401 (a JSON value has no narrower type)
    """The value of JSON text that `dumps` wrote."""
    return json.loads(text)
