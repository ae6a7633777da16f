"""The questions about jobs: one, many by filter, and every change of their state."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.queryset import QuerySet

from models import FINAL, JobStatus, ProvisionJob
from runner.bus import Topic
from runner.engine import Engine
from runner.viewer import Viewer

RELOOK_SECONDS = 30.0
# A job that runs changes with each of its events: a watcher hears of it at most this often.
GATHER_SECONDS = 0.2


@dataclass(frozen=True)
class JobQuery:
    """Which jobs; None leaves a condition out."""

    status: Sequence[JobStatus] | None = None
    recipe: str | None = None
    server_id: int | None = None
    requested_by: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def find_jobs(viewer: Viewer, wanted: JobQuery) -> QuerySet[ProvisionJob]:
    """The jobs that fit, unordered."""
    conditions: dict[str, object] = {
        "status__in": list(wanted.status) if wanted.status is not None else None,
        "recipe": wanted.recipe.removesuffix(".yml") if wanted.recipe is not None else None,
        "hosts__server_id": wanted.server_id,
        "requested_by": wanted.requested_by,
        "created_at__gt": wanted.created_after,
        "created_at__lt": wanted.created_before,
    }
    return ProvisionJob.filter(**{name: value for name, value in conditions.items() if value is not None})


async def find_job(viewer: Viewer, job_id: int) -> ProvisionJob | None:
    """The job, or None."""
    return await ProvisionJob.get_or_none(id=job_id)


async def follow_jobs(engine: Engine, viewer: Viewer, ids: Sequence[int] | None) -> AsyncIterator[ProvisionJob]:
    """Each job now, then at every change of its state or progress; what passed in between may be left out.

    Without ids: every job that is not final now, then every job that changes.
    """
    keys = [(topic, job_id) for topic in (Topic.JOB, Topic.EVENTS) for job_id in (ids if ids is not None else [None])]
    with engine.bus.listen(*keys) as listener:
        query = ProvisionJob.exclude(status__in=list(FINAL)) if ids is None else ProvisionJob.filter(id__in=list(ids))
        told: dict[int, object] = {}
        for job in await query.order_by("id"):
            told[job.id] = _state(job)
            yield job
        while True:
            dirty = {job_id for _, job_id in await listener.wait(RELOOK_SECONDS)}
            # After a silence look at what may still move, in case a wake-up was lost.
            looked = dirty or set(told)
            for job in await ProvisionJob.filter(id__in=list(looked)).order_by("id") if looked else []:
                if told.get(job.id) != _state(job):
                    yield job
                told[job.id] = _state(job)
                if job.final and ids is None:
                    del told[job.id]
            await asyncio.sleep(GATHER_SECONDS)


def _state(job: ProvisionJob) -> object:
    return job.status, job.admitted_at, job.event_count, job.cancel_requested_by
