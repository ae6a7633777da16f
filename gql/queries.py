"""Query: what clients can ask."""

from datetime import datetime
from typing import Annotated

import strawberry

from gql.arguments import AfterRow, AnyId, First, JobId, RecipeName, ServerId
from gql.connection import Slice, Window
from gql.context import Info
from gql.enums import JobStatus
from gql.ids import node_of, row_number
from gql.types.host import JobHost
from gql.types.job import ProvisionJob, ProvisionJobConnection
from gql.types.node import Node
from gql.types.recipe import Recipe
from gql.types.server import Server, ServerConnection
from gql.types.system import System, Viewer
from models import JobHost as JobHostRow
from models import Server as ServerRow
from runner.checks import text
from runner.errors import BadInput, Refused, quoted
from runner.verbs.list_jobs import JobQuery, count_jobs, newest_jobs
from runner.verbs.servers import ServerQuery, count_servers, oldest_servers
from runner.verbs.watch_jobs import find_job

MAX_SEARCHED = 64
MAX_SEARCHED_TAG = 32
"""Characters of a text that rows are compared with: nothing stored is longer."""


@strawberry.input
class JobFilter:
    """Which jobs; conditions that are left out do not count."""

    status: list[JobStatus] | None = None
    """Jobs in one of these states."""
    recipe: str | None = None
    """Jobs of the recipe of exactly this name."""
    server_id: strawberry.ID | None = None
    """Jobs that were asked to run on this server."""
    requested_by: str | None = None
    """Jobs that the viewer of exactly this name asked for."""
    created_after: datetime | None = None
    """Jobs requested later than this instant."""
    created_before: datetime | None = None
    """Jobs requested earlier than this instant."""

    def query(self) -> JobQuery:
        """The filter with its ids read."""
        return JobQuery(
            status=self.status,
            recipe=_searched(self.recipe),
            server_id=row_number("Server", self.server_id) if self.server_id is not None else None,
            requested_by=_searched(self.requested_by),
            created_after=self.created_after,
            created_before=self.created_before,
        )


@strawberry.input
class ServerFilter:
    """Which servers; conditions that are left out do not count."""

    name_contains: str | None = None
    """Servers whose name has this text in it, in capitals or not; at most 64 characters."""
    tag: str | None = None
    """Servers with exactly this tag."""

    def query(self) -> ServerQuery:
        """The filter with its texts checked."""
        return ServerQuery(name_contains=_searched(self.name_contains), tag=_searched(self.tag, MAX_SEARCHED_TAG))


Servers = Annotated[ServerFilter | None, strawberry.argument(description="Which servers; null for all.")]
Jobs = Annotated[JobFilter | None, strawberry.argument(description="Which jobs; null for all.")]


@strawberry.type
class Query:
    """What clients can ask."""

    @strawberry.field
    async def node(self, info: Info, id: AnyId) -> Node | None:  # noqa: A002 (the contract's name)
        """Any object by its global id, which a bare number is not; null if there is none."""
        type_name, number = node_of(id)
        if type_name == "Server":
            return await _server(number)
        if type_name == "JobHost":
            return await _job_host(number)
        return await _job(info, number) if type_name == "ProvisionJob" else None

    @strawberry.field
    def viewer(self, info: Info) -> Viewer:
        """Who is asking."""
        return Viewer(name=info.context.viewer.name, role=info.context.viewer.role)

    @strawberry.field
    async def server(self, id: ServerId) -> Server | None:  # noqa: A002 (the contract's name)
        """A server; null if there is none."""
        return await _server(row_number("Server", id))

    @strawberry.field
    async def servers(
        self,
        info: Info,
        first: First = 50,
        after: AfterRow = None,
        filter: Servers = None,  # noqa: A002 (the contract's name)
    ) -> ServerConnection:
        """Oldest first."""
        viewer, wanted, window = info.context.viewer, (filter or ServerFilter()).query(), Window.of(first, after)
        rows = await oldest_servers(viewer, wanted, window.most, window.after)
        return ServerConnection(page=Slice.of(rows, window, lambda: count_servers(viewer, wanted)))

    @strawberry.field
    async def recipes(self, info: Info) -> list[Recipe]:
        """The allow-list of playbooks that may be run; small, not paginated."""
        return [Recipe.of(recipe) for recipe in await info.context.engine.recipes.all()]

    @strawberry.field
    async def recipe(self, info: Info, name: RecipeName) -> Recipe | None:
        """A recipe; null if it is not on the allow-list."""
        recipe = await info.context.engine.recipes.find(name)
        return Recipe.of(recipe) if recipe is not None else None

    @strawberry.field
    async def job(self, info: Info, id: JobId) -> ProvisionJob | None:  # noqa: A002 (the contract's name)
        """A job; null if there is none."""
        return await _job(info, row_number("ProvisionJob", id))

    @strawberry.field
    async def jobs(
        self,
        info: Info,
        first: First = 50,
        after: AfterRow = None,
        filter: Jobs = None,  # noqa: A002 (the contract's name)
    ) -> ProvisionJobConnection:
        """Newest first."""
        viewer, wanted, window = info.context.viewer, (filter or JobFilter()).query(), Window.of(first, after)
        rows = await newest_jobs(viewer, wanted, window.most, window.after)
        return ProvisionJobConnection(page=Slice.of(rows, window, lambda: count_jobs(viewer, wanted)))

    @strawberry.field
    def system(self, info: Info) -> System:
        """Version and limits that a client needs."""
        return System.of(info.context)


def _searched(value: str | None, most: int = MAX_SEARCHED) -> str | None:
    """Text to compare rows with; BadInput for text that no database takes, not even in a question."""
    if value is not None and len(value) > most:
        raise BadInput(f"{quoted(value)} is too long to look for: use at most {most} characters")
    try:
        return None if value is None else text(value)
    except Refused as refusal:
        raise BadInput(str(refusal)) from refusal


async def _server(number: int) -> Server | None:
    row = await ServerRow.get_or_none(id=number)
    return Server.of(row) if row is not None else None


async def _job_host(number: int) -> JobHost | None:
    row = await JobHostRow.get_or_none(id=number)
    return JobHost.of(row) if row is not None else None


async def _job(info: Info, number: int) -> ProvisionJob | None:
    row = await find_job(info.context.viewer, number)
    return ProvisionJob.of(row) if row is not None else None
