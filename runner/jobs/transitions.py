"""The moves of a job between its states: each with its event and its locks, in one transaction, told to the bus."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from tortoise.backends.base.client import BaseDBAsyncClient

from models import FailureReason, JobEvent, JobHost, ProvisionJob, ServerWait
from models.transaction import transaction
from runner.bus import Topic
from runner.engine import Engine
from runner.lease import LEASE_SECONDS
from runner.outcome.judge import Outcome
from runner.queue.admission import admit_waiting, alone, free_and_wanted, release


async def write_status_event(job: ProvisionJob, at: datetime, reason: FailureReason | None = None) -> None:
    """Write the event of the state that `job` has just taken; its move has already counted it."""
    details = {"status": job.status.value, "reason": reason and reason.value}
    await JobEvent.of(job.id, job.event_count, "status", at, details).save()


async def claim(engine: Engine, job_id: int, worker: str) -> ProvisionJob | None:
    """PENDING -> RUNNING for `worker`; None if the job is not PENDING any more."""
    now = datetime.now(UTC)
    async with transaction():
        job = await ProvisionJob.claim(job_id, worker, now)
        if job is not None:
            await write_status_event(job, now)
    if job is not None:
        engine.bus.publish(Topic.JOB, job.id)
    return job


async def finish(engine: Engine, job: ProvisionJob, outcome: Outcome) -> bool:
    """RUNNING -> a final state, if this claim still holds; its servers go to the jobs that wait for them."""
    now = datetime.now(UTC)
    async with transaction() as tx:
        await alone(tx)
        moved = await job.finish(
            status=outcome.status,
            reason=outcome.reason,
            message=outcome.message,
            exit_code=outcome.exit_code,
            at=now,
        )
        admitted = await _ended(tx, engine, job.id, now, outcome.reason) if moved else []
    if moved:
        await _tell(engine, job.id, admitted)
    return moved


async def lose(
    engine: Engine, job_id: int, fence: int, worker: str, still: Callable[[BaseDBAsyncClient], Awaitable[bool]]
) -> bool:
    """RUNNING -> ERROR for a job whose worker is `still` lost; it keeps its servers, where its playbook may go on."""
    now = datetime.now(UTC)
    async with transaction() as tx:
        await alone(tx)
        moved = await still(tx) and await ProvisionJob.lose(job_id, fence, lost_message(worker), now)
        if moved:
            await _closed(job_id, now, FailureReason.WORKER_LOST)
    if moved:
        engine.bus.publish(Topic.JOB, job_id)
    return moved


def lost_message(worker: str) -> str:
    """What a job says whose worker is judged lost."""
    return f"the worker {worker} was not heard of for {LEASE_SECONDS:g} seconds; nobody knows how the job ended"


async def add_late_result(engine: Engine, job: ProvisionJob, said: str) -> None:
    """Add to the message of a job that was judged lost how it has ended, and free its servers."""
    async with transaction() as tx:
        await alone(tx)
        told_late = await ProvisionJob.add_message(job.id, f"; its worker came back: {said}")
        admitted = await release(tx, engine.dispatcher, job.id) if told_late else []
    if told_late:
        await _tell(engine, job.id, admitted)


async def free(engine: Engine, job_id: int) -> None:
    """Give the servers of a job that has ended to those that wait for them."""
    async with transaction() as tx:
        await alone(tx)
        admitted = await release(tx, engine.dispatcher, job_id)
    await _tell(engine, job_id, admitted)


async def cancel_pending(engine: Engine, job_id: int, by: str) -> bool:
    """PENDING -> CANCELED at once; False if the job is not PENDING any more."""
    now = datetime.now(UTC)
    async with transaction() as tx:
        await alone(tx)
        moved = await ProvisionJob.cancel_pending(job_id, by, now)
        admitted = await _ended(tx, engine, job_id, now) if moved else []
    if moved:
        await _tell(engine, job_id, admitted)
    return moved


async def admit_all(engine: Engine) -> None:
    """Admit every waiting job that may go: at a start, for what an earlier version or a crash left behind."""
    async with transaction() as tx:
        await alone(tx)
        await ServerWait.complete()
    for server_id in await free_and_wanted():
        async with transaction() as tx:
            await alone(tx)
            admitted = await admit_waiting(tx, engine.dispatcher, [server_id])
        for job_id in admitted:
            await engine.dispatcher.committed(job_id)


async def _ended(
    tx: BaseDBAsyncClient, engine: Engine, job_id: int, at: datetime, reason: FailureReason | None = None
) -> list[int]:
    await _closed(job_id, at, reason)
    return await release(tx, engine.dispatcher, job_id)


async def _closed(job_id: int, at: datetime, reason: FailureReason | None) -> None:
    await write_status_event(await ProvisionJob.get(id=job_id), at, reason)
    # A playbook that was stopped in the middle did not say so itself.
    await JobHost.filter(job_id=job_id, current_task__isnull=False).update(current_task=None)


async def _tell(engine: Engine, job_id: int, admitted: list[int]) -> None:
    for other in admitted:
        await engine.dispatcher.committed(other)
    for changed in (job_id, *admitted):
        engine.bus.publish(Topic.JOB, changed)
