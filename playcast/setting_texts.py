"""What a setting may hold: characters that fit where they go, a host that can be looked up, a URL, a path."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from yarl import URL

from runner.errors import PlaycastError, quoted

# What ansible makes of these in the paths of an inventory and of a configuration, whatever the quotes.
SPLIT_BY_ANSIBLE = {
    ",": "a comma, at which ansible takes it for a list of hosts",
    "$": "a dollar sign, which ansible takes for the start of a variable",
}
NOT_UTF8 = "has bytes that are not UTF-8"
# Linux: of a name in a path, and of the whole of it, in bytes.
_NAME_BYTES = 255
_PATH_BYTES = 4095
_SHOWN = 200


def fault_of_text(text: str, refused: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """What the first character is that a text may not have; None if there is none."""
    for character in text:
        if "\ud800" <= character <= "\udfff":
            return NOT_UTF8
        if not character.isprintable():
            return f"has the character {character!r}"
        if character in refused:
            return f"has {refused[character]}"
    return None


def check_text(name: str, text: str) -> None:
    """ValueError that names a setting with a character that cannot be printed, which would break lines of logs."""
    if (fault := fault_of_text(text)) is not None:
        message = f"{name}: {quoted(text, _SHOWN)} {fault}: leave that out"
        raise ValueError(message)


def check_host(name: str, host: str) -> None:
    """ValueError that names a setting whose host could not even be looked up."""
    check_text(name, host)
    if not _is_host(host):
        message = f"{name}: {quoted(host)} is not a valid host: name an address of this machine, such as 127.0.0.1"
        raise ValueError(message)


def _is_host(host: str) -> bool:
    try:
        # As Python does before it asks for the addresses of a name.
        return bool(host.encode("idna").strip(b".")) and " " not in host
    except UnicodeError:
        return False


def check_url(name: str, url: str) -> None:
    """ValueError that names a setting which is no URL of a server."""
    # It may hold a password, so it is not shown.
    if (fault := fault_of_text(url)) is not None:
        message = f"{name} {fault}: leave that out"
        raise ValueError(message)
    try:
        parsed = URL(url)
        fits = parsed.scheme in {"http", "https"} and _is_host(parsed.host or "")
    except ValueError:
        fits = False
    if not fits:
        message = f"{name}: this is not the URL of a server: write http://host:port"
        raise ValueError(message)


def check_token(name: str, token: str) -> None:
    """ValueError that names a setting whose token no header could hold; the message does not show it."""
    if fault_of_text(token) is not None or token != token.strip():
        message = f"{name} has a line end, a space around it, or another character that a header cannot hold"
        raise ValueError(message)


def check_path(name: str, path: Path, refused: Mapping[str, str] = MappingProxyType({})) -> None:
    """PlaycastError that names what a path has that cannot be used, and why."""
    text = str(path)
    fault = fault_of_text(text, refused)
    advice = "name a path without that"
    if fault == NOT_UTF8:
        fault = f"{fault}, which neither the database nor the API can hold"
    elif fault is not None and fault.startswith("has the character"):
        fault = f"{fault}, which would break lines of logs and of ansible's files"
    elif fault is None and _is_long(path):
        fault, advice = "is too long", "name a shorter one"
    if fault is not None:
        raise PlaycastError(f"{name}: the path {quoted(text, _SHOWN)} {fault}: {advice}")


def _is_long(path: Path) -> bool:
    names = [len(part.encode()) for part in path.parts]
    return max(names, default=0) > _NAME_BYTES or len(str(path).encode()) > _PATH_BYTES


def in_one_line(text: str) -> str:
    """A text with what cannot be printed escaped, so that it breaks no line and moves no cursor."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def shown(path: Path) -> str:
    """A path as a message has it, in one line and not too long."""
    text = in_one_line(str(path))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine and nothing else; only a whole address counts, not 127.0.0.1.example.org."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
