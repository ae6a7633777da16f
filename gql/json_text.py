"""JSON as it goes out to clients, and as it comes in."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from gql.pace import pace

MAX_VALUES = 40_000
"""Commas and open brackets of JSON that comes in."""
# Made once: `json.dumps` makes one for each call, which takes fifty times as long as a short value itself.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encode(data: object) -> bytes:
    """Compact JSON, with text as it is; half a surrogate pair, which UTF-8 cannot hold, as its escape."""
    return _ENCODER.encode(data).encode(errors="backslashreplace")


async def encode_in_turns(data: object, client: object) -> bytes:
    """The same bytes, made in pieces of one flat object each: the event loop goes on between them."""
    turns = pace()
    pieces = []
    for piece in _pieces(data):
        pieces.append(piece)
        await turns.turn(client)
    return b"".join(pieces)


def _pieces(data: object) -> Iterator[bytes]:
    if isinstance(data, dict) and any(isinstance(value, dict | list) for value in data.values()):
        before = b"{"
        for key, value in data.items():
            yield before + encode(key) + b":"
            yield from _pieces(value)
            before = b","
        yield b"}"
    elif isinstance(data, list) and any(isinstance(value, dict | list) for value in data):
        before = b"["
        for value in data:
            yield before
            yield from _pieces(value)
            before = b","
        yield b"]"
    else:
        yield encode(data)


# The same escapes as json's, the backslash first: it is in all others.
_ESCAPES = [
    (b"\\", b"\\\\"),
    *((bytes([code]), json.dumps(chr(code))[1:-1].encode()) for code in (*range(32), ord('"'))),
]


def encode_text(data: bytes) -> bytes:
    """What `encode` makes of a long text, in a quarter of the time; bytes that are no UTF-8 are replaced."""
    if not data.isascii():
        data = data.decode(errors="replace").encode()
    for raw, escape in _ESCAPES:
        # Looking for one byte is so fast that looking for each of them takes less time than one look at each byte.
        if raw in data:
            data = data.replace(raw, escape)
    return b'"%b"' % data


def decode(data: str | bytes) -> dict[str, Any] | list[Any]:
    """A JSON object or array. Whatever is wrong with it is a JSONDecodeError."""
    value = decode_value(data)
    if not isinstance(value, dict | list):
        raise json.JSONDecodeError("not an object", "", 0)
    return value


def decode_value(data: str | bytes) -> Any:  # noqa: ANN401 (JSON)
    """Any JSON value, without NaN and infinities, which are no JSON and break other readers.

    Whatever is wrong with it is a JSONDecodeError.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        _check_values(text)
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError:
        raise
    except (RecursionError, ValueError) as error:
        raise json.JSONDecodeError(str(error), "", 0) from error


def _check_values(text: str) -> None:
    """To make so many values would keep everybody else waiting. Signs in texts count too: that is quick."""
    if text.count(",") + text.count("[") + text.count("{") > MAX_VALUES:
        raise json.JSONDecodeError(f"it has more than {MAX_VALUES} values", "", 0)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        message = f"{digits} is beyond what a number can be"
        raise ValueError(message)
    return number


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)
