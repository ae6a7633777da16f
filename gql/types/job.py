"""Jobs and lists of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Optional, cast

import strawberry

from gql.arguments import AfterEvent, AfterLog, First, Last, MaxBytes
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
from runner.limits import DEFAULT_PAGE_BYTES, MAX_PAGE_SIZE
from runner.verbs.read_events import parse_event_cursor
from runner.verbs.read_log import read_page
from runner.verbs.waiting import message_of

if TYPE_CHECKING:
    from gql.types.server import Server


@strawberry.type
class ProvisionJob(Node):
    """One run of one recipe on some servers."""

    row: strawberry.Private[Row]
    number: int
    """Number of the job, counted from 1; also its bare id."""
    recipe_name: str
    """Name of the recipe, also if that has left the allow-list."""
    status: JobStatus
    """Where it stands."""
    failure_reason: FailureReason | None
    """Why it ended as ERROR; else null."""
    exit_code: int | None
    """What ansible-playbook ended with, negative if a signal killed it; null if not known."""
    check: bool
    """Whether it only predicts changes (`--check`)."""
    tags: list[str]
    """Task tags that it runs; none means all."""
    requested_by: str
    """Name of the viewer that asked for it."""
    worker: str | None
    """Worker that claimed it; null until RUNNING."""
    created_at: datetime
    """When it was requested."""
    started_at: datetime | None
    """When a worker claimed it; null until then."""
    ended_at: datetime | None
    """When its state became final; null until then."""
    log_path: str | None
    """Path of the raw log, relative to the data directory, e.g. jobs/123/ansible.log."""
    log_bytes: BigInt
    """Bytes of the log stored so far."""
    log_size: int
    """The same as an Int, and so at most 2147483647, which is less than 2 GiB: use `logBytes`."""
    progress: float | None
    """0..1 while running, from tasks seen against tasks planned; null when not known."""
    line_count: int
    """Line ends stored so far, as `wc -l` counts them."""
    log_pruned_at: datetime | None
    """When the log was removed to save space; null while it is there.

    Then `log` is an empty page, and jobLog sends one empty chunk that stands at the log's old end.
    """

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

    @strawberry.field
    async def recipe(self, info: Info) -> Recipe | None:
        """The recipe as it stands now; null if it has left the allow-list."""
        recipe = await info.context.recipes.load(self.row.recipe)
        return Recipe.of(recipe) if recipe is not None else None

    @strawberry.field
    async def servers(self, info: Info) -> list[Annotated["Server", strawberry.lazy("gql.types.server")]]:
        """The requested servers that still exist, in the order of the request."""
        from gql.types.server import Server  # noqa: PLC0415 (servers know jobs and jobs know servers)

        return [Server.of(row) for row in await info.context.job_servers.load(self.row.id)]

    @strawberry.field
    async def message(self, info: Info) -> str | None:
        """For people: why it failed, or what it waits for."""
        if self.status is not JobStatus.PENDING:
            return self.row.message
        return message_of(self.row, await info.context.waits.load(self.row.id))

    @strawberry.field
    async def waiting_for(self, info: Info) -> list["ProvisionJob"]:
        """While PENDING: the jobs that hold servers this one needs, or reserve them before it."""
        return [ProvisionJob.of(wait.job) for wait in await info.context.waits.load(self.row.id)]

    @strawberry.field
    async def retry_of(self, info: Info) -> Optional["ProvisionJob"]:
        """The job that this one was made from with retryJob; null if it was pruned since."""
        row = await info.context.jobs.load(self.row.retry_of_id) if self.row.retry_of_id is not None else None
        return ProvisionJob.of(row) if row is not None else None

    @strawberry.field
    async def hosts(self, info: Info) -> list[JobHost]:
        """How far it came on each requested server, in the order of the request."""
        return [JobHost.of(row) for row in await info.context.job_hosts.load(self.row.id)]

    @strawberry.field
    async def events(self, info: Info, first: First = 100, after: AfterEvent = None) -> JobEventConnection:
        """A page of what happened in it; the same cursors as in jobEvents."""
        position = parse_event_cursor(self.row, after)
        window = Window(sized(MAX_PAGE_SIZE if first is None else first), position)
        rows = await info.context.events.load((self.row.id, window))
        return JobEventConnection(rows=rows[: window.first], has_more=len(rows) > window.first, after=after)

    @strawberry.field
    async def extra_vars(self, info: Info) -> JSON | None:
        """As requested, without secret inputs; where a value repeats a secret, it is masked as in the log."""
        return cast("JSON | None", await info.context.engine.shown.extra_vars(self.row))

    @strawberry.field
    def duration(self) -> float | None:
        """Seconds; null until started."""
        if self.row.started_at is None:
            return None
        end = self.row.ended_at or datetime.now(self.row.started_at.tzinfo)
        # A clock that was set back meanwhile gives no time below zero.
        return max(0.0, (end - self.row.started_at).total_seconds())

    @strawberry.field
    async def log(
        self, info: Info, after: AfterLog = None, max_bytes: MaxBytes = 65536, last: Last = False
    ) -> JobLogPage:
        """A page of the log; the same cursors as in jobLog.

        `last: true` starts from the end. Each log is read by itself, so in a list `maxBytes` is at most 65536.
        """
        most = DEFAULT_PAGE_BYTES if max_bytes is None else max_bytes
        if most > DEFAULT_PAGE_BYTES and any(isinstance(key, int) for key in info.path.as_list()):
            raise BadInput(f"maxBytes must be at most {DEFAULT_PAGE_BYTES} in a list: ask for more job by job")
        page = await read_page(info.context.viewer, self.row, after=after, max_bytes=most, last=bool(last))
        return JobLogPage.of(page)


@strawberry.type
class ProvisionJobEdge:
    """A job in a list."""

    cursor: str
    """Cursor of this row, for `after`."""
    node: ProvisionJob
    """The job."""


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
