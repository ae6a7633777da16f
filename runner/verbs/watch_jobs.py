"""The questions about single jobs: one, and every change of their state."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from tortoise.queryset import QuerySet

from models import FINAL, ProvisionJob
from runner.bus import Topic
from runner.engine import Engine
from runner.outages import until_answered
from runner.viewer import Viewer

RELOOK_SECONDS = 30.0
# A job that runs changes with each of its events: a watcher hears of its progress at most this often,
GATHER_SECONDS = 0.2
# and of states, which nobody should wait for, at most this often: many jobs may move at once.
STATES_SECONDS = 0.02


async def find_job(viewer: Viewer, job_id: int) -> ProvisionJob | None:
    """The job, or None."""
    return await ProvisionJob.find(job_id)


async def follow_jobs(engine: Engine, viewer: Viewer, ids: Sequence[int] | None) -> AsyncIterator[ProvisionJob]:
    """Each job now, then at every change of its state or progress; what passed in between may be left out.

    Without ids: every job that is not final now, then every job that changes.
    """
    numbers = ids if ids is not None else [None]
    states, events = ([(topic, job_id) for job_id in numbers] for topic in (Topic.JOB, Topic.EVENTS))
    with engine.bus.listen(*states, *events) as listener, engine.bus.listen(*states) as moved:
        query = ProvisionJob.exclude(status__in=list(FINAL)) if ids is None else ProvisionJob.filter(id__in=list(ids))
        told: dict[int, object] = {}
        for job in await _found(query):
            told[job.id] = _state(job)
            yield job
        while True:
            dirty = {job_id for _, job_id in await listener.wait(RELOOK_SECONDS)}
            moved.forget()
            # After a silence look at what may still move, in case a wake-up was lost.
            looked = dirty or set(told)
            for job in await _found(ProvisionJob.filter(id__in=list(looked))) if looked else []:
                if told.get(job.id) != _state(job):
                    yield job
                told[job.id] = _state(job)
                if job.final and ids is None:
                    del told[job.id]
            await asyncio.sleep(STATES_SECONDS)
            await moved.wait(GATHER_SECONDS - STATES_SECONDS)


async def _found(query: QuerySet[ProvisionJob]) -> list[ProvisionJob]:
    async def look() -> list[ProvisionJob]:
        return await query.order_by("id")

    return await until_answered(look)


def _state(job: ProvisionJob) -> object:
    return job.status, job.message, job.admitted_at, job.event_count, job.cancel_requested_by
