"""When a watcher of jobs hears of what: a state at once, progress gathered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models import JobStatus, ProvisionJob
from runner.bus import Topic
from runner.jobs import transitions
from runner.verbs import watch_jobs
from runner.verbs.watch_jobs import follow_jobs
from runner.viewer import LOCAL_VIEWER
from tests.support.locking import OUTCOMES, Fleet, fleet_on


@pytest.fixture
async def fleet(tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Fleet]:
    async with fleet_on(f"sqlite://{tmp_path}/jobs.sqlite3", tmp_path / "data", ansible_dir, 2) as found:
        yield found


async def happen(fleet: Fleet, job_id: int, count: int) -> None:
    """Something happens in a job, told as the intake tells it; a change of state is an event as well."""
    await ProvisionJob.filter(id=job_id).update(event_count=count)
    fleet.engine.bus.publish(Topic.EVENTS, job_id)


async def heard(updates: AsyncIterator[ProvisionJob]) -> tuple[int, JobStatus, int]:
    job = await anext(updates)
    return job.id, job.status, job.event_count


async def test_a_state_is_told_at_once_and_progress_is_gathered(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever waited for it would not live to see it.
    monkeypatch.setattr(watch_jobs, "GATHER_SECONDS", 3600.0)
    job, other = await fleet.submit(0), await fleet.submit(1)
    running = await fleet.start(job)
    async with asyncio.timeout(60):
        updates = follow_jobs(fleet.engine, LOCAL_VIEWER, [job, other])
        assert [await heard(updates), await heard(updates)] == [
            (job, JobStatus.RUNNING, 2),
            (other, JobStatus.PENDING, 1),
        ]
        first = asyncio.ensure_future(heard(updates))
        await asyncio.sleep(0)
        await happen(fleet, job, 11)
        # After a silence progress is told at once as well.
        assert await first == (job, JobStatus.RUNNING, 11)
        second = asyncio.ensure_future(heard(updates))
        for count in (12, 13):
            await happen(fleet, job, count)
            await asyncio.sleep(0.1)
            assert not second.done()
        assert await transitions.finish(fleet.engine, running, OUTCOMES[JobStatus.SUCCESS])
        assert await second == (job, JobStatus.SUCCESS, 14)
        # The end of the pause does not wait for another one.
        third = asyncio.ensure_future(heard(updates))
        await fleet.start(other)
        assert await third == (other, JobStatus.RUNNING, 2)
        await updates.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_what_came_while_it_gathered_is_told_after_it(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_jobs, "GATHER_SECONDS", 0.3)
    job = await fleet.submit(0)
    await fleet.start(job)
    async with asyncio.timeout(60):
        updates = follow_jobs(fleet.engine, LOCAL_VIEWER, None)
        assert await heard(updates) == (job, JobStatus.RUNNING, 2)
        waits = asyncio.ensure_future(heard(updates))
        await asyncio.sleep(0)
        await happen(fleet, job, 11)
        assert await waits == (job, JobStatus.RUNNING, 11)
        for count in (12, 13, 14):
            await happen(fleet, job, count)
        assert await heard(updates) == (job, JobStatus.RUNNING, 14)
        await updates.aclose()  # type: ignore[attr-defined]  # it is a generator
