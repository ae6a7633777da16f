"""Lines of `events.jsonl` as the callback plugin writes them, and a job that takes them in without ansible."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models import JobEvent, JobHost, JobStatus, LogChunk, ProvisionJob
from playcast.storage.database import migrate, opened
from runner.bus import LocalBus
from runner.events.event_line import COUNTERS
from runner.events.intake import Intake
from runner.job_dir import JobDir

AT = "2026-11-23T16:19:49.533Z"
ZEROES = {"ok": 0, "changed": 0, "failed": 0, "skipped": 0, "unreachable": 0, "rescued": 0, "ignored": 0}
_DETAILS: dict[str, dict[str, Any]] = {
    "start": {"planned": 2},
    "play": {"play": "First play", "hosts": ["srv-1", "srv-2"]},
    "task": {"play": "First play", "task_id": "t1", "task": "Say", "action": "debug", "path": "playbooks/base.yml:6"},
    "host": {
        "host": "srv-1",
        "task_id": "t1",
        "task": "Say",
        "status": "OK",
        "duration": 0.5,
        "message": "hello",
        "result": {"msg": "hello"},
        "truncated": False,
    },
    "recap": {"hosts": {"srv-1": {**ZEROES, "ok": 1}, "srv-2": {**ZEROES, "failed": 1}}},
}


def line(kind: str, /, **given: Any) -> bytes:
    """One event of this kind, on a line of its own; `given` replaces details."""
    common = {"seq": 1, "at": AT, "kind": kind, "log_start": 0, "log_offset": 0, "progress": None}
    return json.dumps({**common, **_DETAILS[kind], **given}).encode() + b"\n"


def without(kind: str, name: str) -> bytes:
    """The same without one member."""
    event = json.loads(line(kind))
    del event[name]
    return json.dumps(event).encode() + b"\n"


@dataclass
class Desk:
    """A job that was claimed, with two hosts, and its directory."""

    job: ProvisionJob
    job_dir: JobDir
    bus: LocalBus

    def write(self, *lines: bytes) -> None:
        with self.job_dir.events.open("ab") as file:
            file.write(b"".join(lines))

    async def take(self) -> None:
        """Take in what is there, as at the end of the job."""
        drained = asyncio.Event()
        drained.set()
        await Intake(self.job, self.job_dir, self.bus).follow(drained)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[Intake]:
        """An intake that follows the file until the context ends."""
        intake, drained = Intake(self.job, self.job_dir, self.bus), asyncio.Event()
        task = asyncio.create_task(intake.follow(drained))
        yield intake
        drained.set()
        await asyncio.wait_for(task, 20)

    async def rows(self) -> list[JobEvent]:
        """Every event but that of the claim, which has number 1."""
        before = (await ProvisionJob.get(id=self.job.id)).event_count
        rows = await JobEvent.filter(job_id=self.job.id).order_by("seq")
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert before <= len(rows) <= (await ProvisionJob.get(id=self.job.id)).event_count
        return rows[1:]

    async def stored(self, count: int) -> list[JobEvent]:
        """The events once there are `count`."""
        deadline = time.monotonic() + 20
        while len(rows := await self.rows()) < count:
            assert time.monotonic() < deadline, f"{len(rows)} events are stored, not {count}"
            await asyncio.sleep(0.005)
        return rows

    async def counters(self, host: str = "srv-1") -> dict[str, int]:
        """The counters of a host that are not zero."""
        row = await JobHost.get(job_id=self.job.id, host=host)
        found = {name: int(vars(row)[name]) for name in COUNTERS}
        return {name: count for name, count in found.items() if count}

    async def again(self) -> None:
        """Read the job anew, as after a restart."""
        self.job = await ProvisionJob.get(id=self.job.id)

    async def log(self, content: bytes) -> None:
        """Store a log."""
        await LogChunk.create(job_id=self.job.id, start=0, first_line=1, data=content, emitted_at=datetime.now(UTC))
        self.job.log_size = len(content)


@asynccontextmanager
async def desk_on(url: str, jobs_dir: Path) -> AsyncIterator[Desk]:
    """The one job of a database."""
    await migrate(url)
    async with opened(url):
        waiting = await ProvisionJob.create(
            recipe="base", revision="r", status=JobStatus.PENDING, tags=[], skip_tags=[], timeout_seconds=60,
            requested_by="test",
        )  # fmt: skip
        for number in (1, 2):
            await JobHost.create(job_id=waiting.id, host=f"srv-{number}", server_name=f"s{number}")
        job = await ProvisionJob.claim(waiting.id, "test", datetime.now(UTC))
        assert job is not None
        await JobEvent.of(job.id, 1, "status", datetime.now(UTC), {"status": "RUNNING", "reason": None}).save()
        job_dir = JobDir(jobs_dir, job.id)
        job_dir.make()
        yield Desk(job, job_dir, LocalBus())
