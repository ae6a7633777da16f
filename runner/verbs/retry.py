"""retryJob's verb: a new job from a finished one."""

from dataclasses import replace

from models import JobHost, ProvisionJob
from runner.engine import Engine
from runner.errors import ErrorCode, PlaycastError, Problem, Refused
from runner.secrets.vault import Secret
from runner.verbs import idempotency
from runner.verbs.request import Order
from runner.verbs.submit import run_provision
from runner.viewer import Viewer


async def retry_job(
    engine: Engine, viewer: Viewer, job_id: int, *, failed_hosts_only: bool, idempotency_key: str | None
) -> ProvisionJob:
    """Run the recipe of a finished job again as it stands now, with the same options and variables.

    With `failed_hosts_only` on those hosts that it has not served: for which not each play that names them came to its
    end. Without a recap that is not known, so all count as not served. Refused: NOT_FOUND, JOB_NOT_FINISHED, INVALID
    if it has served all, and whatever refuses a new run.
    """
    key = idempotency.scoped(viewer, idempotency_key)
    first = await idempotency.first_with(key) if key is not None else None
    job = await ProvisionJob.get_or_none(id=job_id)
    if first is not None:
        return await _repeated(first, job, job_id, failed_hosts_only=failed_hosts_only)
    if job is None:
        raise Refused.one(ErrorCode.NOT_FOUND, f"there is no job {job_id}", "jobId")
    if not job.final:
        message = f"job {job_id} has not ended yet: wait for its end, or cancel it first"
        raise Refused.one(ErrorCode.JOB_NOT_FINISHED, message, "jobId")
    chosen = await _chosen(job_id, failed_hosts_only=failed_hosts_only)
    secret = _secrets(engine, job)
    order = replace(Order.of(job, chosen, secret), idempotency_key=idempotency_key, secrets=frozenset(secret))
    try:
        return await run_provision(engine, viewer, order, retry_of=job.id)
    except Refused as refusal:
        raise Refused(_of_this_input(problem) for problem in refusal.problems) from refusal


async def _repeated(
    first: ProvisionJob, job: ProvisionJob | None, job_id: int, *, failed_hosts_only: bool
) -> ProvisionJob:
    """The job of the first call with this key; Refused if this call asks for something else."""
    if job is None and first.retry_of_id is None:
        # A job that was pruned since is no job's model any more: what the key stands for cannot be looked at.
        return first
    idempotency.same_retry(first, job_id)
    rows = await JobHost.filter(job_id__in=[first.id, job_id])
    made = {row.server_id for row in rows if row.job_id == first.id}
    asked = {row.server_id for row in rows if row.job_id == job_id and not (failed_hosts_only and row.served)}
    if made != asked:
        raise idempotency.conflict(first, ["failedHostsOnly"])
    return first


async def _chosen(job_id: int, *, failed_hosts_only: bool) -> list[int]:
    """The servers to run on again, in the order of the old request."""
    rows = await JobHost.filter(job_id=job_id).order_by("id")
    chosen = [row for row in rows if not (failed_hosts_only and row.served)]
    if not chosen:
        message = f"job {job_id} came to its end on every server: leave failedHostsOnly out to run it on all of them"
        raise Refused.one(ErrorCode.INVALID, message, "failedHostsOnly")
    gone = [row.server_name for row in chosen if row.server_id is None]
    if gone:
        message = f"job {job_id} ran on servers that were deleted since: {', '.join(gone[:5])}"
        raise Refused.one(ErrorCode.NOT_FOUND, message, "jobId")
    return [row.server_id for row in chosen if row.server_id is not None]


def _secrets(engine: Engine, job: ProvisionJob) -> Secret:
    """The values of its secret inputs."""
    try:
        return engine.vault.unlock(job.secret_vars) if job.secret_vars is not None else {}
    except PlaycastError as error:
        raise Refused.one(ErrorCode.INVALID, str(error), "jobId") from error


def _of_this_input(problem: Problem) -> Problem:
    """What stood in the way is part of the old job, not of what the caller sent."""
    field = problem.field if problem.field[:1] == ("idempotencyKey",) else ("jobId",)
    return Problem(problem.code, problem.message, field)
