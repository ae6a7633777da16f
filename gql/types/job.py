"""Jobs and lists of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Optional, cast

import strawberry

from gql.connection import PageInfo, Slice, Window, cursor_of, sized
from gql.context import Info
from gql.enums import FailureReason, JobStatus
from gql.ids import global_id
from gql.scalars import JSON, BigInt
from gql.types.event import JobEventConnection
from gql.types.host import JobHost
from gql.types.log import JobLogPage, clamped
from gql.types.node import Node
from gql.types.recipe import Recipe
from models import ProvisionJob as Row
from runner.errors import BadInput
from runner.events import parse_event_cursor
from runner.limits import DEFAULT_PAGE_BYTES, MAX_PAGE_SIZE
from runner.logs import read_page
from runner.waiting import message_of

if TYPE_CHECKING:
    from gql.types.server import Server


@strawberry.type(description="One run of one recipe on some servers.")
class ProvisionJob(Node):
    """A job."""

    row: strawberry.Private[Row]
    number: int
    recipe_name: str
    status: JobStatus
    failure_reason: FailureReason | None
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
    log_bytes: BigInt = strawberry.field(description="Bytes of the log stored so far.")
    log_size: int = strawberry.field(
        description="The same as an Int, and so at most 2147483647, which is less than 2 GiB: use `logBytes`."
    )
    progress: float | None = strawberry.field(
        description="0..1 while running, from tasks seen against tasks planned; null when not known."
    )
    line_count: int = strawberry.field(description="Line ends stored so far, as `wc -l` counts them.")
    log_pruned_at: datetime | None = strawberry.field(
        description=(
            "When the log was removed to save space; null while it is there. Then `log` is an empty page, and jobLog "
            "sends one empty chunk that stands at the log's old end."
        )
    )

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
            exit_code=row.exit_code,
            check=row.check_mode,
            tags=row.tags,
            requested_by=row.requested_by,
            worker=row.worker,
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            log_path=row.log_path,
            progress=row.progress,
            log_bytes=BigInt(row.log_size),
            log_size=clamped(row.log_size),
            line_count=clamped(row.line_count),
            log_pruned_at=row.log_pruned_at,
        )

    @strawberry.field(description="The recipe as it stands now; null if it has left the allow-list.")
    async def recipe(self, info: Info) -> Recipe | None:
        """The recipe of this name."""
        recipe = await info.context.recipes.load(self.row.recipe)
        return Recipe.of(recipe) if recipe is not None else None

    @strawberry.field(description="The requested servers that still exist, in the order of the request.")
    async def servers(self, info: Info) -> list[Annotated["Server", strawberry.lazy("gql.types.server")]]:
        """Where it runs."""
        from gql.types.server import Server  # noqa: PLC0415 (servers know jobs and jobs know servers)

        return [Server.of(row) for row in await info.context.job_servers.load(self.row.id)]

    @strawberry.field(description="For people: why it failed, or what it waits for.")
    async def message(self, info: Info) -> str | None:
        """Why it stands where it stands."""
        if self.status is not JobStatus.PENDING:
            return self.row.message
        return message_of(self.row, await info.context.waits.load(self.row.id))

    @strawberry.field(
        description="While PENDING: the jobs that hold servers this one needs, or reserve them before it."
    )
    async def waiting_for(self, info: Info) -> list["ProvisionJob"]:
        """Who stands in its way."""
        return [ProvisionJob.of(wait.job) for wait in await info.context.waits.load(self.row.id)]

    @strawberry.field(description="The job that this one was made from with retryJob; null if it was pruned since.")
    async def retry_of(self, info: Info) -> Optional["ProvisionJob"]:
        """Its model."""
        row = await info.context.jobs.load(self.row.retry_of_id) if self.row.retry_of_id is not None else None
        return ProvisionJob.of(row) if row is not None else None

    @strawberry.field(description="How far it came on each requested server, in the order of the request.")
    async def hosts(self, info: Info) -> list[JobHost]:
        """Its hosts."""
        return [JobHost.of(row) for row in await info.context.job_hosts.load(self.row.id)]

    @strawberry.field(description="A page of what happened in it; the same cursors as in jobEvents.")
    async def events(self, info: Info, first: int | None = 100, after: str | None = None) -> JobEventConnection:
        """Some of its events."""
        position = parse_event_cursor(self.row, after)
        window = Window(sized(MAX_PAGE_SIZE if first is None else first), position)
        rows = await info.context.events.load((self.row.id, window))
        return JobEventConnection(rows=rows[: window.first], has_more=len(rows) > window.first, after=after)

    @strawberry.field(
        description="As requested, without secret inputs; where a value repeats a secret, it is masked as in the log."
    )
    async def extra_vars(self, info: Info) -> JSON | None:
        """The extra variables."""
        return cast("JSON | None", await info.context.engine.shown.extra_vars(self.row))

    @strawberry.field(description="Seconds; null until started.")
    def duration(self) -> float | None:
        """How long it ran, or has run so far."""
        if self.row.started_at is None:
            return None
        end = self.row.ended_at or datetime.now(self.row.started_at.tzinfo)
        # A clock that was set back meanwhile gives no time below zero.
        return max(0.0, (end - self.row.started_at).total_seconds())

    @strawberry.field(
        description=(
            "A page of the log; the same cursors as in jobLog. `last: true` starts from the end. Each log is read by "
            "itself, so in a list `maxBytes` is at most 65536."
        )
    )
    async def log(
        self, info: Info, after: str | None = None, max_bytes: int | None = 65536, last: bool | None = False
    ) -> JobLogPage:
        """Some of its log."""
        most = DEFAULT_PAGE_BYTES if max_bytes is None else max_bytes
        if most > DEFAULT_PAGE_BYTES and any(isinstance(key, int) for key in info.path.as_list()):
            raise BadInput(f"maxBytes must be at most {DEFAULT_PAGE_BYTES} in a list: ask for more job by job")
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

    page: strawberry.Private[Slice[Row]]

    @strawberry.field
    def edges(self) -> list[ProvisionJobEdge]:
        """The rows, each with its cursor."""
        return [ProvisionJobEdge(cursor=cursor_of(row), node=ProvisionJob.of(row)) for row in self.page.rows]

    @strawberry.field
    def nodes(self) -> list[ProvisionJob]:
        """The rows."""
        return [ProvisionJob.of(row) for row in self.page.rows]

    @strawberry.field
    def page_info(self) -> PageInfo:
        """Where the page stands."""
        return self.page.info

    @strawberry.field
    async def total_count(self) -> int:
        """How many jobs fit the filter in all."""
        return await self.page.count()
