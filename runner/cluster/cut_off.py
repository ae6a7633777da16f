"""Stopping the jobs of a worker that is cut off from the database, before others get their servers: for who wants that.

After a lease without a word its jobs are judged lost, and after a grace more their servers go to the next job. A
worker that was only paused finds its lease out as well, so it looks twice before it believes that.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from runner.job_dir import JobDir
from runner.job_processes import ProcessWatch
from runner.lease import HEARTBEAT_SECONDS, LEASE_SECONDS

LOOKS = 2

log = structlog.get_logger()


class Partition:
    """Watches `silence`, the seconds since the database last heard of this worker, and stops what is `running`."""

    def __init__(self, silence: Callable[[], float], running: Callable[[], Iterable[int]], jobs_dir: Path) -> None:
        self._silence = silence
        self._running = running
        self._jobs_dir = jobs_dir

    async def work(self) -> None:
        """Look at each heartbeat until cancelled."""
        looks = 0
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            looks = looks + 1 if self._silence() > LEASE_SECONDS else 0
            if looks >= LOOKS:
                for job_id in list(self._running()):
                    _stop(JobDir(self._jobs_dir, job_id))


def _stop(job_dir: JobDir) -> None:
    """Have the supervisor end the job, if it runs; the mark tells afterwards why it was ended."""
    run = job_dir.read_run()
    if run is None or job_dir.cut_off.exists():
        return
    gone = ProcessWatch(run["supervisor"], run["boot_id"])
    try:
        if not gone.is_set():
            job_dir.write(job_dir.cut_off, b"")
            gone.stop()
            log.warning("a job is stopped, since the database is out of reach", job=int(job_dir.path.name))
    finally:
        gone.close()
