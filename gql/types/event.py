"""What happened in a job, as clients see it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

import strawberry

from gql.connection import PageInfo
from gql.context import Info
from gql.enums import FailureReason, HostTaskStatus, JobStatus
from gql.pace import pace
from gql.scalars import JSON
from gql.types.host import JobHost
from gql.types.log import clamped
from models import JobEvent as Row
from runner.verbs.read_events import Batch


@strawberry.interface
class JobEvent:
    """Something that happened in a job. `seq` counts from 1 without gaps."""

    seq: int
    """Number of the event in its job, from 1 without gaps."""
    at: datetime
    """When it happened."""


@strawberry.type
class JobStatusEvent(JobEvent):
    """The job took a state."""

    status: JobStatus
    """The state that the job took."""
    failure_reason: FailureReason | None
    """Why, if that is ERROR; else null."""


@strawberry.type
class PlayStartedEvent(JobEvent):
    """A play began."""

    play: str
    """Name of the play."""
    hosts: list[str]
    """Hosts of the play, `srv-<number>`; the first 1000."""


@strawberry.type
class TaskStartedEvent(JobEvent):
    """A task began."""

    play: str
    """Name of the play."""
    task_id: strawberry.ID
    """Ansible's id of the task, the same in its HostTaskEvents."""
    task: str
    """Name of the task."""
    action: str
    """Its module, e.g. ansible.builtin.copy."""
    path: str | None
    """File and line, relative to the ansible directory."""
    log_line: int | None
    """Line of the log where the task begins."""


@strawberry.type
class HostTaskEvent(JobEvent):
    """A task ended on a host."""

    host: str
    """Name of the host in the inventory, `srv-<number>`."""
    delegated_to: str | None
    """The host that the task ran on in its place, by `delegate_to`; null if it ran on its own."""
    task_id: strawberry.ID
    """Ansible's id of the task."""
    task: str
    """Name of the task."""
    status: HostTaskStatus
    """How it ended there."""
    duration: float | None
    """Seconds."""
    message: str | None
    """What the module said, at most 2000 characters; null if nothing."""
    result: JSON | None
    """Module result after no_log and secret masking; null when not kept (see `resultTruncated`)."""
    result_truncated: bool
    """Whether `result` was cut or left out because it is larger than 64 KiB of JSON."""
    log_line: int | None
    """Line of the log where this result appears."""


@strawberry.type
class RecapEvent(JobEvent):
    """Ansible's recap: the job's work on its servers is over."""

    row: strawberry.Private[Row]

    @strawberry.field
    async def hosts(self, info: Info) -> list[JobHost]:
        """The requested servers that a play names."""
        counted: dict[str, dict[str, int]] = self.row.details["hosts"]
        rows = await info.context.job_hosts.load(self.row.job_id)
        return [JobHost.of(row, counted[row.host]) for row in rows if row.host in counted]


EVENTS = (JobStatusEvent, PlayStartedEvent, TaskStartedEvent, HostTaskEvent, RecapEvent)


def _status(row: Row, details: dict[str, Any]) -> JobEvent:
    reason = details["reason"]
    return JobStatusEvent(
        seq=row.seq,
        at=row.at,
        status=JobStatus(details["status"]),
        failure_reason=FailureReason(reason) if reason is not None else None,
    )


def _play(row: Row, details: dict[str, Any]) -> JobEvent:
    return PlayStartedEvent(seq=row.seq, at=row.at, play=details["play"], hosts=details["hosts"])


def _task(row: Row, details: dict[str, Any]) -> JobEvent:
    return TaskStartedEvent(
        seq=row.seq,
        at=row.at,
        play=details["play"],
        task_id=strawberry.ID(details["task_id"]),
        task=details["task"],
        action=details["action"],
        path=details["path"],
        log_line=_line(row),
    )


def _host(row: Row, details: dict[str, Any]) -> JobEvent:
    return HostTaskEvent(
        seq=row.seq,
        at=row.at,
        host=details["host"],
        delegated_to=details.get("delegate"),
        task_id=strawberry.ID(details["task_id"]),
        task=details["task"],
        status=HostTaskStatus(details["status"]),
        duration=details["duration"],
        message=details["message"],
        result=cast("JSON | None", details["result"]),
        result_truncated=details["truncated"],
        log_line=_line(row),
    )


def _line(row: Row) -> int | None:
    return clamped(row.log_line) if row.log_line is not None else None


_KINDS: dict[str, Callable[[Row, dict[str, Any]], JobEvent]] = {
    "status": _status,
    "play": _play,
    "task": _task,
    "host": _host,
    "recap": lambda row, _details: RecapEvent(seq=row.seq, at=row.at, row=row),
}


def event_of(row: Row) -> JobEvent:
    """The event that a row is to clients."""
    return _KINDS[row.kind](row, row.details)


async def events_of(rows: Sequence[Row], client: object) -> list[JobEvent]:
    """The events that rows are to clients. Each may hold a long result, which is read here."""
    turns = pace()
    events = []
    for row in rows:
        await turns.turn(client)
        events.append(event_of(row))
    return events


@strawberry.type
class JobEventBatch:
    """Consecutive events; resume after `cursor`. `end`: the job can have no more."""

    cursor: str
    """Resume point after these events."""
    events: list[JobEvent]
    """The events, in the order of `seq`."""
    end: bool
    """Whether the job has ended and these are its last events."""

    @classmethod
    async def of(cls, batch: Batch, client: object) -> "JobEventBatch":
        """The batch as clients see it."""
        return cls(cursor=str(batch.cursor), events=await events_of(batch.events, client), end=batch.end)


@strawberry.type
class JobEventEdge:
    """An event in a list."""

    cursor: str
    """Resume point after this event."""
    node: JobEvent
    """The event."""


@strawberry.type
class JobEventConnection:
    """A page of events; the same cursors as in jobEvents."""

    rows: strawberry.Private[Sequence[Row]]
    has_more: strawberry.Private[bool]
    after: strawberry.Private[str | None]

    @strawberry.field
    async def edges(self, info: Info) -> list[JobEventEdge]:
        """The events, each with its cursor."""
        events = await events_of(self.rows, info.context.asking)
        return [JobEventEdge(cursor=str(event.seq), node=event) for event in events]

    @strawberry.field
    async def nodes(self, info: Info) -> list[JobEvent]:
        """The events."""
        return await events_of(self.rows, info.context.asking)

    @strawberry.field
    def page_info(self) -> PageInfo:
        """Where the page stands."""
        return PageInfo(
            has_next_page=self.has_more,
            has_previous_page=self.after is not None,
            start_cursor=str(self.rows[0].seq) if self.rows else None,
            end_cursor=str(self.rows[-1].seq) if self.rows else None,
        )
