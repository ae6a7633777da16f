"""What resolvers get: the engine, the viewer, and loaders that read many rows at once."""

from collections.abc import Sequence
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader
from tortoise.functions import Max

from models import JobHost, ProvisionJob, Server, ServerLock
from runner.engine import Engine
from runner.servers import tags_of
from runner.viewer import Viewer
from runner.waiting import Wait, waits_of
from runner.worker import Worker


class Context:
    """One HTTP request, or one WebSocket connection. `viewer` is None until the connection is authenticated."""

    def __init__(self, engine: Engine, worker: Worker | None, version: str, viewer: Viewer | None) -> None:
        self.engine = engine
        self.worker = worker
        self.version = version
        self.given_viewer = viewer
        self.connection_params: dict[str, Any] | None = None
        # Uncached: a connection lives long, and rows change.
        self.tags: DataLoader[int, list[str]] = DataLoader(_tags, cache=False)
        self.job_servers: DataLoader[int, list[Server]] = DataLoader(_job_servers, cache=False)
        self.job_hosts: DataLoader[int, list[JobHost]] = DataLoader(_job_hosts, cache=False)
        self.waits: DataLoader[int, list[Wait]] = DataLoader(_waits, cache=False)
        self.holders: DataLoader[int, ProvisionJob | None] = DataLoader(_holders, cache=False)
        self.jobs: DataLoader[int, ProvisionJob | None] = DataLoader(_jobs, cache=False)
        self.servers: DataLoader[int, Server | None] = DataLoader(_servers, cache=False)
        self.last_jobs: DataLoader[int, ProvisionJob | None] = DataLoader(_last_jobs, cache=False)

    @property
    def viewer(self) -> Viewer:
        """Who is asking."""
        if self.given_viewer is None:
            raise PermissionError
        return self.given_viewer


Info = strawberry.Info[Context, None]


async def _tags(server_ids: Sequence[int]) -> list[list[str]]:
    found = await tags_of(server_ids)
    return [found[server_id] for server_id in server_ids]


async def _job_servers(job_ids: Sequence[int]) -> list[list[Server]]:
    found: dict[int, list[Server]] = {job_id: [] for job_id in job_ids}
    rows = (
        await JobHost.filter(job_id__in=list(job_ids), server_id__isnull=False)
        .order_by("id")
        .prefetch_related("server")
    )
    for row in rows:
        if row.server is not None:
            found[row.job_id].append(row.server)
    return [found[job_id] for job_id in job_ids]


async def _last_jobs(server_ids: Sequence[int]) -> list[ProvisionJob | None]:
    rows = JobHost.filter(server_id__in=list(server_ids)).annotate(newest=Max("job_id")).group_by("server_id")
    newest: dict[int, int] = dict(await rows.values_list("server_id", "newest"))
    jobs = {job.id: job for job in await ProvisionJob.filter(id__in=list(newest.values()))}
    return [jobs.get(newest.get(server_id, 0)) for server_id in server_ids]


async def _job_hosts(job_ids: Sequence[int]) -> list[list[JobHost]]:
    found: dict[int, list[JobHost]] = {job_id: [] for job_id in job_ids}
    for row in await JobHost.filter(job_id__in=list(job_ids)).order_by("id"):
        found[row.job_id].append(row)
    return [found[job_id] for job_id in job_ids]


async def _waits(job_ids: Sequence[int]) -> list[list[Wait]]:
    found = await waits_of(job_ids)
    return [found[job_id] for job_id in job_ids]


async def _holders(server_ids: Sequence[int]) -> list[ProvisionJob | None]:
    locks = await ServerLock.filter(server_id__in=list(server_ids)).prefetch_related("job")
    found = {lock.server_id: lock.job for lock in locks}
    return [found.get(server_id) for server_id in server_ids]


async def _jobs(job_ids: Sequence[int]) -> list[ProvisionJob | None]:
    found = {job.id: job for job in await ProvisionJob.filter(id__in=list(job_ids))}
    return [found.get(job_id) for job_id in job_ids]


async def _servers(server_ids: Sequence[int]) -> list[Server | None]:
    found = {server.id: server for server in await Server.filter(id__in=list(server_ids))}
    return [found.get(server_id) for server_id in server_ids]
