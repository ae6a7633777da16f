"""What a PENDING job waits for: the jobs that hold or reserve its servers, or a free slot."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from models import JobHost, JobStatus, ProvisionJob, ServerLock, ServerWait

FOR_A_SLOT = "waits for a worker with a free slot"
_MOST_NAMED = 5


@dataclass
class Wait:
    """One job in the way. `servers` are the names of those that both need; without `holds` it waits too, but first."""

    job: ProvisionJob
    holds: bool
    servers: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = ", ".join(self.servers[:_MOST_NAMED])
        more = f" and {len(self.servers) - _MOST_NAMED} more" if len(self.servers) > _MOST_NAMED else ""
        return f"job {self.job.id} ({'holds' if self.holds else 'waits first for'} {names}{more})"


async def waits_of(job_ids: Sequence[int]) -> dict[int, list[Wait]]:
    """Who stands in the way of each of these jobs, by id; nobody for a job that is admitted or not PENDING."""
    rows = JobHost.filter(
        job_id__in=list(job_ids), server_id__isnull=False, job__status=JobStatus.PENDING, job__admitted_at__isnull=True
    )
    needed = await rows.order_by("id")
    servers = {row.server_id for row in needed if row.server_id is not None}
    holders = dict(await ServerLock.filter(server_id__in=list(servers)).values_list("server_id", "job_id"))
    waiting = await ServerWait.first_on(servers - holders.keys())
    first = {server_id: rank.job_id for server_id, rank in waiting.items()}
    in_the_way = {*holders.values(), *first.values()}
    jobs = {job.id: job for job in await ProvisionJob.filter(id__in=list(in_the_way))}
    found: dict[int, dict[int, Wait]] = {job_id: {} for job_id in job_ids}
    for row in needed:
        server = row.server_id or 0
        other = jobs.get(holders.get(server) or first.get(server, 0))
        # Read at different moments: whoever stood in the way may be gone, or be the job itself by now.
        if other is not None and other.id != row.job_id:
            wait = found[row.job_id].setdefault(other.id, Wait(other, holds=server in holders))
            wait.servers.append(row.server_name)
    return {job_id: list(waits.values()) for job_id, waits in found.items()}


def message_of(job: ProvisionJob, waits: Sequence[Wait]) -> str:
    """Why a PENDING job has not started, for people."""
    if job.admitted_at is not None or not waits:
        return FOR_A_SLOT
    told = "; ".join(str(wait) for wait in waits[:_MOST_NAMED])
    others = len(waits) - _MOST_NAMED
    more = f" and {others} other {'job' if others == 1 else 'jobs'}" if others > 0 else ""
    return f"waits for {told}{more}"
