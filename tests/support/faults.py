"""Jobs on a cluster whose parts die, stand still and are cut off: what is run, and what happens meanwhile.

tests.support.faults_truth says what must be true afterwards.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg

from playcast.storage.postgres import plain_url
from runner.lease import HEARTBEAT_SECONDS, LEASE_SECONDS
from tests.support.api import JSON, RUN, Api
from tests.support.cluster import Cluster
from tests.support.mortal_postgres import FreezingProxy, MortalPostgres
from tests.support.watch import CUTS, EventWatch, LogWatch

SERVERS = 6
SLOTS = 2
LINES = 30
# On its server each job marks its start and its end; between them it prints for some seconds.
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Begin
      ansible.builtin.shell: echo "start {{ job }}" >>MARKS/{{ server_name }}
    - name: Print
      ansible.builtin.debug:
        msg: "job {{ job }} line {{ item }}"
      loop: "{{ range(LINES) | list }}"
      loop_control: {pause: PAUSE, label: .}
    - name: End
      ansible.builtin.shell: echo "end {{ job }}" >>MARKS/{{ server_name }}
"""
GRACE = 20
HELD = "SELECT count(*) FROM server_lock"
RUNNING = "SELECT id FROM provision_job WHERE status = 'RUNNING' AND worker = ANY($1)"
HELD_UP = """
SELECT pid, application_name, state, wait_event, now() - xact_start AS since, pg_blocking_pids(pid) AS by, query
FROM pg_stat_activity WHERE datname = current_database() AND xact_start < now() - interval '3 seconds'
"""


@dataclass
class Faults:
    """A cluster of two servers and three workers, w3 by way of the proxy, and everything that was done and seen."""

    cluster: Cluster
    database: MortalPostgres
    proxy: FreezingProxy
    jobs: dict[int, str] = field(default_factory=dict)
    """The id of each job by its number."""
    logs: dict[int, list[LogWatch]] = field(default_factory=dict)
    events: dict[int, EventWatch] = field(default_factory=dict)
    may_be_lost: set[int] = field(default_factory=set)
    """Rows of the jobs whose worker was away for about as long as its lease, or longer, and came back."""
    left: set[int] = field(default_factory=set)
    """Rows of the jobs whose worker did not come back."""
    fetched: set[int] = field(default_factory=set)
    """Rows of the jobs that a worker had fetched from the queue when it was killed."""
    unstarted: set[int] = field(default_factory=set)
    """Numbers of the jobs that were never started."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Start all five."""
        await asyncio.gather(self.cluster.serve("api0"), self.cluster.serve("api1"))
        through = self.proxy.through(self.cluster.url)
        ways: dict[str, dict[str, str]] = {"w1": {}, "w2": {}, "w3": {"database_url": through}}
        for name, way in ways.items():
            await self.cluster.work(name, slots=str(SLOTS), **way)

    def alive(self, preferred: str) -> Api | None:
        """The API of a server that lives: that one if it does."""
        for name in (preferred, *sorted(self.cluster.servers)):
            served = self.cluster.servers[name]
            if served.process.returncode is None:
                return served.api
        return None

    async def up(self, preferred: str) -> Api:
        """The same, as soon as there is one."""
        while (api := self.alive(preferred)) is None:  # noqa: ASYNC110 (a process tells no event)
            await asyncio.sleep(0.1)
        return api

    async def submit_all(self, pause: float) -> None:
        """Submit jobs in turn on every server, through both APIs, until `over`, and follow each on both to its end."""
        servers = [await self._server(number) for number in range(SERVERS)]
        async with asyncio.TaskGroup() as group:
            for number in count():
                if self.over.is_set():
                    return
                job_id = await self._submit(servers[number % SERVERS], number)
                self.jobs[number] = job_id
                names = ("api0", "api1")
                ups = [lambda name=name: self.up(name) for name in names]
                self.logs[number] = [LogWatch(up, job_id) for up in ups]
                self.events[number] = EventWatch(ups[number % 2], job_id)
                for watch in (*self.logs[number], self.events[number]):
                    group.create_task(watch.run())
                await asyncio.sleep(pause)

    async def _server(self, number: int) -> str:
        return await (await self.up("api0")).create_server(name=f"s{number}")

    async def _submit(self, server: str, number: int) -> str:
        """Ask until it is taken: the key makes one job of it, however often the answer gets lost."""
        given: JSON = {
            "recipe": "marks",
            "serverIds": [server],
            "extraVars": {"job": number},
            "idempotencyKey": f"faults {number}",
        }
        while True:
            answer = await self._ask(f"api{number % 2}", RUN, input=given)
            if answer is not None:
                payload = answer["runProvision"]
                assert payload["userErrors"] == [], payload
                return str(payload["job"]["id"])
            await asyncio.sleep(0.3)

    async def _ask(self, preferred: str, query: str, **given: Any) -> JSON | None:
        """The data, or None if server or database are away, which must be all that is told."""
        try:
            answer = await (await self.up(preferred)).raw(query, **given)
        except CUTS:
            return None
        if "errors" in answer:
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"], answer
            return None
        data: JSON = answer["data"]
        return data

    async def kill_server(self, name: str, seconds: float) -> None:
        """Kill a server with -9; it is started again after that time."""
        await self.cluster.servers[name].kill()
        await asyncio.sleep(seconds)
        await self.cluster.serve(name)

    async def kill_worker(self, name: str) -> set[int]:
        """Kill a worker with -9; its playbooks go on. The rows of its jobs."""
        self.cluster.workers[name].kill()
        await self.cluster.workers[name].wait()
        jobs = await self.running(name)
        self.fetched |= jobs
        return jobs

    async def renew_worker(self, name: str) -> None:
        """Kill a worker with -9, and start it again at once."""
        began = time.monotonic()
        jobs = await self.kill_worker(name)
        await self.cluster.work(name, slots=str(SLOTS))
        # Rarely this machine is so busy that even that takes too long.
        if time.monotonic() - began > LEASE_SECONDS - 2 * HEARTBEAT_SECONDS:
            self.may_be_lost |= jobs

    async def settled(self) -> None:
        """Wait until the last job of a lost worker has had its grace."""
        connection = await asyncpg.connect(plain_url(self.cluster.url))
        try:
            async with asyncio.timeout(GRACE + 6 * LEASE_SECONDS):
                while await connection.fetchval(HELD):  # noqa: ASYNC110 (the table tells no event)
                    await asyncio.sleep(0.2)
        finally:
            await connection.close()

    async def busy(self, *workers: str) -> None:
        """Wait until each of these workers runs something."""
        while not all([await self.running(worker) for worker in workers]):  # noqa: ASYNC110 (they tell no event)
            await asyncio.sleep(0.1)

    async def cut_off(self, *workers: str) -> None:
        """Note what these workers run, now that they cannot take anything more, and wait until it is judged lost."""
        await asyncio.sleep(2)
        deadline = time.monotonic() + 6 * LEASE_SECONDS
        # What one of them has begun to claim may show only now.
        while jobs := await self.running(*workers):
            self.may_be_lost |= jobs
            assert time.monotonic() < deadline, (jobs, await self.held_up())
            await asyncio.sleep(0.2)

    async def running(self, *workers: str) -> set[int]:
        """What these workers run now."""
        connection = await asyncpg.connect(plain_url(self.cluster.url))
        try:
            return {row["id"] for row in await connection.fetch(RUNNING, list(workers))}
        finally:
            await connection.close()

    async def held_up(self) -> list[dict[str, Any]]:
        """What the database has been doing for long, and for whom it waits."""
        connection = await asyncpg.connect(plain_url(self.cluster.url))
        try:
            return [dict(row) for row in await connection.fetch(HELD_UP)]
        finally:
            await connection.close()

    @asynccontextmanager
    async def frozen(self, name: str) -> AsyncIterator[None]:
        """SIGSTOP for as long as the context lasts."""
        self.cluster.workers[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.cluster.workers[name].pid, signal.SIGCONT)
