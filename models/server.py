"""Servers: where playbooks run, and how to log in there."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.json_field import JsonField


class ServerAuthKind(StrEnum):
    """How Playcast logs in to a server."""

    SSH_KEY = "SSH_KEY"
    """By ssh, with a private key."""
    PASSWORD = "PASSWORD"  # noqa: S105 (the name of a kind, not a password)
    """By ssh, with a password."""
    LOCAL = "LOCAL"
    """On the machine of the worker itself, without ssh."""


class Server(Model):
    """One server of the application. `credential` holds the encrypted secret and is never shown."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=64, unique=True)
    host = fields.CharField(max_length=255)
    port = fields.IntField()
    user = fields.CharField(max_length=128)
    auth = fields.CharEnumField(ServerAuthKind, max_length=16, description="how to log in")
    credential: bytes | None = fields.BinaryField(null=True)
    variables: dict[str, Any] = JsonField()
    host_key = fields.TextField(null=True)
    strict_host_key = fields.BooleanField(default=True, db_default=True)
    interpreter = fields.CharField(max_length=255, null=True, description="where ansible found Python")
    interpreter_found_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    tags: fields.ReverseRelation["ServerTag"]

    class Meta:
        table = "server"
        table_description = "servers"


class ServerTag(Model):
    """One tag of one server; each tag is an inventory group."""

    id = fields.IntField(primary_key=True)
    server: fields.ForeignKeyRelation[Server] = fields.ForeignKeyField(
        "models.Server", related_name="tags", on_delete=fields.CASCADE
    )
    server_id: int
    tag = fields.CharField(max_length=32)

    class Meta:
        table = "server_tag"
        table_description = "tags of servers"
        unique_together = (("server", "tag"),)
        indexes = (("tag", "server"),)

    @classmethod
    async def of_servers(cls, server_ids: Sequence[int]) -> dict[int, list[str]]:
        """The tags of each server, sorted."""
        found: dict[int, list[str]] = {server_id: [] for server_id in server_ids}
        for row in await cls.filter(server_id__in=list(server_ids)):
            found[row.server_id].append(row.tag)
        # Not by the database: each PostgreSQL has an alphabet of its own.
        return {server_id: sorted(tags) for server_id, tags in found.items()}
