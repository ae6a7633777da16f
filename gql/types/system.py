"""Version, limits and the queue."""

from dataclasses import asdict
from datetime import datetime

import strawberry

from gql.context import Context
from gql.enums import JobStatus, Role
from models import ProvisionJob
from models.chunk import MAX_BYTES
from runner.limits import MAX_PAGE_SIZE


@strawberry.type
class Viewer:
    """Who is asking."""

    name: str
    """Name that is recorded on the jobs it starts."""
    role: Role
    """What it may do."""


@strawberry.type
class WorkerInfo:
    """One process that runs jobs."""

    name: str
    """Name of the worker."""
    running: int
    """Jobs that it runs now."""
    slots: int
    """Jobs that it may run at the same time."""
    heartbeat_at: datetime
    """When it last said that it is alive."""


@strawberry.type
class QueueStats:
    """What waits and what runs."""

    pending: int
    """Jobs that are PENDING."""
    running: int
    """Jobs that are RUNNING."""
    workers: list[WorkerInfo]
    """Workers that are alive."""


@strawberry.type
class System:
    """Version and limits that a client needs."""

    context: strawberry.Private[Context]
    version: str
    """Version of Playcast."""
    max_page_size: int
    """Most rows of a page (`first`)."""
    max_log_chunk_bytes: int
    """Most bytes of the log in one JobLogChunk."""

    @classmethod
    def of(cls, context: Context) -> "System":
        """The installation that a context belongs to."""
        return cls(
            context=context,
            version=context.version,
            max_page_size=MAX_PAGE_SIZE,
            max_log_chunk_bytes=MAX_BYTES,
        )

    @strawberry.field
    async def queue(self) -> QueueStats:
        """The queue now."""
        workers = [WorkerInfo(**asdict(one)) for one in await self.context.alive_workers()]
        return QueueStats(
            pending=await ProvisionJob.filter(status=JobStatus.PENDING).count(),
            running=await ProvisionJob.filter(status=JobStatus.RUNNING).count(),
            workers=workers,
        )
