"""cancelJob's verb: a waiting job ends at once, a running one is stopped by its worker."""

from models import JobStatus, ProvisionJob
from runner.bus import Topic
from runner.engine import Engine
from runner.errors import ErrorCode, Refused
from runner.jobs.transitions import cancel_pending
from runner.viewer import Viewer


async def cancel_job(engine: Engine, viewer: Viewer, job_id: int) -> ProvisionJob:
    """Ask a job to stop, and return it as it stands now; asking again changes nothing.

    Refused: NOT_FOUND, or JOB_FINISHED if it has ended in another way. The word is in the table when this returns, so
    it holds over a restart. A RUNNING job is CANCELED once its processes on this side are gone.
    """
    if not await cancel_pending(engine, job_id, viewer.name) and await ProvisionJob.request_cancel(job_id, viewer.name):
        engine.bus.publish(Topic.JOB, job_id)
    job = await ProvisionJob.get_or_none(id=job_id)
    if job is None:
        raise Refused.one(ErrorCode.NOT_FOUND, f"there is no job {job_id}", "jobId")
    if job.final and job.status is not JobStatus.CANCELED:
        raise Refused.one(ErrorCode.JOB_FINISHED, f"job {job_id} has ended already, as {job.status.value}", "jobId")
    return job
