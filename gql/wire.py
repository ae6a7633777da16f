"""JSON as it goes out to clients."""

import json


def encode(data: object) -> str:
    """Compact JSON, with text as it is; half a surrogate pair, which UTF-8 cannot hold, as its escape."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace").decode()
