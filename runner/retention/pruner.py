"""Pruning: removes what the retention lets go, in small steps, so that others work on meanwhile.

A log goes in this order: a mark on its job, so that readers know, the file, the chunks. A job: a mark, its log, its
directory, its events, its row. Whatever a crash leaves behind carries a mark, and the next run completes it. Every
statement says for itself that it touches only jobs that are final and hold no server.

Where several machines share a database they take turns, and the files that are elsewhere go later: for those of a job
whose row has gone a note stays (PrunedJob), which the janitor of that machine looks for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.expressions import Subquery

from models import JobEvent, LogChunk, PrunedJob
from models.transaction import transaction
from runner.job_dir import JobDir
from runner.retention.job_files import alive, remove_directory, remove_log
from runner.retention.rules import GOING, Retention, Totals, Victim, choose, removable
from runner.retention.turns import Still, Turn

EVERY_SECONDS = 600.0
CHUNKS = 32
EVENTS = 1000
PAGES = 200
NOTES_DAYS = 90.0
"""A machine that was away for longer keeps the directories of what was pruned meanwhile."""

log = structlog.get_logger()


class Pruner:
    """Removes old logs and jobs of one database, and their files as far as they are on this machine.

    `turn` is how those who share the database take turns; None if nobody does.
    """

    def __init__(self, keep: Retention, jobs_dir: Path, turn: Turn | None = None) -> None:
        self.totals = Totals()
        self._keep = keep
        self._jobs_dir = jobs_dir
        self._turn = turn

    async def work(self) -> None:
        """Prune now and every 10 minutes until cancelled, if anything is limited; a failure waits for the next time."""
        while self._keep.limited:
            try:
                if (ran := await self.run()) is not None and (done := ran[0]) != Totals():
                    log.info("pruned", jobs=done.jobs, logs=done.logs, bytes=done.size)
            except Exception:
                log.exception("pruning failed, it is tried again later")
            await asyncio.sleep(EVERY_SECONDS)

    async def run(self) -> tuple[Totals, int] | None:
        """Prune once: what went, and of how many jobs the files could not be removed; None if another process does."""
        if self._turn is None:
            return await self._run(lambda: True)
        async with self._turn() as still:
            if still is None:
                return None
            ran = await self._run(still)
            await _forget_old_notes()
            return ran

    async def _run(self, still: Still) -> tuple[Totals, int]:
        done, stuck = Totals(), 0
        async for victim in self.chosen():
            if not still():
                log.warning("the turn to prune is lost, the rest goes the next time")
                break
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
            if not await asyncio.to_thread(alive, JobDir(self._jobs_dir, victim.job_id)):
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
            await _remove_files(remove_log, job_dir, ours=ours)
            await _remove_chunks(victim.job_id)
        if victim.job:
            here = await _remove_files(remove_directory, job_dir, ours=ours)
            await _remove_events(victim.job_id)
            return await self._remove_row(victim, elsewhere=self._turn is not None and not here)
        return True

    async def _remove_row(self, victim: Victim, *, elsewhere: bool) -> bool:
        """Remove the row; if a directory may be `elsewhere`, leave a note, which appears as the row goes."""
        going = removable().filter(id=victim.job_id, fence=GOING)
        async with transaction():
            if elsewhere and await going.filter(worker__isnull=False).exists():
                note = PrunedJob(job_id=victim.job_id, created_at=victim.created_at, pruned_at=datetime.now(UTC))
                await PrunedJob.bulk_create([note], ignore_conflicts=True)
            # Its hosts go with it.
            return bool(await going.delete())


class _Stuck(Exception):
    """Files that cannot be removed; their rows stay, so that nobody forgets them."""


async def _remove_files(remove: Callable[[JobDir], bool], job_dir: JobDir, *, ours: bool) -> bool:
    """Whether there was something of this job to remove."""
    try:
        return ours and await asyncio.to_thread(remove, job_dir)
    except OSError as error:
        raise _Stuck(str(error)) from error


def _is_ours(job_dir: JobDir, victim: Victim) -> bool:
    """Whether the directory was made for this very job, and not by another database."""
    return job_dir.made_for() in (None, victim.created_at.isoformat())


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


async def _forget_old_notes() -> None:
    before = datetime.now(UTC) - timedelta(days=NOTES_DAYS)
    first = PrunedJob.filter(pruned_at__lt=before).order_by("pruned_at").limit(EVENTS).values("job_id")
    while await PrunedJob.filter(job_id__in=Subquery(first)).delete():
        pass


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
