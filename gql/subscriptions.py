"""Subscription: what clients can watch. Each starts from a cursor or from the current state."""

from collections.abc import AsyncGenerator

import strawberry

from gql.arguments import AfterEvent, AfterLog, JobId, JobIds
from gql.context import Info
from gql.ids import row_number
from gql.types.event import JobEventBatch
from gql.types.job import ProvisionJob
from gql.types.log import JobLogChunk
from runner.errors import BadInput
from runner.limits import MAX_PAGE_SIZE
from runner.verbs.read_events import follow_events
from runner.verbs.read_log import find_watched, follow_log
from runner.verbs.watch_jobs import follow_jobs

MAX_WATCHED = 10 * MAX_PAGE_SIZE


@strawberry.type
class Subscription:
    """What clients can watch."""

    @strawberry.subscription
    async def job_log(self, info: Info, job_id: JobId, after: AfterLog = None) -> AsyncGenerator[JobLogChunk, None]:
        """Log text from `after` (exclusive) to the end of the job, past and live, without gap or repeat.

        Completes after the chunk with `end: true`.
        """
        job = await find_watched(info.context.engine, info.context.viewer, row_number("ProvisionJob", job_id))
        if job is None:
            raise BadInput(f"there is no job {job_id}")
        context = info.context
        async for piece in follow_log(context.engine, context.viewer, job, context.resumed_after or after):
            chunk = JobLogChunk.of(piece)
            context.cursor = chunk.cursor
            yield chunk

    @strawberry.subscription
    async def job_events(
        self, info: Info, job_id: JobId, after: AfterEvent = None
    ) -> AsyncGenerator[JobEventBatch, None]:
        """Structured events from `after` (exclusive), in batches; completes after the batch with `end: true`."""
        job = await find_watched(info.context.engine, info.context.viewer, row_number("ProvisionJob", job_id))
        if job is None:
            raise BadInput(f"there is no job {job_id}")
        context = info.context
        async for found in follow_events(context.engine, context.viewer, job, context.resumed_after or after):
            batch = await JobEventBatch.of(found, context.asking)
            context.cursor = batch.cursor
            yield batch

    @strawberry.subscription
    async def job_updated(self, info: Info, ids: JobIds = None) -> AsyncGenerator[ProvisionJob, None]:
        """Current state at once, then every change (intermediate states may be merged).

        Without ids: every job that the viewer can see; of these the finished ones come only when they change.
        """
        if ids is not None and len(ids) > MAX_WATCHED:
            raise BadInput(f"{len(ids)} ids are too many: watch at most {MAX_WATCHED}, or leave ids out to watch all")
        numbers = None if ids is None else list(dict.fromkeys(row_number("ProvisionJob", raw) for raw in ids))
        async for job in follow_jobs(info.context.engine, info.context.viewer, numbers):
            yield ProvisionJob.of(job)
