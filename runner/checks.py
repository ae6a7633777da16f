"""What a value from outside must look like before it comes near ssh, ansible or a table.

Each check returns the value to store or raises `Refused` with INVALID, naming the field and what to do.
"""

import ipaddress
import json
import re
from contextlib import suppress
from typing import Any

from runner.errors import ErrorCode, Refused, quoted
from runner.reserved import INTERPRETER, is_ansibles, is_magic, is_python

MAX_VARIABLES_BYTES = 64 * 1024
MAX_VARIABLES_DEPTH = 16
MAX_TAGS = 64
MAX_INTEGER = 2**63 - 1

# Underscores stand in names of many a network, and a dot at the end keeps the resolver from adding domains.
_MAX_NAME = 254
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOSTNAME = re.compile(rf"(?=.{{1,{_MAX_NAME}}}\Z){_LABEL}(\.{_LABEL})*\.?")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,32}")
MAX_USER = 128
# As directories of people have them (CORP\anna, anna@corp.example), too. ssh itself takes no backslash at the end, and
# reads the characters %, $ and { in a user's name as something else.
_USER = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.@+-]|\\(?=[A-Za-z0-9_.])){0,127}")
_GROUP = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TASK_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED_GROUPS = frozenset({"all", "ungrouped"})
# Ansible refuses these, and with one of them the whole inventory.
_KEYWORDS = frozenset({"true", "false", "none", "True", "False", "None", "not"})


def invalid(message: str, *field: str) -> Refused:
    """A refusal of one input value."""
    return Refused.one(ErrorCode.INVALID, message, *field)


def name(value: str, *field: str) -> str:
    """A server's name: 1 to 64 printable characters without a space at either end."""
    if not 1 <= len(value) <= 64 or not value.isprintable() or value != value.strip():
        message = (
            f"{quoted(value)} is not a valid server name: use 1 to 64 printable characters, no space at either end"
        )
        raise invalid(message, *field)
    return text(value, *field)


def host(value: str, *field: str) -> str:
    """An IP address, with a zone where it has one (fe80::1%eth0), or a name as a resolver takes it."""
    address, percent, zone = value.partition("%")
    if percent and not _ZONE.fullmatch(zone):
        return _no_host(value, *field)
    try:
        found = ipaddress.ip_address(address)
        return str(found) + percent + zone if found.version == 6 or not percent else _no_host(value, *field)
    except ValueError:
        return value if not percent and _HOSTNAME.fullmatch(value) else _no_host(value, *field)


def _no_host(value: str, *field: str) -> str:
    message = f"{quoted(value)} is not a valid host: use an IP address or a host name such as web-1.example.org"
    with suppress(UnicodeError):
        # What it takes grows with the square of the length.
        ascii_form = value.encode("idna").decode() if len(value) <= _MAX_NAME else value
        if ascii_form != value and _HOSTNAME.fullmatch(ascii_form):
            message = f"{message}, which is {ascii_form} here"
    raise invalid(message, *field)


def port(value: int, *field: str) -> int:
    """A TCP port."""
    if not 1 <= value <= 65535:
        raise invalid(f"{value} is not a valid port: use a number from 1 to 65535", *field)
    return value


def user(value: str, *field: str) -> str:
    """A login name, of a system's own accounts or of a directory."""
    if not _USER.fullmatch(value):
        message = (
            f"{quoted(value)} is not a valid user name: use letters, digits, _, ., -, +, @ and \\, none but a letter, "
            f"a digit or _ first, at most {MAX_USER} in all"
        )
        raise invalid(message, *field)
    return value


def server_tags(values: list[str], *field: str) -> list[str]:
    """Tags of a server, each an inventory group; sorted, without repeats."""
    if len(values) > MAX_TAGS:
        raise invalid(f"{len(values)} tags are too many: use at most {MAX_TAGS}", *field)
    for value in values:
        if not _GROUP.fullmatch(value) or value in _RESERVED_GROUPS:
            message = (
                f"{quoted(value)} is not a valid tag: use a small letter first, then small letters, digits or _, "
                "at most 32 in all, and neither all nor ungrouped (each tag becomes an inventory group)"
            )
            raise invalid(message, *field)
    return sorted(set(values))


def task_tags(values: list[str], *field: str) -> list[str]:
    """Ansible's task tags for one run, in the given order."""
    if len(values) > MAX_TAGS:
        raise invalid(f"{len(values)} tags are too many: use at most {MAX_TAGS}", *field)
    for value in values:
        if not _TASK_TAG.fullmatch(value):
            message = (
                f"{quoted(value)} is not a valid task tag: use letters, digits, _, ., : or -, at most 64, no - first"
            )
            raise invalid(message, *field)
    return values


def text(value: str, *field: str) -> str:
    """Text that every database and YAML can hold: no NUL, no lone surrogate."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise invalid("text must not contain NUL or half a surrogate pair", *field)
    return value


def variables(value: object, *field: str) -> dict[str, Any]:
    """Ansible variables of a call: an object of plain JSON, bounded, and nothing that says how ansible runs."""
    found = _bounded(value, *field)
    if INTERPRETER in found:
        # With an interpreter of the caller's choice, what ansible sends to it runs as the caller likes.
        message = f"{INTERPRETER} is not allowed in a call: set it in the variables of the server"
        raise invalid(message, *field, INTERPRETER)
    return found


def server_variables(value: object, *field: str) -> dict[str, Any]:
    """The same of a server, which may say where its Python is."""
    found = _bounded(value, *field)
    if INTERPRETER in found and not is_python(found[INTERPRETER]):
        message = f"{INTERPRETER} must be the absolute path of a Python such as /usr/bin/python3 or python3.12"
        raise invalid(message, *field, INTERPRETER)
    return found


def _bounded(value: object, *field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid('variables must be a JSON object, such as {"app_port": 8080}', *field)
    # Before each of them is looked at.
    try:
        size = len(json.dumps(value))
    except RecursionError:
        raise _too_deep(*field) from None
    if size > MAX_VARIABLES_BYTES:
        raise invalid(f"variables are too large: keep them under {MAX_VARIABLES_BYTES // 1024} KiB of JSON", *field)
    for key, item in value.items():
        _variable(key, item, *field)
    return value


def _too_deep(*field: str) -> Refused:
    return invalid(f"variables are nested too deep: use at most {MAX_VARIABLES_DEPTH} levels", *field)


def _variable(key: object, item: object, *field: str) -> None:
    if not isinstance(key, str) or not _VARIABLE.fullmatch(key):
        raise invalid(f"{quoted(key)} is not a valid variable name: use letters, digits and _, no digit first", *field)
    if key in _KEYWORDS:
        raise invalid(f"{key} is not a valid variable name: it is a word of Ansible's template language", *field, key)
    if is_magic(key):
        raise invalid(f"{key} is not allowed: Ansible itself has something of that name; choose another", *field, key)
    if is_ansibles(key) and key != INTERPRETER:
        # Connection variables run commands on the controller (ProxyCommand, executable paths, become flags).
        message = (
            f"{key} is not allowed: it says how Ansible runs, and of those only {INTERPRETER} of a server may be set"
        )
        raise invalid(message, *field, key)
    _plain(item, 1, *field, key)


def _plain(value: object, depth: int, *field: str) -> None:
    if depth > MAX_VARIABLES_DEPTH:
        raise _too_deep(*field)
    if isinstance(value, str):
        text(value, *field)
    elif isinstance(value, dict):
        for key, item in value.items():
            text(key, *field)
            _plain(item, depth + 1, *field)
    elif isinstance(value, list):
        for item in value:
            _plain(item, depth + 1, *field)
    elif isinstance(value, float) and not (-1.8e308 < value < 1.8e308):
        raise invalid("numbers must be finite", *field)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise invalid("whole numbers must fit in 64 bits; send larger ones as text", *field)
