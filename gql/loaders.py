"""Loaders: what many fields of one answer ask for at the same moment is read in one statement."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from strawberry.dataloader import DataLoader
from tortoise.queryset import QuerySet

from gql.connection import Window
from gql.pace import pace
from models import JobHost, ProvisionJob, Server, ServerLock

Key = TypeVar("Key")
Found = TypeVar("Found")
# Of one statement; PostgreSQL takes at most 32,767.
MOST_KEYS = 10_000
ROWS_AT_ONCE = 500
"""About how many rows one statement may give: more would keep the event loop for too long."""


class Asking:
    """Counts the fields that are about to ask: a long list takes several turns until each of its rows has asked."""

    def __init__(self) -> None:
        self._fields = 0
        self._waiting: list[asyncio.Future[None]] = []

    def __enter__(self) -> None:
        self._fields += 1

    def __exit__(self, *_: object) -> None:
        self._fields -= 1
        if not self._fields:
            waiting, self._waiting = self._waiting, []
            for waits in waiting:
                if not waits.done():
                    waits.set_result(None)

    def for_a_round(self) -> None:
        """Count one more until all have gone on who are given something at the end of this step."""
        loop = asyncio.get_running_loop()
        self.__enter__()
        # The first of these runs before they do, and the second after them.
        loop.call_soon(loop.call_soon, self.__exit__)

    async def over(self) -> None:
        """Wait until nobody is about to ask."""
        while self._fields:
            waits = asyncio.get_running_loop().create_future()
            self._waiting.append(waits)
            await waits


class Loader(DataLoader[Key, Found]):
    """A loader whose batches are not cut where an answer gives way to others."""

    def __init__(self, load: Callable[[list[Key]], Awaitable[list[Found]]], asking: Asking) -> None:
        super().__init__(load, cache=False, max_batch_size=MOST_KEYS)
        self._asking = asking

    async def load(self, key: Key) -> Found:
        """What is found by a key."""
        await self._asking.over()
        found = await super().load(key)
        # All that waited for the same statement go on now, and each makes objects of what it was given.
        turns = pace()
        if turns.is_spent():
            with self._asking:
                await turns.turn()
        return found


def loader(read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]], asking: Asking) -> Loader[Key, Found]:
    """A loader on `read`, which gives what it finds by key. It keeps nothing: a socket lives long, and rows change."""

    async def load(keys: Sequence[Key]) -> list[Found]:
        found = await read(list(dict.fromkeys(keys)))
        asking.for_a_round()
        return [found[key] for key in keys]

    return Loader(load, asking)


def page_loader(
    read: Callable[[Sequence[int], Window], Awaitable[Mapping[int, Found]]], asking: Asking
) -> Loader[tuple[int, Window], Found]:
    """A loader of pages, each of the list of one row; one call of `read` for all that ask for the same window."""

    async def load(keys: Sequence[tuple[int, Window]]) -> dict[tuple[int, Window], Found]:
        asked: dict[Window, list[int]] = {}
        for number, window in keys:
            asked.setdefault(window, []).append(number)
        found: dict[tuple[int, Window], Found] = {}
        for window, numbers in asked.items():
            # What a statement gives becomes objects all at once.
            for some in _parts(numbers, max(1, ROWS_AT_ONCE // window.most)):
                pages = await read(some, window)
                found |= {(number, window): pages[number] for number in some}
        return found

    return loader(load, asking)


def _parts(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


async def job_servers(job_ids: Sequence[int]) -> dict[int, list[Server]]:
    """The servers of each job that still exist, in the order of the request."""
    found: dict[int, list[Server]] = {job_id: [] for job_id in job_ids}
    rows = JobHost.filter(job_id__in=list(job_ids), server_id__isnull=False).prefetch_related("server")
    async for row in _each(rows):
        if row.server is not None:
            found[row.job_id].append(row.server)
    return found


async def job_hosts(job_ids: Sequence[int]) -> dict[int, list[JobHost]]:
    """The hosts of each job, in the order of the request."""
    found: dict[int, list[JobHost]] = {job_id: [] for job_id in job_ids}
    async for row in _each(JobHost.filter(job_id__in=list(job_ids))):
        found[row.job_id].append(row)
    return found


async def _each(rows: QuerySet[JobHost]) -> AsyncIterator[JobHost]:
    """Rows in the order of their ids, ROWS_AT_ONCE by each statement."""
    last = 0
    while True:
        some = await rows.filter(id__gt=last).order_by("id").limit(ROWS_AT_ONCE)
        for row in some:
            yield row
        if len(some) < ROWS_AT_ONCE:
            return
        last = some[-1].id


async def holders(server_ids: Sequence[int]) -> dict[int, ProvisionJob | None]:
    """The job that holds each server."""
    locks = await ServerLock.filter(server_id__in=list(server_ids)).prefetch_related("job")
    found = {lock.server_id: lock.job for lock in locks}
    return {server_id: found.get(server_id) for server_id in server_ids}


async def jobs(job_ids: Sequence[int]) -> dict[int, ProvisionJob | None]:
    """Jobs by number."""
    found = {job.id: job for job in await ProvisionJob.filter(id__in=list(job_ids))}
    return {job_id: found.get(job_id) for job_id in job_ids}


async def servers(server_ids: Sequence[int]) -> dict[int, Server | None]:
    """Servers by number."""
    found = {server.id: server for server in await Server.filter(id__in=list(server_ids))}
    return {server_id: found.get(server_id) for server_id in server_ids}
