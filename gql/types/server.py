"""Servers and lists of them."""

from datetime import datetime
from typing import cast

import strawberry

from gql.arguments import AfterRow, First
from gql.connection import PageInfo, Slice, Window, cursor_of
from gql.context import Info
from gql.enums import ServerAuthKind
from gql.ids import global_id
from gql.scalars import JSON
from gql.types.job import ProvisionJob, ProvisionJobConnection
from gql.types.node import Node
from models import Server as Row
from runner.host_keys import fingerprint


@strawberry.type
class Server(Node):
    """A server of the application. Secrets are write-only: no field returns one."""

    row: strawberry.Private[Row]
    name: str
    """Unique name, for people."""
    host: str
    """Host name or IP address that ssh connects to."""
    port: int
    """Port of its ssh server."""
    user: str
    """Account that logs in."""
    auth: ServerAuthKind
    """How that account logs in."""
    variables: JSON
    """Ansible's host variables of this server."""
    host_key_fingerprint: str | None
    """SHA-256 fingerprint of the pinned SSH host key; null until first contact."""
    strict_host_key: bool
    """Whether a host key other than the pinned one is refused. False is unsafe: any key is taken."""
    created_at: datetime
    """When it was stored."""
    updated_at: datetime
    """When it was last changed."""

    @classmethod
    def of(cls, row: Row) -> "Server":
        """The server as clients see it."""
        return cls(
            id=global_id("Server", row.id),
            row=row,
            name=row.name,
            host=row.host,
            port=row.port,
            user=row.user,
            auth=row.auth,
            variables=cast("JSON", row.variables),
            host_key_fingerprint=fingerprint(row.host_key),
            strict_host_key=row.strict_host_key,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @strawberry.field
    async def tags(self, info: Info) -> list[str]:
        """Each tag is an inventory group, so a playbook can say `hosts: web` and group_vars apply."""
        return await info.context.tags.load(self.row.id)

    @strawberry.field
    async def locked_by(self, info: Info) -> ProvisionJob | None:
        """The job that holds this server now, if any."""
        row = await info.context.holders.load(self.row.id)
        return ProvisionJob.of(row) if row is not None else None

    @strawberry.field
    async def last_job(self, info: Info) -> ProvisionJob | None:
        """The newest job that was asked to run here."""
        row = await info.context.last_jobs.load(self.row.id)
        return ProvisionJob.of(row) if row is not None else None

    @strawberry.field
    async def jobs(self, info: Info, first: First = 50, after: AfterRow = None) -> ProvisionJobConnection:
        """Every job that was asked to run here, newest first."""
        window = Window.of(first, after)
        rows = await info.context.server_jobs.load((self.row.id, window))
        return ProvisionJobConnection(page=Slice.of(rows, window, lambda: info.context.job_counts.load(self.row.id)))


@strawberry.type
class ServerEdge:
    """A server in a list."""

    cursor: str
    """Cursor of this row, for `after`."""
    node: Server
    """The server."""


@strawberry.type
class ServerConnection:
    """A page of servers."""

    page: strawberry.Private[Slice[Row]]

    @strawberry.field
    def edges(self) -> list[ServerEdge]:
        """The rows, each with its cursor."""
        return [ServerEdge(cursor=cursor_of(row), node=Server.of(row)) for row in self.page.rows]

    @strawberry.field
    def nodes(self) -> list[Server]:
        """The rows."""
        return [Server.of(row) for row in self.page.rows]

    @strawberry.field
    def page_info(self) -> PageInfo:
        """Where the page stands."""
        return self.page.info

    @strawberry.field
    async def total_count(self) -> int:
        """How many servers fit the filter in all."""
        return await self.page.count()
