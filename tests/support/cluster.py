"""Servers and workers on one PostgreSQL, each a process of its own that can be killed and started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.api import Api
from tests.support.launchers import until
from tests.support.serving import Served, serving, worker_process

KEY = "5wcVNhHBzoVnT1GH1kzuT_XVxgvOEmBOQOjIUvIJx8Q="
LOST = "the worker w1 was not heard of for 15 seconds; nobody knows how the job ended"
MESSAGES = "subscription M($ids: [ID!]) { jobUpdated(ids: $ids) { status message } }"
LOG = "subscription L($id: ID!) { jobLog(jobId: $id) { text end } }"

# Each start leaves a line; the job goes on until it is let go.
MARK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: "echo {{ server_name }} >> FOLDER/starts; echo began"
    - ansible.builtin.shell: "while [ ! -e FOLDER/go ]; do sleep 0.1; done"
    - ansible.builtin.debug: {msg: the end}
"""


@dataclass
class Cluster:
    """Servers and workers on one database; all are ended with `stack`."""

    stack: AsyncExitStack
    folder: Path
    ansible_dir: Path
    url: str
    settings: dict[str, str] = field(default_factory=lambda: {"lost_grace": "3"})
    servers: dict[str, Served] = field(default_factory=dict)
    workers: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    def _settings(self, more: dict[str, str]) -> dict[str, str]:
        return {"database_url": self.url, "secret_key": KEY, **self.settings, **more}

    async def serve(self, name: str | None = None, **more: str) -> Api:
        """One more server, or one that comes back."""
        name = name or f"api{len(self.servers)}"
        process = serving(self.folder / name, self.ansible_dir, log=self.folder / f"{name}.log", **self._settings(more))
        self.servers[name] = await self.stack.enter_async_context(process)
        return self.servers[name].api

    async def work(self, name: str, **more: str) -> asyncio.subprocess.Process:
        """One more worker, or one that comes back."""
        log = self.folder / f"{name}.log"
        process = worker_process(self.folder / name, self.ansible_dir, name, log=log, **self._settings(more))
        self.workers[name] = await self.stack.enter_async_context(process)
        return self.workers[name]

    async def begun(self, api: Api) -> str:
        """The id of a job of the recipe `mark` on a new server, s0, where it has begun."""
        job = await api.run("mark", await api.create_server(name="s0"))
        await until(lambda: self.starts() == ["s0"])
        return str(job["id"])

    def starts(self) -> list[str]:
        """The servers that a job of the recipe `mark` has begun on, in order."""
        file = self.folder / "starts"
        return file.read_text().split() if file.exists() else []

    def let_go(self) -> None:
        """Let those jobs go on."""
        (self.folder / "go").touch()


@asynccontextmanager
async def cluster_on(url: str, folder: Path, ansible_dir: Path, **settings: str) -> AsyncIterator[Cluster]:
    """A cluster that knows the recipe `mark`; no such job outlives the context."""
    (ansible_dir / "playbooks" / "mark.yml").write_text(MARK.replace("FOLDER", str(folder)))
    async with AsyncExitStack() as stack:
        cluster = Cluster(stack, folder, ansible_dir, url)
        cluster.settings |= settings
        yield cluster
        cluster.let_go()


async def says(api: Api, job: str, message: str) -> None:
    """Wait until a job that ended as ERROR says this."""
    async with asyncio.timeout(60), api.subscribe(MESSAGES, ids=[job]) as updates:
        async for update in updates:
            assert update["jobUpdated"]["status"] == "ERROR"
            if update["jobUpdated"]["message"] == message:
                break


async def text_of(api: Api, job: str) -> str:
    """The whole log, as a watcher on one server sees it."""
    text = ""
    async with api.subscribe(LOG, id=job) as results:
        async for result in results:
            text += result["jobLog"]["text"]
            if result["jobLog"]["end"]:
                break
    return text
