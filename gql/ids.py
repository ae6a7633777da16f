"""Relay global ids: base64 of `Type:number`; inputs accept the bare number as well."""

import base64
import binascii

import strawberry

from runner.errors import BadInput, quoted
from runner.limits import MAX_ID

_NO_GLOBAL_ID = "{} is not a valid id: use an `id` that this API gave you"
_NO_ID = f"{_NO_GLOBAL_ID}, or the bare number"


def global_id(type_name: str, number: int) -> strawberry.ID:
    """The global id of row `number` of a type."""
    return strawberry.ID(base64.b64encode(f"{type_name}:{number}".encode()).decode())


def decode(raw: str, told: str = _NO_ID) -> tuple[str, int]:
    """(type name, row number) of a global id; BadInput, as `told` has it, if it is none."""
    try:
        type_name, _, number = base64.b64decode(raw, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise BadInput(told.format(quoted(raw))) from error
    return type_name, _known(read_number(number), raw, told)


def node_of(raw: str) -> tuple[str, int]:
    """The same for who may name a row of any type; a bare number would not say of which."""
    if raw.isascii() and raw.isdigit():
        message = f"{quoted(raw)} does not say of what it is the number: use an `id` that this API gave you, or job(id)"
        raise BadInput(f"{message} and server(id), which take a number too")
    return decode(raw, _NO_GLOBAL_ID)


def row_number(type_name: str, raw: str) -> int:
    """The row that `raw` (global id or bare number) names; BadInput if it is malformed or of another type."""
    if raw.isascii() and raw.isdigit():
        return _known(read_number(raw), raw)
    found, number = decode(raw)
    if found != type_name:
        raise BadInput(f"{quoted(raw)} is the id of a {quoted(found)}, not of a {type_name}")
    return number


def read_number(text: str) -> int | None:
    """The row number that `text` is in digits; None if it is none, or larger than any."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > MAX_ID:
        return None
    return int(text)


def _known(number: int | None, raw: str, told: str = _NO_ID) -> int:
    if number is None:
        raise BadInput(told.format(quoted(raw)))
    return number
