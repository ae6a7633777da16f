"""Loaders: what many fields of one answer ask for at the same moment is read in one statement."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from tortoise.queryset import QuerySet

from gql.connection import Window
from gql.pace import pace
from models import JobHost, ProvisionJob, Server, ServerLock

Key = TypeVar("Key")
Found = TypeVar("Found")
# Of one statement; PostgreSQL takes at most 32,767.
MOST_KEYS = 10_000
GIVEN_AT_ONCE = 50
"""Fields that go on in the same round of the event loop."""
ROWS_AT_ONCE = 500
"""About how many rows one statement may give: more would keep the event loop for too long."""


# As many as there are objects in objects, at most, before one asks for rows.
_ROUNDS = 4


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

    async def begun(self) -> None:
        """Wait until those that go on have asked: fields of fields begin one round of the event loop later each."""
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)

    async def over(self) -> None:
        """Wait until nobody is about to ask."""
        while self._fields:
            waits = asyncio.get_running_loop().create_future()
            self._waiting.append(waits)
            await waits


class Loader(Generic[Key, Found]):
    """Reads at once what many fields ask for. Strawberry's own would cut its batches where an answer gives way."""

    def __init__(self, read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]], asking: Asking) -> None:
        self._read = read
        self._asking = asking
        self._waiting: list[tuple[Key, asyncio.Future[Found]]] = []
        self._sending: set[asyncio.Task[None]] = set()

    def load(self, key: Key) -> "asyncio.Future[Found]":
        """What is found by a key."""
        loop = asyncio.get_running_loop()
        waits = loop.create_future()
        if not self._waiting:
            task = loop.create_task(self._send())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        self._waiting.append((key, waits))
        return waits

    async def _send(self) -> None:
        # Who has begun in this round asks in this round.
        await asyncio.sleep(0)
        await self._asking.over()
        waiting, self._waiting = self._waiting, []
        # Those whose client has left are done.
        keys = list(dict.fromkeys(key for key, waits in waiting if not waits.done()))
        try:
            found: dict[Key, Found] = {}
            for some in _parts(keys, MOST_KEYS):
                found |= await self._read(some)
        except Exception as error:  # noqa: BLE001 (it is theirs who asked)
            for _, waits in waiting:
                if not waits.done():
                    waits.set_exception(error)
            return
        await self._give(waiting, found)

    async def _give(self, waiting: list[tuple[Key, "asyncio.Future[Found]"]], found: Mapping[Key, Found]) -> None:
        """Let those go on who waited. What they ask for next is asked for together, when all of them have."""
        turns = pace()
        with self._asking:
            for number, (key, waits) in enumerate(waiting, 1):
                if not waits.done():
                    waits.set_result(found[key])
                if number % GIVEN_AT_ONCE == 0 or number == len(waiting):
                    await asyncio.sleep(0)
                    await turns.turn(self._asking)
            await self._asking.begun()


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

    return Loader(load, asking)


def _parts(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


async def job_servers(job_ids: Sequence[int]) -> dict[int, list[Server]]:
    """The servers of each job that still exist, in the order of the request."""
    found: dict[int, list[Server]] = {job_id: [] for job_id in job_ids}
    async for row in _each(job_ids, JobHost.filter(server_id__isnull=False).prefetch_related("server")):
        if row.server is not None:
            found[row.job_id].append(row.server)
    return found


async def job_hosts(job_ids: Sequence[int]) -> dict[int, list[JobHost]]:
    """The hosts of each job, in the order of the request."""
    found: dict[int, list[JobHost]] = {job_id: [] for job_id in job_ids}
    async for row in _each(job_ids, JobHost.all()):
        found[row.job_id].append(row)
    return found


async def _each(job_ids: Sequence[int], rows: QuerySet[JobHost]) -> AsyncIterator[JobHost]:
    """The rows of jobs, in the order of their ids for each; a statement reads about ROWS_AT_ONCE."""
    left = sorted(job_ids)
    while left:
        # In the order of the index: by their ids alone, all that are left would be read and sorted each time.
        some = await rows.filter(job_id__in=left).order_by("job_id", "id").limit(ROWS_AT_ONCE)
        for row in some:
            yield row
        if len(some) < ROWS_AT_ONCE:
            return
        last = some[-1]
        for row in await rows.filter(job_id=last.job_id, id__gt=last.id).order_by("id"):
            yield row
        left = [job_id for job_id in left if job_id > last.job_id]


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
