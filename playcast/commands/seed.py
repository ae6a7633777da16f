"""Servers from a YAML file: created by name, updated when they exist already."""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from models import Server
from runner.engine import Engine
from runner.errors import PlaycastError, Refused
from runner.recipes.questions import MALFORMED
from runner.secrets.credentials import Credential
from runner.verbs.servers import ServerFields, create_server, update_server
from runner.viewer import LOCAL_VIEWER

_STRICT = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)
_TEXT = "write text, in quotes where YAML reads something else"


class SeedCredential(BaseModel):
    """How a server is logged in to: exactly one of these."""

    model_config = _STRICT

    password: str | None = Field(default=None, description=_TEXT)
    private_key: str | None = Field(default=None, description=_TEXT)
    key_file: str | None = Field(default=None, description=_TEXT)
    local: Any = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError
        return self


class SeedServer(BaseModel):
    """One server of the file, in the words of the API."""

    model_config = _STRICT

    name: str = Field(description=_TEXT)
    host: str = Field(description=_TEXT)
    user: str = Field(description=_TEXT)
    credential: SeedCredential = Field(
        description=f"write one of {', '.join(map(to_camel, SeedCredential.model_fields))}"
    )
    port: int = Field(default=22, description="write a number")
    tags: list[str] | None = Field(default=None, description="write a list of texts")
    variables: dict[str, Any] | None = Field(default=None, description="write a mapping of names and values")
    strict_host_key: bool = Field(default=True, description="write true or false")

    def fields(self) -> ServerFields:
        """The same, as the verbs take it."""
        credential = Credential(**self.credential.model_dump())
        return ServerFields(
            **{**dict(self), "credential": credential, "tags": self.tags or [], "variables": self.variables or {}}
        )


LOCALHOST = SeedServer(
    name="localhost", host="localhost", user="root", credential=SeedCredential(local=True), tags=["staging"]
)


def read_seed(path: Path) -> list[SeedServer]:
    """The servers in `path`: `servers:` with a list of mappings; PlaycastError names what does not fit, and where."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise PlaycastError(message) from error
    except (yaml.YAMLError, *MALFORMED) as error:
        message = f"{path} is not YAML: {' '.join(str(error).split())}"
        raise PlaycastError(message) from error
    servers = content.get("servers") if isinstance(content, dict) else None
    if not isinstance(servers, list) or not all(isinstance(server, dict) for server in servers):
        message = f"{path}: write `servers:` and below it a list, each with name, host, user and credential"
        raise PlaycastError(message)
    return [_server(f"servers[{at}]", entry) for at, entry in enumerate(servers)]


async def seed(engine: Engine, servers: list[SeedServer]) -> tuple[int, int]:
    """Create or update each server by name; (how many were created, how many were updated)."""
    created = updated = 0
    for at, entry in enumerate(servers):
        fields = entry.fields()
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


def _server(place: str, entry: dict[str, Any]) -> SeedServer:
    try:
        return SeedServer.model_validate(entry)
    except ValidationError as found:
        raise PlaycastError(f"{place}{_first(found)}") from found


def _first(found: ValidationError) -> str:
    """The first thing that a person has to mend, and how."""
    error = min(found.errors(), key=lambda error: (error["type"] == "missing", str(error["loc"])))
    name, *inner = error["loc"]
    field = next((field for field in SeedServer.model_fields.values() if field.alias == name), None)
    if field is None or error["type"] == "missing":
        what = "missing" if field else "not known"
        optional = "port, tags, variables, strictHostKey"
        return f": {name} is {what}; a server has name, host, user, credential, and if wanted {optional}"
    if inner and error["type"] == "string_type":
        return f".{'.'.join(part for part in error['loc'] if isinstance(part, str))}: {_TEXT}"
    return f".{name}: {field.description}"
