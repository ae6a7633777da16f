"""The janitor: removes from the jobs directory of its own machine what was pruned, whichever machine pruned it.

A directory goes only if the database says that this very job was pruned: the number and the time of creation must be
those in its specification. That a row is missing proves nothing. The directory may be of another database, or this one
may have been restored from a backup (docs/decisions/0013).
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from models import ProvisionJob, PrunedJob
from runner.job_dir import JobDir
from runner.limits import MAX_ID
from runner.outages import every
from runner.retention.job_files import alive, remove_directory, remove_log
from runner.retention.rules import removable

EVERY_SECONDS = 600.0
STEP = 256

log = structlog.get_logger()


@dataclass
class Swept:
    """Of how many jobs the directory went, of how many the raw log, and of how many neither could be removed."""

    directories: int = 0
    logs: int = 0
    stuck: int = 0


class Janitor:
    """Keeps one jobs directory."""

    def __init__(self, jobs_dir: Path) -> None:
        self._jobs_dir = jobs_dir

    async def work(self) -> None:
        """Look now and every 10 minutes until cancelled; a failure waits for the next time."""

        async def sweep() -> None:
            swept = await self.run()
            if swept != Swept():
                log.info("removed what was pruned", directories=swept.directories, logs=swept.logs)

        await every(EVERY_SECONDS, sweep, "what was pruned cannot be removed, it is tried again later")

    async def run(self) -> Swept:
        """Look once, a few directories at a time."""
        swept = Swept()
        numbers = await asyncio.to_thread(_numbers, self._jobs_dir)
        for start in range(0, len(numbers), STEP):
            some = numbers[start : start + STEP]
            await self._remove_directories(some, swept)
            await self._remove_logs(some, swept)
        return swept

    async def _remove_directories(self, numbers: Sequence[int], swept: Swept) -> None:
        pruned = await PrunedJob.filter(job_id__in=numbers)
        if not pruned:
            return
        living = {job.id for job in await ProvisionJob.filter(id__in=[row.job_id for row in pruned]).only("id")}
        for row in pruned:
            if row.job_id not in living and await self._remove(row.job_id, row.created_at, remove_directory, swept):
                # Nobody else has one of this job.
                await PrunedJob.filter(job_id=row.job_id, created_at=row.created_at).delete()
                swept.directories += 1

    async def _remove_logs(self, numbers: Sequence[int], swept: Swept) -> None:
        with_log = await asyncio.to_thread(lambda: [key for key in numbers if JobDir(self._jobs_dir, key).log.exists()])
        if not with_log:
            return
        for job in await removable().filter(id__in=with_log, log_pruned_at__isnull=False).only("id", "created_at"):
            swept.logs += await self._remove(job.id, job.created_at, remove_log, swept)

    async def _remove(self, number: int, created_at: datetime, remove: Callable[[JobDir], bool], swept: Swept) -> bool:
        """Remove files of a job that was pruned; False if they are not of this job, still in use, or not there."""

        def checked() -> bool:
            job_dir = JobDir(self._jobs_dir, number)
            return job_dir.made_for() == created_at.isoformat() and not alive(job_dir) and remove(job_dir)

        try:
            return await asyncio.to_thread(checked)
        except OSError as error:
            log.warning("the files of a job cannot be removed", job=number, error=str(error))
            swept.stuck += 1
            return False


def _numbers(jobs_dir: Path) -> list[int]:
    """The numbers of the jobs that have a directory, in order."""
    return sorted(_numbered(jobs_dir)) if jobs_dir.is_dir() else []


def _numbered(jobs_dir: Path) -> Iterator[int]:
    for path in jobs_dir.iterdir():
        name = path.name
        if name.isascii() and name.isdigit() and not name.startswith("0") and int(name) <= MAX_ID:
            yield int(name)
