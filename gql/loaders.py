"""Loaders: what many fields of one answer ask for at the same moment is read in one statement."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from strawberry.dataloader import DataLoader

from gql.connection import Window
from models import JobHost, ProvisionJob, Server, ServerLock

Key = TypeVar("Key")
Found = TypeVar("Found")
# Of one statement; PostgreSQL takes at most 32,767.
MOST_KEYS = 10_000


def loader(read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]]) -> DataLoader[Key, Found]:
    """A loader on `read`, which gives what it finds by key. It keeps nothing: a socket lives long, and rows change."""

    async def load(keys: Sequence[Key]) -> list[Found]:
        found = await read(list(dict.fromkeys(keys)))
        return [found[key] for key in keys]

    return DataLoader(load, cache=False, max_batch_size=MOST_KEYS)


def page_loader(
    read: Callable[[Sequence[int], Window], Awaitable[Mapping[int, Found]]],
) -> DataLoader[tuple[int, Window], Found]:
    """A loader of pages, each of the list of one row; one call of `read` for all that ask for the same window."""

    async def load(keys: Sequence[tuple[int, Window]]) -> dict[tuple[int, Window], Found]:
        asked: dict[Window, list[int]] = {}
        for number, window in keys:
            asked.setdefault(window, []).append(number)
        pages = {window: await read(numbers, window) for window, numbers in asked.items()}
        return {(number, window): pages[window][number] for number, window in keys}

    return loader(load)


async def job_servers(job_ids: Sequence[int]) -> dict[int, list[Server]]:
    """The servers of each job that still exist, in the order of the request."""
    found: dict[int, list[Server]] = {job_id: [] for job_id in job_ids}
    rows = JobHost.filter(job_id__in=list(job_ids), server_id__isnull=False)
    for row in await rows.order_by("id").prefetch_related("server"):
        if row.server is not None:
            found[row.job_id].append(row.server)
    return found


async def job_hosts(job_ids: Sequence[int]) -> dict[int, list[JobHost]]:
    """The hosts of each job, in the order of the request."""
    found: dict[int, list[JobHost]] = {job_id: [] for job_id in job_ids}
    for row in await JobHost.filter(job_id__in=list(job_ids)).order_by("id"):
        found[row.job_id].append(row)
    return found


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
