"""The question about workers: who is alive, and what each has to do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tortoise.functions import Count

from models import JobStatus, ProvisionJob, WorkerEntry
from runner.jobs.worker import Worker
from runner.lease import LEASE_SECONDS


@dataclass(frozen=True)
class Alive:
    """A worker that was heard of within its lease."""

    name: str
    running: int
    slots: int
    heartbeat_at: datetime


async def alive_workers(worker: Worker | None) -> list[Alive]:
    """All of them by name; `worker` is the one of this process, if it has one."""
    if worker is not None and worker.alone:
        # No row tells of it: that it answers is its heartbeat.
        return [Alive(worker.name, len(worker.running), worker.slots, datetime.now(UTC))]
    since = datetime.now(UTC) - timedelta(seconds=LEASE_SECONDS)
    entries = sorted(await WorkerEntry.filter(heartbeat_at__gte=since), key=lambda entry: entry.name)
    running = ProvisionJob.filter(status=JobStatus.RUNNING, worker__in=[entry.name for entry in entries])
    counts = (
        dict(await running.annotate(n=Count("id")).group_by("worker").values_list("worker", "n")) if entries else {}
    )
    return [Alive(entry.name, int(counts.get(entry.name, 0)), entry.slots, entry.heartbeat_at) for entry in entries]
