"""Lists of jobs, newest first: by filter, and of many servers at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.expressions import Q, Subquery
from tortoise.functions import Count
from tortoise.queryset import QuerySet

from models import JobHost, JobStatus, ProvisionJob
from runner.limits import MAX_ID
from runner.viewer import Viewer

CLOCK_SLACK = timedelta(days=1)
"""How far a clock may have been set back without jobs missing from a list by time of creation."""


@dataclass(frozen=True)
class JobQuery:
    """Which jobs; None leaves a condition out. Instants are in UTC, since SQLite compares them as texts."""

    status: Sequence[JobStatus] | None = None
    recipe: str | None = None
    server_id: int | None = None
    requested_by: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def newest_jobs(viewer: Viewer, wanted: JobQuery, most: int, before: int | None = None) -> list[ProvisionJob]:
    """The `most` newest jobs that fit, of those with an id below `before`."""
    if wanted.status is None or set(wanted.status) == set(JobStatus):
        return await _page(wanted, Q(), most, before)
    # A query for each state: an index holds the jobs of one state in order, those of several would have to be sorted.
    pages = [await _page(wanted, Q(status=status), most, before) for status in set(wanted.status)]
    return sorted((job for page in pages for job in page), key=lambda job: -job.id)[:most]


async def count_jobs(viewer: Viewer, wanted: JobQuery) -> int:
    """How many jobs fit; it reads an index entry of each."""
    if wanted == JobQuery(server_id=wanted.server_id) and wanted.server_id is not None:
        return (await counts_on(viewer, [wanted.server_id]))[wanted.server_id]
    states = Q() if wanted.status is None else Q(status__in=list(wanted.status))
    return await _fitting(wanted).filter(states).count()


async def newest_on(
    viewer: Viewer, server_ids: Sequence[int], most: int, before: int | None = None
) -> dict[int, list[ProvisionJob]]:
    """The `most` newest jobs of each of these servers, of those with an id below `before`."""
    pairs = await JobHost.newest_on(server_ids, most, MAX_ID if before is None else before)
    jobs = {job.id: job for job in await ProvisionJob.filter(id__in=list({job_id for _, job_id in pairs}))}
    found: dict[int, list[ProvisionJob]] = {server_id: [] for server_id in server_ids}
    for server_id, job_id in sorted(pairs, key=lambda pair: -pair[1]):
        # Pruned since the first look, if it is not there.
        if job_id in jobs:
            found[server_id].append(jobs[job_id])
    return found


async def counts_on(viewer: Viewer, server_ids: Sequence[int]) -> dict[int, int]:
    """How many jobs were asked to run on each of these servers."""
    rows = JobHost.filter(server_id__in=list(server_ids)).annotate(jobs=Count("job_id")).group_by("server_id")
    counted: dict[int, int] = dict(await rows.values_list("server_id", "jobs"))
    return {server_id: counted.get(server_id, 0) for server_id in server_ids}


async def _page(wanted: JobQuery, state: Q, most: int, before: int | None) -> list[ProvisionJob]:
    # The column of the index that holds the jobs of a server in order.
    key = "id" if wanted.server_id is None else "hosts__job_id"
    query = _fitting(wanted).filter(state)
    if before is not None:
        # Of both columns: PostgreSQL would begin with the newest of all jobs in the other.
        query = query.filter(**{"id__lt": before, f"{key}__lt": before})
    return await query.order_by(f"-{key}").limit(most)


def _fitting(wanted: JobQuery) -> QuerySet[ProvisionJob]:
    """The jobs that fit, of any state."""
    conditions: dict[str, object] = {
        "recipe": wanted.recipe.removesuffix(".yml") if wanted.recipe is not None else None,
        "hosts__server_id": wanted.server_id,
        "requested_by": wanted.requested_by,
        "created_at__gt": wanted.created_after,
        "created_at__lt": wanted.created_before,
        "id__gte": _first_since(wanted.created_after) if wanted.created_after is not None else None,
        "id__lte": _last_until(wanted.created_before) if wanted.created_before is not None else None,
    }
    return ProvisionJob.filter(**{name: value for name, value in conditions.items() if value is not None})


# Ids grow with time. So a span of time is a span of ids as well, in which every index of a filter gives its jobs in
# order; an index by time alone would have them sorted, or all newer ones read.


def _first_since(moment: datetime) -> Subquery:
    jobs = ProvisionJob.filter(created_at__gt=_moved(moment, -CLOCK_SLACK)).order_by("created_at", "id")
    return Subquery(jobs.limit(1).values("id"))


def _last_until(moment: datetime) -> Subquery:
    jobs = ProvisionJob.filter(created_at__lt=_moved(moment, CLOCK_SLACK)).order_by("-created_at", "-id")
    return Subquery(jobs.limit(1).values("id"))


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment
