"""Servers from a YAML file: created by name, updated when they exist already."""

from pathlib import Path
from typing import Any

import yaml

from models import Server
from runner.engine import Engine
from runner.errors import PlaycastError, Refused
from runner.secrets.credentials import Credential
from runner.verbs.servers import ServerFields, create_server, update_server
from runner.viewer import LOCAL_VIEWER

_KEYS = {"name", "host", "port", "user", "credential", "tags", "variables", "strictHostKey"}
_CREDENTIALS = {"password": "password", "privateKey": "private_key", "keyFile": "key_file", "local": "local"}

LOCALHOST: dict[str, Any] = {
    "name": "localhost",
    "host": "localhost",
    "user": "root",
    "credential": {"local": True},
    "tags": ["staging"],
}


def read_seed(path: Path) -> list[dict[str, Any]]:
    """The servers in `path`: `servers:` with a list of mappings, each with some of the keys in `_KEYS`."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise PlaycastError(message) from error
    except yaml.YAMLError as error:
        message = f"{path} is not YAML: {' '.join(str(error).split())}"
        raise PlaycastError(message) from error
    servers = content.get("servers") if isinstance(content, dict) else None
    if not isinstance(servers, list) or not all(isinstance(server, dict) for server in servers):
        message = f"{path}: write `servers:` and below it a list, each with name, host, user and credential"
        raise PlaycastError(message)
    return servers


async def seed(engine: Engine, servers: list[dict[str, Any]]) -> tuple[int, int]:
    """Create or update each server by name; (how many were created, how many were updated)."""
    created = updated = 0
    for at, entry in enumerate(servers):
        fields = _fields(entry, f"servers[{at}]")
        known = await Server.get_or_none(name=fields.name)
        try:
            if known is None:
                await create_server(engine, LOCAL_VIEWER, fields)
                created += 1
            else:
                await update_server(engine, LOCAL_VIEWER, known.id, fields)
                updated += 1
        except Refused as refusal:
            told = "; ".join(f"{'.'.join(problem.field)}: {problem.message}" for problem in refusal.problems)
            message = f"servers[{at}].{told}"
            raise PlaycastError(message) from refusal
    return created, updated


def _fields(entry: dict[str, Any], place: str) -> ServerFields:
    unknown = entry.keys() - _KEYS
    missing = {"name", "host", "user", "credential"} - entry.keys()
    if unknown or missing:
        what = f"{min(unknown)} is not known" if unknown else f"{min(missing)} is missing"
        optional = "port, tags, variables, strictHostKey"
        message = f"{place}: {what}; a server has name, host, user, credential, and if wanted {optional}"
        raise PlaycastError(message)
    return ServerFields(
        name=_text(entry["name"], place, "name"),
        host=_text(entry["host"], place, "host"),
        port=_port(entry.get("port", 22), place),
        user=_text(entry["user"], place, "user"),
        credential=_credential(entry["credential"], place),
        tags=[_text(tag, place, "tags") for tag in entry.get("tags") or []],
        variables=entry.get("variables") or {},
        strict_host_key=_flag(entry.get("strictHostKey", True), place, "strictHostKey"),
    )


def _text(value: Any, place: str, field: str) -> str:  # noqa: ANN401 (whatever YAML holds)
    if not isinstance(value, str):
        message = f"{place}.{field}: write text, in quotes where YAML reads something else"
        raise PlaycastError(message)
    return value


def _port(value: Any, place: str) -> int:  # noqa: ANN401 (whatever YAML holds)
    if not isinstance(value, int) or isinstance(value, bool):
        message = f"{place}.port: write a number"
        raise PlaycastError(message)
    return value


def _flag(value: Any, place: str, field: str) -> bool:  # noqa: ANN401 (whatever YAML holds)
    if not isinstance(value, bool):
        message = f"{place}.{field}: write true or false"
        raise PlaycastError(message)
    return value


def _credential(value: Any, place: str) -> Credential:  # noqa: ANN401 (whatever YAML holds)
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= _CREDENTIALS.keys():
        message = f"{place}.credential: write one of {', '.join(_CREDENTIALS)}"
        raise PlaycastError(message)
    name, secret = next(iter(value.items()))
    if name != "local":
        secret = _text(secret, place, f"credential.{name}")
    return Credential(**{_CREDENTIALS[name]: secret})
