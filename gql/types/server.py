"""Servers and lists of them."""

from datetime import datetime
from typing import cast

import strawberry

from gql.connection import PageInfo, Slice, Window, cursor_of
from gql.context import Info
from gql.enums import ServerAuthKind
from gql.ids import global_id
from gql.scalars import JSON
from gql.types.job import ProvisionJob, ProvisionJobConnection
from gql.types.node import Node
from models import Server as Row
from runner.inventory import fingerprint


@strawberry.type(description="A server of the application. Secrets are write-only: no field returns one.")
class Server(Node):
    """A server."""

    row: strawberry.Private[Row]
    name: str
    host: str
    port: int
    user: str
    auth: ServerAuthKind
    variables: JSON
    host_key_fingerprint: str | None = strawberry.field(
        description="SHA-256 fingerprint of the pinned SSH host key; null until first contact."
    )
    strict_host_key: bool = strawberry.field(
        description="Whether a host key other than the pinned one is refused. False is unsafe: any key is taken."
    )
    created_at: datetime
    updated_at: datetime

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

    @strawberry.field(
        description="Each tag is an inventory group, so a playbook can say `hosts: web` and group_vars apply."
    )
    async def tags(self, info: Info) -> list[str]:
        """Its tags, sorted."""
        return await info.context.tags.load(self.row.id)

    @strawberry.field(description="The job that holds this server now, if any.")
    async def locked_by(self, info: Info) -> ProvisionJob | None:
        """Who holds it."""
        row = await info.context.holders.load(self.row.id)
        return ProvisionJob.of(row) if row is not None else None

    @strawberry.field(description="The newest job that was asked to run here.")
    async def last_job(self, info: Info) -> ProvisionJob | None:
        """Its newest job."""
        row = await info.context.last_jobs.load(self.row.id)
        return ProvisionJob.of(row) if row is not None else None

    @strawberry.field(description="Every job that was asked to run here, newest first.")
    async def jobs(self, info: Info, first: int | None = 50, after: str | None = None) -> ProvisionJobConnection:
        """Its jobs."""
        window = Window.of(first, after)
        rows = await info.context.server_jobs.load((self.row.id, window))
        return ProvisionJobConnection(page=Slice.of(rows, window, lambda: info.context.job_counts.load(self.row.id)))


@strawberry.type
class ServerEdge:
    """A server in a list."""

    cursor: str
    node: Server


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
