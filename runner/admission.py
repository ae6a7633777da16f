"""Admission: which job may hold its servers next.

A job takes the locks of all its servers or none. Jobs stand in rank: higher priority first, then older. On a shared
server nobody overtakes a waiting job of better rank, so a wide job reserves its servers and narrow ones cannot
starve it. Every call runs inside the caller's transaction, and on PostgreSQL one transaction at a time gets here:
else a job could be stored just while the locks that it waits for are released, and nobody would admit it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import Q, Subquery
from tortoise.functions import Min

from models import JobHost, JobStatus, ProvisionJob, ServerLock
from runner.dispatch import Dispatcher

# Any number that nothing else in this database locks; "playcast" has no meaning to PostgreSQL.
_ADVISORY_LOCK = 0x706C6179
_WAITING = Q(status=JobStatus.PENDING, admitted_at__isnull=True)


async def alone(tx: BaseDBAsyncClient) -> None:
    """Keep other transactions out of admission until this one ends; SQLite has one writer at a time anyway."""
    if tx.capabilities.dialect == "postgres":
        await tx.execute_query(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


async def admit(tx: BaseDBAsyncClient, dispatcher: Dispatcher, job: ProvisionJob, server_ids: Sequence[int]) -> bool:
    """Take the locks of a waiting job and queue it, if nothing stands in its way; whether that was so."""
    if await ServerLock.filter(server_id__in=list(server_ids)).exists() or await _reserved(job, server_ids):
        return False
    now = datetime.now(UTC)
    await ServerLock.bulk_create([ServerLock(server_id=key, job_id=job.id, taken_at=now) for key in server_ids])
    await ProvisionJob.filter(id=job.id).update(admitted_at=now)
    job.admitted_at = now
    await dispatcher.enqueue(tx, job.id, job.priority)
    return True


async def release(tx: BaseDBAsyncClient, dispatcher: Dispatcher, job_id: int) -> list[int]:
    """Free what a job held or reserved, now that it is final, and admit who may go next; their ids."""
    held = await ServerLock.filter(job_id=job_id).values_list("server_id", flat=True)
    await ServerLock.filter(job_id=job_id).delete()
    # One that never held anything only reserved its servers against jobs of lower rank.
    freed = held or await servers_of(job_id)
    return await admit_waiting(tx, dispatcher, [int(str(key)) for key in freed])


async def admit_waiting(tx: BaseDBAsyncClient, dispatcher: Dispatcher, server_ids: Iterable[int]) -> list[int]:
    """Admit the waiting jobs that stand first on one of these servers, as far as they may go; their ids."""
    first = await _first_in_rank(server_ids)
    return [job.id for job in first if await admit(tx, dispatcher, job, await servers_of(job.id))]


async def servers_of(job_id: int) -> list[int]:
    """The servers of a job that still exist."""
    rows = await JobHost.filter(job_id=job_id, server_id__isnull=False).values_list("server_id", flat=True)
    return [int(str(row)) for row in rows]


async def first_waiting(server_ids: Iterable[int]) -> dict[int, int]:
    """The waiting job of best rank on each of these servers that one waits for, by server."""
    # By the few jobs that wait: SQLite would go through all that the servers have ever had.
    jobs = Subquery(ProvisionJob.filter(_WAITING).values("id"))
    waiting = JobHost.filter(job_id__in=jobs, server_id__in=list(server_ids))
    # One row for each server and priority, however many wait there.
    oldest = waiting.annotate(oldest=Min("job_id")).group_by("server_id", "job__priority")
    best: dict[int, tuple[int, int]] = {}
    for server_id, priority, job_id in await oldest.values_list("server_id", "job__priority", "oldest"):
        rank = (-priority, job_id)
        best[server_id] = min(rank, best.get(server_id, rank))
    return {server_id: job_id for server_id, (_, job_id) in best.items()}


async def _first_in_rank(server_ids: Iterable[int]) -> list[ProvisionJob]:
    found = await first_waiting(server_ids)
    return await ProvisionJob.filter(id__in=list(set(found.values()))).order_by("-priority", "id")


async def _reserved(job: ProvisionJob, server_ids: Sequence[int]) -> bool:
    better = Q(priority__gt=job.priority) | Q(priority=job.priority, id__lt=job.id)
    return await ProvisionJob.filter(_WAITING, better, hosts__server_id__in=list(server_ids)).exists()
