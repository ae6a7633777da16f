"""Query: what clients can ask."""

from datetime import datetime

import strawberry

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
from runner.joblists import JobQuery, count_jobs, newest_jobs
from runner.jobs import find_job
from runner.servers import ServerQuery, count_servers, oldest_servers

MAX_SEARCHED = 64
MAX_SEARCHED_TAG = 32
"""Characters of a text that rows are compared with: nothing stored is longer."""


@strawberry.input(description="Which jobs; conditions that are left out do not count.")
class JobFilter:
    """A choice of jobs."""

    status: list[JobStatus] | None = None
    recipe: str | None = None
    server_id: strawberry.ID | None = None
    requested_by: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

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


@strawberry.input(description="Which servers; conditions that are left out do not count.")
class ServerFilter:
    """A choice of servers."""

    name_contains: str | None = None
    tag: str | None = None

    def query(self) -> ServerQuery:
        """The filter with its texts checked."""
        return ServerQuery(name_contains=_searched(self.name_contains), tag=_searched(self.tag, MAX_SEARCHED_TAG))


@strawberry.type
class Query:
    """What clients can ask."""

    @strawberry.field(description="Any object by its global id, which a bare number is not; null if there is none.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 (the contract's name)
        """Anything."""
        type_name, number = node_of(id)
        if type_name == "Server":
            return await _server(number)
        if type_name == "JobHost":
            return await _job_host(number)
        return await _job(info, number) if type_name == "ProvisionJob" else None

    @strawberry.field(description="Who is asking.")
    def viewer(self, info: Info) -> Viewer:
        """The caller."""
        return Viewer(name=info.context.viewer.name, role=info.context.viewer.role)

    @strawberry.field(description="A server; null if there is none.")
    async def server(self, id: strawberry.ID) -> Server | None:  # noqa: A002 (the contract's name)
        """One server."""
        return await _server(row_number("Server", id))

    @strawberry.field(description="Oldest first.")
    async def servers(
        self,
        info: Info,
        first: int | None = 50,
        after: str | None = None,
        filter: ServerFilter | None = None,  # noqa: A002 (the contract's name)
    ) -> ServerConnection:
        """Many servers."""
        viewer, wanted, window = info.context.viewer, (filter or ServerFilter()).query(), Window.of(first, after)
        rows = await oldest_servers(viewer, wanted, window.most, window.after)
        return ServerConnection(page=Slice.of(rows, window, lambda: count_servers(viewer, wanted)))

    @strawberry.field(description="The allow-list of playbooks that may be run; small, not paginated.")
    async def recipes(self, info: Info) -> list[Recipe]:
        """Every recipe."""
        return [Recipe.of(recipe) for recipe in await info.context.engine.recipes.all()]

    @strawberry.field(description="A recipe; null if it is not on the allow-list.")
    async def recipe(self, info: Info, name: str) -> Recipe | None:
        """One recipe."""
        recipe = await info.context.engine.recipes.find(name)
        return Recipe.of(recipe) if recipe is not None else None

    @strawberry.field(description="A job; null if there is none.")
    async def job(self, info: Info, id: strawberry.ID) -> ProvisionJob | None:  # noqa: A002 (the contract's name)
        """One job."""
        return await _job(info, row_number("ProvisionJob", id))

    @strawberry.field(description="Newest first.")
    async def jobs(
        self,
        info: Info,
        first: int | None = 50,
        after: str | None = None,
        filter: JobFilter | None = None,  # noqa: A002 (the contract's name)
    ) -> ProvisionJobConnection:
        """Many jobs."""
        viewer, wanted, window = info.context.viewer, (filter or JobFilter()).query(), Window.of(first, after)
        rows = await newest_jobs(viewer, wanted, window.most, window.after)
        return ProvisionJobConnection(page=Slice.of(rows, window, lambda: count_jobs(viewer, wanted)))

    @strawberry.field(description="Version and limits that a client needs.")
    def system(self, info: Info) -> System:
        """This installation."""
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
