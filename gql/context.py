"""What resolvers get: the engine, the viewer, and loaders that read many rows at once."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any

import strawberry

from gql import loaders
from gql.connection import Window
from gql.loaders import Asking, Loader, page_loader
from models import JobEvent, JobHost, ProvisionJob, Server, ServerTag
from runner.engine import Engine
from runner.recipes.book import Recipe
from runner.verbs.list_jobs import counts_on, newest_on
from runner.verbs.list_workers import Alive
from runner.verbs.read_events import read_events
from runner.verbs.waiting import Wait, waits_of
from runner.viewer import Viewer


class Context:
    """One HTTP request, or one WebSocket connection. `viewer` is None until the connection is authenticated.

    Each loader is made when a field first asks for it: most answers need none.
    """

    def __init__(
        self,
        engine: Engine,
        alive_workers: Callable[[], Awaitable[list[Alive]]],
        version: str,
        viewer: Viewer | None,
        resumed_after: str | None = None,
    ) -> None:
        self.engine = engine
        self.alive_workers = alive_workers
        self.version = version
        self.given_viewer = viewer
        self.connection_params: dict[str, Any] | None = None
        self.resumed_after = resumed_after
        # Of what a subscription with cursors sent last. It means something only where there is one operation.
        self.cursor: str | None = None
        self.asking = Asking()

    @property
    def viewer(self) -> Viewer:
        """Who is asking."""
        if self.given_viewer is None:
            raise PermissionError
        return self.given_viewer

    @cached_property
    def tags(self) -> Loader[int, list[str]]:
        """The tags of a server."""
        return Loader(ServerTag.of_servers, self.asking)

    @cached_property
    def job_servers(self) -> Loader[int, list[Server]]:
        """The servers of a job."""
        return Loader(loaders.job_servers, self.asking)

    @cached_property
    def job_hosts(self) -> Loader[int, list[JobHost]]:
        """The hosts of a job."""
        return Loader(loaders.job_hosts, self.asking)

    @cached_property
    def waits(self) -> Loader[int, list[Wait]]:
        """Who stands in the way of a job."""
        return Loader(waits_of, self.asking)

    @cached_property
    def holders(self) -> Loader[int, ProvisionJob | None]:
        """The job that holds a server."""
        return Loader(loaders.holders, self.asking)

    @cached_property
    def jobs(self) -> Loader[int, ProvisionJob | None]:
        """A job by its number."""
        return Loader(loaders.jobs, self.asking)

    @cached_property
    def servers(self) -> Loader[int, Server | None]:
        """A server by its number."""
        return Loader(loaders.servers, self.asking)

    @cached_property
    def server_jobs(self) -> Loader[tuple[int, Window], list[ProvisionJob]]:
        """A page of the jobs of a server, newest first."""

        async def read(server_ids: Sequence[int], window: Window) -> dict[int, list[ProvisionJob]]:
            return await newest_on(self.viewer, server_ids, window.most, window.after)

        return page_loader(read, self.asking)

    @cached_property
    def last_jobs(self) -> Loader[int, ProvisionJob | None]:
        """The newest job of a server."""

        async def read(server_ids: Sequence[int]) -> dict[int, ProvisionJob | None]:
            newest = await newest_on(self.viewer, server_ids, 1)
            return {server_id: jobs[0] if jobs else None for server_id, jobs in newest.items()}

        return Loader(read, self.asking)

    @cached_property
    def job_counts(self) -> Loader[int, int]:
        """How many jobs a server has had."""

        async def read(server_ids: Sequence[int]) -> dict[int, int]:
            return await counts_on(self.viewer, server_ids)

        return Loader(read, self.asking)

    @cached_property
    def events(self) -> Loader[tuple[int, Window], list[JobEvent]]:
        """A page of the events of a job."""

        async def read(job_ids: Sequence[int], window: Window) -> dict[int, list[JobEvent]]:
            return await read_events(self.viewer, job_ids, window.most, window.after or 0)

        return page_loader(read, self.asking)

    @cached_property
    def recipes(self) -> Loader[str, Recipe | None]:
        """A recipe by its name."""

        async def read(names: Sequence[str]) -> dict[str, Recipe | None]:
            known = {recipe.name: recipe for recipe in await self.engine.recipes.all()}
            return {name: known.get(name) for name in names}

        return Loader(read, self.asking)


Info = strawberry.Info[Context, None]
