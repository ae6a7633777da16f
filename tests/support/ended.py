"""Jobs as an earlier run left them: rows, chunks, events and a directory, without running anything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models import JobEvent, JobHost, JobStatus, LogChunk, ProvisionJob
from playcast.storage.database import migrate, opened
from runner.job_dir import JobDir
from runner.retention.rules import Victim


@asynccontextmanager
async def database(data_dir: Path) -> AsyncIterator[None]:
    """The database of a server that does not run."""
    url = f"sqlite://{data_dir / 'playcast.sqlite3'}"
    await migrate(url)
    async with opened(url):
        yield


async def job_row(*, days: float = 0, status: JobStatus = JobStatus.SUCCESS, **columns: Any) -> ProvisionJob:
    """A job that ended so many days ago."""
    ended_at = datetime.now(UTC) - timedelta(days=days)
    plain = {"recipe": "base", "revision": "1", "tags": [], "skip_tags": [], "timeout_seconds": 60, "requested_by": "t"}
    return await ProvisionJob.create(**{**plain, "status": status, "ended_at": ended_at, **columns})


async def ended_job(
    data_dir: Path, log: bytes = b"", *, events: int = 0, cut: int = 10, **columns: Any
) -> ProvisionJob:
    """Such a job with all that it left: `log` in chunks of `cut` bytes, so many events, one host, a directory."""
    sizes = {"log_size": len(log), "line_count": log.count(b"\n"), "event_count": events, "events_size": 100 * events}
    job = await job_row(**{**sizes, **columns})
    now = datetime.now(UTC)
    starts = range(0, len(log), cut)
    await LogChunk.bulk_create(
        [LogChunk(job_id=job.id, start=at, first_line=1, data=log[at : at + cut], emitted_at=now) for at in starts]
    )
    await JobEvent.bulk_create([JobEvent.of(job.id, seq, "status", now, {}) for seq in range(1, events + 1)])
    await JobHost.create(job_id=job.id, host="srv-1", server_name="here")
    job_dir = JobDir(data_dir / "jobs", job.id)
    job_dir.make()
    job_dir.write(job_dir.log, log)
    job_dir.write(job_dir.spec, f'{{"created_at": "{job.created_at.isoformat()}"}}'.encode())
    return job


async def rows_of(job: ProvisionJob) -> dict[str, int]:
    """How many rows there are of this job in each table."""
    return {
        "job": await ProvisionJob.filter(id=job.id).count(),
        "hosts": await JobHost.filter(job_id=job.id).count(),
        "chunks": await LogChunk.filter(job_id=job.id).count(),
        "events": await JobEvent.filter(job_id=job.id).count(),
    }


def files_of(data_dir: Path, job: ProvisionJob) -> list[str]:
    """The names in the job's directory; none if that is gone."""
    return sorted(path.name for path in (data_dir / "jobs" / str(job.id)).glob("*"))


def told(victim: Victim) -> tuple[int, str, str, int]:
    """A victim in short: its number, what of it goes, why, and its bytes."""
    what = "+".join(name for name, goes in (("job", victim.job), ("log", victim.log)) if goes)
    return victim.job_id, what, victim.why.value, victim.size
