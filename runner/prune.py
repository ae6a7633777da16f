"""Pruning: removes what the retention lets go, in small steps, so that others work on meanwhile.

A log goes in this order: a mark on its job, so that readers know, the file, the chunks. A job: a mark, its log, its
directory, its events, its row. Whatever a crash leaves behind carries a mark, and the next run completes it. Every
statement says for itself that it touches only jobs that are final and hold no server.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.expressions import Subquery

from models import JobEvent, LogChunk
from runner.jobdir import JobDir
from runner.retention import GOING, Retention, Totals, Victim, choose, removable

EVERY_SECONDS = 600.0
CHUNKS = 32
EVENTS = 1000
PAGES = 200

log = structlog.get_logger()


class Pruner:
    """Removes old logs and jobs of one database and its job directories."""

    def __init__(self, keep: Retention, jobs_dir: Path) -> None:
        self.totals = Totals()
        self._keep = keep
        self._jobs_dir = jobs_dir

    async def work(self) -> None:
        """Prune now and every 10 minutes until cancelled, if anything is limited; a failure waits for the next time."""
        while self._keep.limited:
            try:
                done, _ = await self.run()
                if done != Totals():
                    log.info("pruned", jobs=done.jobs, logs=done.logs, bytes=done.size)
            except Exception:
                log.exception("pruning failed, it is tried again later")
            await asyncio.sleep(EVERY_SECONDS)

    async def run(self) -> tuple[Totals, int]:
        """Prune once: what went, and of how many jobs the files could not be removed."""
        done, stuck = Totals(), 0
        async for victim in self.chosen():
            try:
                went = await self._remove(victim)
            except _Stuck as error:
                log.warning("the files of a job cannot be removed", job=victim.job_id, error=str(error))
                stuck += 1
                continue
            if went:
                done.add(victim)
                self.totals.add(victim)
        await give_space_back()
        return done, stuck

    async def chosen(self) -> AsyncIterator[Victim]:
        """What has to go now; not a job whose supervisor is still there, whatever its row says."""
        async for victim in choose(self._keep, datetime.now(UTC)):
            if not await asyncio.to_thread(_alive, JobDir(self._jobs_dir, victim.job_id)):
                yield victim

    async def _remove(self, victim: Victim) -> bool:
        """Remove what goes of one job; False if it may not be touched any more."""
        job, job_dir = removable().filter(id=victim.job_id), JobDir(self._jobs_dir, victim.job_id)
        if victim.job and not await job.update(fence=GOING):
            return False
        ours = await asyncio.to_thread(_is_ours, job_dir, victim)
        if victim.log:
            await job.filter(log_pruned_at__isnull=True).update(log_pruned_at=datetime.now(UTC))
            if not await job.filter(log_pruned_at__isnull=False).exists():
                return False
            await _remove_files(_remove_log, job_dir, ours=ours)
            await _remove_chunks(victim.job_id)
        if victim.job:
            await _remove_files(_remove_directory, job_dir, ours=ours)
            await _remove_events(victim.job_id)
            # Its hosts go with it.
            return bool(await job.filter(fence=GOING).delete())
        return True


class _Stuck(Exception):
    """Files that cannot be removed; their rows stay, so that nobody forgets them."""


async def _remove_files(remove: Callable[[JobDir], None], job_dir: JobDir, *, ours: bool) -> None:
    try:
        if ours:
            await asyncio.to_thread(remove, job_dir)
    except OSError as error:
        raise _Stuck(str(error)) from error


def _alive(job_dir: JobDir) -> bool:
    try:
        return job_dir.held()
    except NotADirectoryError:
        return False


def _is_ours(job_dir: JobDir, victim: Victim) -> bool:
    """Whether the directory was made for this very job, and not by another database."""
    made_for = (job_dir.read_json(job_dir.spec) or {}).get("created_at")
    return made_for is None or made_for == victim.created_at.isoformat()


def _remove_log(job_dir: JobDir) -> None:
    """Remove the raw log, unless the directory is a link to somewhere else."""
    try:
        directory = os.open(job_dir.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with suppress(FileNotFoundError):
            os.unlink(job_dir.log.name, dir_fd=directory)
    finally:
        os.close(directory)


def _remove_directory(job_dir: JobDir) -> None:
    """Remove the directory with all it holds; of a link, the link alone."""
    if job_dir.path.is_symlink():
        job_dir.path.unlink()
    elif job_dir.path.exists():
        shutil.rmtree(job_dir.path)


async def _remove_chunks(job_id: int) -> None:
    """Delete the stored log from its beginning, so that what a reader still finds has no hole."""
    jobs = Subquery(removable().filter(id=job_id, log_pruned_at__isnull=False).values("id"))
    first = LogChunk.filter(job_id__in=jobs).order_by("start").limit(CHUNKS).values("id")
    while await LogChunk.filter(id__in=Subquery(first)).delete():
        # Step by step as well: SQLite takes the longer for each page the more of them are free.
        await give_space_back(keep=PAGES)


async def _remove_events(job_id: int) -> None:
    jobs = Subquery(removable().filter(id=job_id, fence=GOING).values("id"))
    first = JobEvent.filter(job_id__in=jobs).order_by("seq").limit(EVENTS).values("id")
    while await JobEvent.filter(id__in=Subquery(first)).delete():
        await give_space_back(keep=PAGES)


async def give_space_back(keep: int = 0) -> None:
    """Shrink a SQLite file by its free pages but `keep`, a few at a time. PostgreSQL does this by itself."""
    connection = get_connection("default")
    if connection.capabilities.dialect != "sqlite":
        return
    before = None
    # It ends too when nothing moves: in a file made by hand, or while others free more than this gives back.
    while (free := await _free_pages(connection)) > keep and (before is None or free < before):
        # As a script: as a query it would free one page, since its answer of many rows without columns is not read.
        await connection.execute_script(f"PRAGMA incremental_vacuum({PAGES})")
        before = free
        await asyncio.sleep(0)
    if not keep:
        # Only now the file itself becomes shorter. Passive: it waits for no reader.
        await connection.execute_query_dict("PRAGMA wal_checkpoint(PASSIVE)")


async def _free_pages(connection: BaseDBAsyncClient) -> int:
    return int((await connection.execute_query_dict("PRAGMA freelist_count"))[0]["freelist_count"])
