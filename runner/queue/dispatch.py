"""Dispatchers hand ids of runnable jobs to workers: at least once, in any order. The job's row decides."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient

from models import ProvisionJob
from runner.queue.slots import Slots

RETRY_SECONDS = 1.0
# The table is looked at again this often, however busy the queue, for an entry that got lost with a commit's answer.
REFILL_SECONDS = 30.0

log = structlog.get_logger()

Run = Callable[[int], Awaitable[None]]


class Dispatcher(Protocol):
    """Delivers "job 42 may start"."""

    async def enqueue(self, tx: BaseDBAsyncClient, job_id: int, priority: int) -> None:
        """Hand over a job inside the transaction that admits it."""
        ...

    async def committed(self, job_id: int) -> None:
        """To be called after the commit of that transaction."""
        ...

    async def work(self, run: Run, slots: Slots) -> None:
        """Deliver ids to `run`, one for each free slot, until cancelled; none once the slots are closed."""
        ...


class LocalDispatcher:
    """An in-process priority queue, refilled from the admitted jobs: higher priority first, then older."""

    def __init__(self) -> None:
        self._queue: asyncio.PriorityQueue[tuple[int, int]] = asyncio.PriorityQueue()
        self._queued: set[int] = set()
        self._uncommitted: dict[int, int] = {}
        self._filled_at = -math.inf

    async def enqueue(self, tx: BaseDBAsyncClient, job_id: int, priority: int) -> None:  # noqa: ARG002 (an in-process queue needs no transaction)
        """Hand over a job; it is delivered after `committed`."""
        self._uncommitted[job_id] = priority

    async def committed(self, job_id: int) -> None:
        """Release that job. A delivery before its commit would find no PENDING row and be dropped."""
        self._put(self._uncommitted.pop(job_id), job_id)

    def _put(self, priority: int, job_id: int) -> None:
        if job_id not in self._queued:
            self._queued.add(job_id)
            self._queue.put_nowait((-priority, job_id))

    async def work(self, run: Run, slots: Slots) -> None:
        """Deliver ids to `run` until cancelled; what was admitted at the start comes first."""
        await self._refill()
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.take()
                entry = await self._next()
                if slots.closed:
                    # It stands in the table for the next start.
                    await slots.give()
                    continue
                group.create_task(self._deliver(run, entry, slots))

    async def _next(self) -> tuple[int, int]:
        while True:
            left = self._filled_at + REFILL_SECONDS - time.monotonic()
            with suppress(TimeoutError):
                if left > 0:
                    async with asyncio.timeout(left):
                        entry = await self._queue.get()
                    self._queued.discard(entry[1])
                    return entry
            try:
                await self._refill()
            except Exception:
                log.exception("the queue could not be refilled")

    async def _refill(self) -> None:
        self._filled_at = time.monotonic()
        # What is delivered twice finds its row moved on, and is dropped.
        for job_id, priority in await ProvisionJob.runnable():
            self._put(priority, job_id)

    async def _deliver(self, run: Run, entry: tuple[int, int], slots: Slots) -> None:
        try:
            await run(entry[1])
        except Exception:
            # The job is still PENDING, or its row drops the second delivery: an id must not get lost.
            log.exception("a job was not taken, it is queued again", job=entry[1])
            await asyncio.sleep(RETRY_SECONDS)
            self._put(-entry[0], entry[1])
        finally:
            await slots.give()
