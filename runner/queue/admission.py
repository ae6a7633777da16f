"""Admission: which job may hold its servers next.

A job takes the locks of all its servers or none. Jobs stand in rank: higher priority first, then older. On a shared
server nobody overtakes a waiting job of better rank, so a wide job reserves its servers and narrow ones cannot
starve it. Every call runs inside the caller's transaction, and on PostgreSQL one transaction at a time gets here:
else a job could be stored just while the locks that it waits for are released, and nobody would admit it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import Subquery

from models import JobHost, ProvisionJob, ServerLock, ServerWait
from models.server_wait import Rank
from runner.queue.dispatch import Dispatcher

# Any number that nothing else in this database locks; "playcast" has no meaning to PostgreSQL.
_ADVISORY_LOCK = 0x706C6179


async def alone(tx: BaseDBAsyncClient) -> None:
    """Keep other transactions out of admission until this one ends; SQLite has one writer at a time anyway."""
    if tx.capabilities.dialect == "postgres":
        await tx.execute_query(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


async def admit(tx: BaseDBAsyncClient, dispatcher: Dispatcher, job: ProvisionJob, server_ids: Sequence[int]) -> bool:
    """Take the locks of a PENDING job and queue it, if nothing stands in its way; whether that was so."""
    if await ServerLock.filter(server_id__in=list(server_ids)).exists() or await _reserved(job, server_ids):
        return False
    now = datetime.now(UTC)
    await ServerLock.bulk_create([ServerLock(server_id=key, job_id=job.id, taken_at=now) for key in server_ids])
    await ProvisionJob.filter(id=job.id).update(admitted_at=now)
    job.admitted_at = now
    await dispatcher.enqueue(tx, job.id, job.priority)
    return True


async def wait(job: ProvisionJob, server_ids: Sequence[int]) -> None:
    """Have a job that was not admitted wait for its servers, and reserve them."""
    waits = [ServerWait(server_id=key, rank=-job.priority, job_id=job.id) for key in server_ids]
    await ServerWait.bulk_create(waits)


async def release(tx: BaseDBAsyncClient, dispatcher: Dispatcher, job_id: int) -> list[int]:
    """Free what a job held or reserved, now that it is final, and admit who may go next; their ids."""
    # One that never held anything only reserved its servers against jobs of lower rank.
    for rows in (ServerLock.filter(job_id=job_id), ServerWait.filter(job_id=job_id)):
        if freed := await rows.values_list("server_id", flat=True):
            await rows.delete()
            return await admit_waiting(tx, dispatcher, [int(str(key)) for key in freed])
    return []


async def admit_waiting(tx: BaseDBAsyncClient, dispatcher: Dispatcher, server_ids: Iterable[int]) -> list[int]:
    """Admit the waiting jobs that stand first on one of these servers, as far as they may go; their ids."""
    admitted = []
    for job in await _first_in_rank(server_ids):
        if await admit(tx, dispatcher, job, await servers_of(job.id)):
            await ServerWait.filter(job_id=job.id).delete()
            admitted.append(job.id)
    return admitted


async def servers_of(job_id: int) -> list[int]:
    """The servers of a job that still exist."""
    rows = await JobHost.filter(job_id=job_id, server_id__isnull=False).values_list("server_id", flat=True)
    return [int(str(row)) for row in rows]


async def free_and_wanted() -> list[int]:
    """The servers that nobody holds, and that somebody waits for."""
    held = Subquery(ServerLock.all().values("server_id"))
    rows = await ServerWait.filter(server_id__not_in=held).distinct().values_list("server_id", flat=True)
    return [int(str(row)) for row in rows]


async def _first_in_rank(server_ids: Iterable[int]) -> list[ProvisionJob]:
    found = {job_id for _, job_id in (await ServerWait.first_on(server_ids)).values()}
    return await ProvisionJob.filter(id__in=list(found)).order_by("-priority", "id")


async def _reserved(job: ProvisionJob, server_ids: Sequence[int]) -> bool:
    mine = Rank(-job.priority, job.id)
    return any(first < mine for first in (await ServerWait.first_on(server_ids)).values())
