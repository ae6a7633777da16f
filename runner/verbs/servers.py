"""The verbs on servers: create, update, delete, list."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet

from models import FINAL, JobHost, Server, ServerTag
from models.transaction import transaction
from runner import checks
from runner.engine import Engine
from runner.errors import ErrorCode, Problem, Refused, quoted
from runner.queue.admission import alone
from runner.secrets.credentials import Credential
from runner.viewer import Viewer


@dataclass(frozen=True)
class ServerFields:
    """What a client may set on a server; None leaves a field as it is."""

    name: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    credential: Credential | None = None
    tags: list[str] | None = None
    variables: object | None = None
    strict_host_key: bool | None = None
    forget_host_key: bool = False


async def create_server(engine: Engine, viewer: Viewer, given: ServerFields) -> Server:
    """Store a new server; Refused if a field is malformed or the name is taken."""
    columns = _columns(engine, given)
    try:
        async with transaction():
            server = await Server.create(**{"variables": {}, **columns})
            await _set_tags(server, given.tags or [])
    except IntegrityError as error:
        raise _taken(given.name) from error
    engine.credentials.warn_if_shown(server)
    return server


async def update_server(engine: Engine, viewer: Viewer, server_id: int, given: ServerFields) -> Server:
    """Change the given fields of a server; Refused if there is none, or a field is malformed."""
    columns = _columns(engine, given)
    server = await _existing(server_id)
    moved = (given.host not in (None, server.host)) or (given.port not in (None, server.port))
    if given.forget_host_key or moved:
        # Another address is another machine: its key is learned at the next contact.
        columns |= {"host_key": None, "interpreter": None, "interpreter_found_at": None}
    try:
        async with transaction():
            # Only these: a job that ends just now may be storing the host key that it has learned.
            await server.update_from_dict(columns).save(update_fields=[*columns, "updated_at"])
            if given.tags is not None:
                await _set_tags(server, given.tags)
    except IntegrityError as error:
        raise _taken(given.name) from error
    if given.credential is not None:
        engine.credentials.warn_if_shown(server)
    return server


async def delete_server(engine: Engine, viewer: Viewer, server_id: int) -> int:
    """Remove a server; Refused (IN_USE) while a job that is not final needs it."""
    async with transaction() as tx:
        # No job may be stored between the look and the deletion.
        await alone(tx)
        server = await _existing(server_id)
        job = await JobHost.filter(server_id=server_id).exclude(job__status__in=list(FINAL)).first()
        if job is not None:
            message = f"job {job.job_id} still needs this server: wait for its end, then delete it"
            raise Refused.one(ErrorCode.IN_USE, message, "id")
        await server.delete()
    await asyncio.to_thread(engine.facts.forget, server_id)
    return server_id


@dataclass(frozen=True)
class ServerQuery:
    """Which servers; None or an empty text leaves a condition out."""

    name_contains: str | None = None
    tag: str | None = None


async def oldest_servers(viewer: Viewer, wanted: ServerQuery, most: int, after: int | None = None) -> list[Server]:
    """The `most` oldest servers that fit, of those with an id above `after`."""
    # The column of the index that holds the servers of a tag in order.
    key = "tags__server_id" if wanted.tag else "id"
    query = _fitting(wanted)
    if after is not None:
        # Of both columns: PostgreSQL would begin with the oldest of all servers in the other.
        query = query.filter(**{"id__gt": after, f"{key}__gt": after})
    return await query.order_by(key).limit(most)


async def count_servers(viewer: Viewer, wanted: ServerQuery) -> int:
    """How many servers fit."""
    return await _fitting(wanted).count()


def _fitting(wanted: ServerQuery) -> QuerySet[Server]:
    query = Server.all()
    if wanted.name_contains:
        query = query.filter(name__icontains=wanted.name_contains)
    if wanted.tag:
        query = query.filter(tags__tag=wanted.tag)
    return query


def _columns(engine: Engine, given: ServerFields) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if given.strict_host_key is not None:
        columns["strict_host_key"] = given.strict_host_key
    problems: list[Problem] = []
    fields: list[tuple[str, Any, Callable[..., Any]]] = [
        ("name", given.name, checks.name),
        ("host", given.host, checks.host),
        ("port", given.port, checks.port),
        ("user", given.user, checks.user),
        ("variables", given.variables, checks.server_variables),
        ("tags", given.tags, checks.server_tags),
    ]
    for field, value, check in fields:
        try:
            if value is not None:
                columns[field] = check(value, field)
        except Refused as refusal:
            problems.extend(refusal.problems)
    try:
        if given.credential is not None:
            columns["auth"], columns["credential"] = engine.credentials.accept(given.credential)
    except Refused as refusal:
        problems.extend(refusal.problems)
    if problems:
        raise Refused(problems)
    columns.pop("tags", None)
    return columns


async def _set_tags(server: Server, tags: list[str]) -> None:
    await ServerTag.filter(server_id=server.id).delete()
    await ServerTag.bulk_create([ServerTag(server_id=server.id, tag=tag) for tag in sorted(set(tags))])


async def _existing(server_id: int) -> Server:
    server = await Server.get_or_none(id=server_id)
    if server is None:
        raise Refused.one(ErrorCode.NOT_FOUND, f"there is no server {server_id}", "id")
    return server


def _taken(name: str | None) -> Refused:
    message = f"there is a server called {quoted(name)} already: choose another name, or update that one"
    return Refused.one(ErrorCode.ALREADY_EXISTS, message, "name")
