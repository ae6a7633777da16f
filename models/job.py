"""Jobs: one run of one recipe on some servers, its states and the legal moves between them.

PENDING -> RUNNING -> SUCCESS | ERROR | CANCELED. Every move is a guarded UPDATE: 0 rows changed means that
somebody else moved the job first, and the caller drops what it wanted to do. Each move counts one event more, which
its caller writes in the same transaction (runner.jobs.transitions). docs/states.md draws the machine.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.connection import get_connection
from tortoise.expressions import F
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.dialect import mark
from models.json_field import JsonField


class FenceLost(Exception):
    """Another claim of this job has taken over; whatever this one still wanted to write is dropped."""


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING = "PENDING"
    """Stored; it waits for its servers, or for a worker with a free slot. Nothing has started."""
    RUNNING = "RUNNING"
    """A worker has claimed it; its playbook is starting, runs, or has just ended."""
    SUCCESS = "SUCCESS"
    """Every requested server was served, without a failure."""
    ERROR = "ERROR"
    """It ended in any other way; `failureReason` and `message` say how."""
    CANCELED = "CANCELED"
    """Somebody stopped it; `message` says who."""


FINAL = frozenset({JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELED})


class FailureReason(StrEnum):
    """Why a job ended as ERROR."""

    PLAYBOOK_FAILED = "PLAYBOOK_FAILED"
    """A task failed, or ansible could not run the playbook; `message` names where and why."""
    HOST_UNREACHABLE = "HOST_UNREACHABLE"
    """Servers could not be reached, and on none did a task fail."""
    TIMEOUT = "TIMEOUT"
    """It was stopped at its deadline."""
    WORKER_LOST = "WORKER_LOST"
    """Its worker or its processes are gone; nobody knows how far it came."""
    LAUNCH_FAILED = "LAUNCH_FAILED"
    """ansible-playbook could not be started; nothing has run."""


class ProvisionJob(Model):
    """One run of one recipe. `fence` grows with each claim: a writer with an old fence is harmless."""

    id = fields.IntField(primary_key=True)
    recipe = fields.CharField(max_length=64)
    revision = fields.CharField(max_length=64)
    status = fields.CharEnumField(JobStatus, max_length=16, description="where the job stands")
    failure_reason = fields.CharEnumField(
        FailureReason, max_length=32, null=True, description="why the job ended as ERROR"
    )
    message = fields.TextField(null=True)
    exit_code = fields.IntField(null=True)
    check_mode = fields.BooleanField(default=False)
    diff = fields.BooleanField(default=False)
    tags: list[str] = JsonField()
    skip_tags: list[str] = JsonField()
    extra_vars: dict[str, Any] | None = JsonField(null=True)
    secret_vars: bytes | None = fields.BinaryField(null=True)
    timeout_seconds = fields.IntField()
    priority = fields.IntField(default=0)
    requested_by = fields.CharField(max_length=64)
    idempotency_key = fields.CharField(max_length=255, null=True, unique=True)
    fence = fields.IntField(default=0)
    worker = fields.CharField(max_length=128, null=True)
    cancel_requested_by = fields.CharField(max_length=64, null=True)
    admitted_at = fields.DatetimeField(null=True)
    launched_at = fields.DatetimeField(null=True)
    # No foreign key: each prune of a job would search all others for it.
    retry_of_id = fields.IntField(null=True)
    progress = fields.FloatField(null=True)
    event_count = fields.IntField(default=0, db_default=0)
    events_size = fields.BigIntField(default=0, db_default=0)
    log_pruned_at = fields.DatetimeField(null=True)
    log_path = fields.CharField(max_length=255, null=True)
    log_size = fields.BigIntField(default=0)
    line_count = fields.BigIntField(default=0)
    created_at = fields.DatetimeField(auto_now_add=True)
    started_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "provision_job"
        table_description = "jobs"
        # Each filter of a list, newest first. Without those of two columns SQLite, which knows nothing of how often a
        # value occurs, would go through every job of a recipe for the few that failed.
        indexes = (
            ("status", "id"),
            ("recipe", "id"),
            ("recipe", "status", "id"),
            ("requested_by", "id"),
            ("requested_by", "status", "id"),
            ("created_at", "id"),
        )

    @property
    def final(self) -> bool:
        """Whether nothing about this job can change any more."""
        return self.status in FINAL

    @classmethod
    async def find(cls, job_id: int) -> "ProvisionJob | None":
        """The job as it stands now, or None.

        In plain SQL: building this one statement anew each time took twice as long as all the rest.
        """
        db = get_connection("default")
        columns = ", ".join(cls._meta.db_fields)
        query = f"SELECT {columns} FROM provision_job WHERE id = {mark(db, 1)}"  # noqa: S608 (names of ours alone)
        found: list[ProvisionJob] = await db.executor_class(model=cls, db=db).execute_select(query, [job_id])
        return found[0] if found else None

    @classmethod
    async def claim(cls, job_id: int, worker: str, at: datetime) -> "ProvisionJob | None":
        """PENDING -> RUNNING for `worker`, with a new fence; None if the job is not PENDING any more."""
        moved = await cls.filter(id=job_id, status=JobStatus.PENDING).update(
            status=JobStatus.RUNNING,
            fence=F("fence") + 1,
            event_count=F("event_count") + 1,
            worker=worker,
            started_at=at,
        )
        return await cls.get(id=job_id) if moved else None

    @classmethod
    def _claimed(cls, job_id: int, fence: int) -> "QuerySet[ProvisionJob]":
        """The job while it runs under this claim; nothing once somebody else has moved it."""
        return cls.filter(id=job_id, status=JobStatus.RUNNING, fence=fence)

    async def finish(
        self,
        *,
        status: JobStatus,
        reason: FailureReason | None,
        message: str | None,
        exit_code: int | None,
        at: datetime,
    ) -> bool:
        """RUNNING -> a final state, if this claim still holds; False if somebody else moved the job."""
        moved = await self._claimed(self.id, self.fence).update(
            status=status,
            failure_reason=reason,
            message=message,
            exit_code=exit_code,
            ended_at=at,
            event_count=F("event_count") + 1,
        )
        return bool(moved)

    async def mark_launched(self, at: datetime) -> None:
        """Note when its ansible was started; FenceLost if the job is not ours any more."""
        if not await self._claimed(self.id, self.fence).update(launched_at=at):
            raise FenceLost
        self.launched_at = at

    async def must_have_stored(self, **columns: int) -> None:
        """FenceLost unless fence and columns are these, as a commit whose answer was lost has left them."""
        now = await ProvisionJob.get_or_none(id=self.id)
        if (
            now is None
            or now.fence != self.fence
            or any(getattr(now, name) != value for name, value in columns.items())
        ):
            raise FenceLost

    @classmethod
    async def lose(cls, job_id: int, fence: int, message: str, at: datetime) -> bool:
        """RUNNING -> ERROR for a job whose worker is lost. The new fence keeps that worker from writing any more."""
        moved = await cls._claimed(job_id, fence).update(
            status=JobStatus.ERROR,
            failure_reason=FailureReason.WORKER_LOST,
            message=message,
            ended_at=at,
            fence=F("fence") + 1,
            event_count=F("event_count") + 1,
        )
        return bool(moved)

    @classmethod
    async def add_message(cls, job_id: int, more: str) -> bool:
        """Add to the message of a job whose worker was lost, once; False if there is no such job."""
        lost = await cls.get_or_none(id=job_id, status=JobStatus.ERROR, failure_reason=FailureReason.WORKER_LOST)
        if lost is None or more.partition(":")[0] in (lost.message or ""):
            return False
        return bool(await cls.filter(id=job_id, message=lost.message).update(message=f"{lost.message}{more}"))

    @classmethod
    async def cancel_pending(cls, job_id: int, by: str, at: datetime) -> bool:
        """PENDING -> CANCELED at once; False if the job is not PENDING any more."""
        moved = await cls.filter(id=job_id, status=JobStatus.PENDING).update(
            status=JobStatus.CANCELED,
            message=f"canceled by {by} before it started",
            cancel_requested_by=by,
            ended_at=at,
            event_count=F("event_count") + 1,
        )
        return bool(moved)

    @classmethod
    async def request_cancel(cls, job_id: int, by: str) -> bool:
        """Leave word for the worker of a RUNNING job; False if it does not run, or was asked before."""
        running = cls.filter(id=job_id, status=JobStatus.RUNNING, cancel_requested_by__isnull=True)
        return bool(await running.update(cancel_requested_by=by))

    @classmethod
    async def runnable(cls) -> "Iterable[tuple[int, int]]":
        """(id, priority) of every job that holds its servers and waits for a worker; best rank first."""
        admitted = cls.filter(status=JobStatus.PENDING, admitted_at__isnull=False)
        rows = await admitted.order_by("-priority", "id").values_list("id", "priority")
        return [(int(row[0]), int(row[1])) for row in rows]
