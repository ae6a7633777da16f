"""A database in which each list of the API is long: `python -m tests.support.plenty URL` fills it with old jobs."""

import asyncio
import json
import sys
from datetime import UTC, datetime

from models import JobEvent, JobHost, JobStatus, LogChunk, ProvisionJob, Server, ServerTag
from playcast.storage.database import migrate, opened

SERVERS = 100
JOBS = 1000
HOSTS = 20
"""Servers of each job, so each server has JOBS * HOSTS / SERVERS jobs."""
EVENTS = 400
"""Of job 1."""
LOG_BYTES = 4 * 1024 * 1024
"""Of job 1, of which each character takes six in JSON."""
BLOCK = 64 * 1024
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RESULT = json.dumps({"stdout": "x" * 20_000, "lines": ["y"] * 500})


async def fill() -> None:
    """Write it all into a database with an empty schema."""
    plain = {"host": "h", "port": 22, "user": "u", "auth": "LOCAL", "variables": {"motd": "z" * 1000}}
    await Server.bulk_create([Server(name=f"s{number}", **plain) for number in range(SERVERS)])
    await ServerTag.bulk_create([ServerTag(server_id=number + 1, tag=tag) for number in range(SERVERS) for tag in "ab"])
    given = {"revision": "r", "tags": [], "skip_tags": [], "timeout_seconds": 60, "requested_by": "token", "fence": 1}
    jobs = [
        ProvisionJob(recipe="base", status=JobStatus.SUCCESS, created_at=NOW, started_at=NOW, ended_at=NOW, **given)
        for _ in range(JOBS)
    ]
    jobs[0].log_size, jobs[0].event_count = LOG_BYTES, EVENTS
    await ProvisionJob.bulk_create(jobs, batch_size=500)
    await JobHost.bulk_create(
        [
            JobHost(job_id=job + 1, server_id=(job * HOSTS + host) % SERVERS + 1, host=f"srv-{host}", server_name="s")
            for job in range(JOBS)
            for host in range(HOSTS)
        ],
        batch_size=1000,
    )
    host = {"host": "srv-1", "task_id": "1", "task": "t", "status": "OK", "duration": 1, "message": None,
            "result": json.loads(RESULT), "truncated": False}  # fmt: skip
    await JobEvent.bulk_create(
        [JobEvent(job_id=1, seq=seq + 1, at=NOW, kind="host", payload=json.dumps(host)) for seq in range(EVENTS)],
        batch_size=50,
    )
    await LogChunk.bulk_create(
        [
            LogChunk(job_id=1, start=start, first_line=1, data=b"\x1b" * BLOCK, emitted_at=NOW)
            for start in range(0, LOG_BYTES, BLOCK)
        ]
    )


async def main(url: str) -> None:
    await migrate(url)
    async with opened(url):
        await fill()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
