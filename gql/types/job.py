"""Jobs and lists of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast

import strawberry

from gql.connection import PageInfo, Slice, cursor_of
from gql.context import Info
from gql.enums import FailureReason, JobStatus
from gql.ids import global_id
from gql.scalars import JSON
from gql.types.log import JobLogPage, clamped
from gql.types.node import Node
from gql.types.recipe import Recipe
from models import ProvisionJob as Row
from runner.limits import DEFAULT_PAGE_BYTES
from runner.logs import read_page

if TYPE_CHECKING:
    from gql.types.server import Server

_HIDDEN = "***"


@strawberry.type(description="One run of one recipe on some servers.")
class ProvisionJob(Node):
    """A job."""

    row: strawberry.Private[Row]
    number: int
    recipe_name: str
    status: JobStatus
    failure_reason: FailureReason | None
    message: str | None = strawberry.field(description="For people: why it failed, or what it waits for.")
    exit_code: int | None
    check: bool
    tags: list[str]
    requested_by: str
    worker: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    log_path: str | None = strawberry.field(
        description="Path of the raw log, relative to the data directory, e.g. jobs/123/ansible.log."
    )
    log_size: int = strawberry.field(description="Bytes stored so far (at most the largest Int).")
    line_count: int = strawberry.field(description="Line ends stored so far, as `wc -l` counts them.")

    @classmethod
    def of(cls, row: Row) -> "ProvisionJob":
        """The job as clients see it."""
        return cls(
            id=global_id("ProvisionJob", row.id),
            row=row,
            number=row.id,
            recipe_name=row.recipe,
            status=row.status,
            failure_reason=row.failure_reason,
            message=row.message,
            exit_code=row.exit_code,
            check=row.check_mode,
            tags=row.tags,
            requested_by=row.requested_by,
            worker=row.worker,
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            log_path=row.log_path,
            log_size=clamped(row.log_size),
            line_count=clamped(row.line_count),
        )

    @strawberry.field(description="The recipe as it stands now; null if it has left the allow-list.")
    def recipe(self, info: Info) -> Recipe | None:
        """The recipe of this name."""
        recipe = info.context.engine.recipes.find(self.row.recipe)
        return Recipe.of(recipe) if recipe is not None else None

    @strawberry.field(description="The requested servers that still exist, in the order of the request.")
    async def servers(self, info: Info) -> list[Annotated["Server", strawberry.lazy("gql.types.server")]]:
        """Where it runs."""
        from gql.types.server import Server  # noqa: PLC0415 (servers know jobs and jobs know servers)

        return [Server.of(row) for row in await info.context.job_servers.load(self.row.id)]

    @strawberry.field(description="As requested; values of secret inputs are never shown.")
    def extra_vars(self) -> JSON | None:
        """The extra variables."""
        return cast("JSON | None", self.row.extra_vars)

    @strawberry.field(description="Seconds; null until started.")
    def duration(self) -> float | None:
        """How long it ran, or has run so far."""
        if self.row.started_at is None:
            return None
        end = self.row.ended_at or datetime.now(self.row.started_at.tzinfo)
        return (end - self.row.started_at).total_seconds()

    @strawberry.field(description="A page of the log; the same cursors as in jobLog. `last: true` starts from the end.")
    async def log(
        self, info: Info, after: str | None = None, max_bytes: int | None = 65536, last: bool | None = False
    ) -> JobLogPage:
        """Some of its log."""
        most = DEFAULT_PAGE_BYTES if max_bytes is None else max_bytes
        page = await read_page(info.context.viewer, self.row, after=after, max_bytes=most, last=bool(last))
        return JobLogPage.of(page)


@strawberry.type
class ProvisionJobEdge:
    """A job in a list."""

    cursor: str
    node: ProvisionJob


@strawberry.type
class ProvisionJobConnection:
    """A page of jobs."""

    query: strawberry.Private[Slice[Row]]
    edges: list[ProvisionJobEdge]
    nodes: list[ProvisionJob]
    page_info: PageInfo

    @strawberry.field
    async def total_count(self) -> int:
        """How many jobs fit the filter in all."""
        return await self.query.query.count()

    @classmethod
    def of(cls, page: Slice[Row]) -> "ProvisionJobConnection":
        """The page as clients see it."""
        nodes = [ProvisionJob.of(row) for row in page.rows]
        edges = [ProvisionJobEdge(cursor=cursor_of(node.row), node=node) for node in nodes]
        return cls(query=page, edges=edges, nodes=nodes, page_info=page.info)
