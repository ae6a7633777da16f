"""Version, limits and the queue."""

from dataclasses import asdict
from datetime import UTC, datetime

import strawberry

from gql.context import Context
from gql.enums import JobStatus, Role
from models import ProvisionJob
from models.chunk import MAX_BYTES
from runner.limits import MAX_PAGE_SIZE
from runner.workers import Alive, alive_workers


@strawberry.type(description="Who is asking.")
class Viewer:
    """The caller."""

    name: str
    role: Role


@strawberry.type(description="One process that runs jobs.")
class WorkerInfo:
    """A worker."""

    name: str
    running: int
    slots: int
    heartbeat_at: datetime


@strawberry.type(description="What waits and what runs.")
class QueueStats:
    """The queue."""

    pending: int
    running: int
    workers: list[WorkerInfo]


@strawberry.type(description="Version and limits that a client needs.")
class System:
    """This installation."""

    context: strawberry.Private[Context]
    version: str
    max_page_size: int
    max_log_chunk_bytes: int

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
        worker = self.context.worker
        if worker is not None and worker.alone:
            # It lives in this very process: answering is its heartbeat.
            found = [Alive(worker.name, len(worker.running), worker.slots, datetime.now(UTC))]
        else:
            found = await alive_workers()
        workers = [WorkerInfo(**asdict(one)) for one in found]
        return QueueStats(
            pending=await ProvisionJob.filter(status=JobStatus.PENDING).count(),
            running=await ProvisionJob.filter(status=JobStatus.RUNNING).count(),
            workers=workers,
        )
