"""From runProvision to RUNNING: workers on PostgreSQL by the queue engine, against one process on SQLite.

In ansible's place is a process called sleep, which waits for 100 ms (`stand_in`): RUNNING comes before anything is
started, and cheap jobs leave the processors to what is measured. `started_at` and `created_at` are told by two
processes, but by one clock.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import aiohttp

from bench.rig.cluster import Several
from bench.rig.server import Server
from bench.rig.table import compared, quantile

ROUNDS = 5
JOBS = 60
SLOTS = 4
_SLEEP = 100
_RUN = "mutation($input: RunProvisionInput!) { runProvision(input: $input) { job { id } userErrors { message } } }"
_STATES = "subscription($ids: [ID!]) { jobUpdated(ids: $ids) { status createdAt startedAt } }"
BASE = "one process on SQLite"
ENGINE = "servers and a worker on PostgreSQL, by procrastinate"
LOCAL = "one process on PostgreSQL, by its own queue"

Row = tuple[str, str]
Times = dict[str, list[float]]


def rows() -> Iterator[Row]:
    """Each row of the table: what, and its figure."""
    yield from table(measured(ROUNDS, JOBS))


def table(found: dict[str, list[Times]]) -> Iterator[Row]:
    """The rows; each round is compared with the baseline's own round."""
    for way in (ENGINE, LOCAL):
        for what in found[BASE][0]:
            for share in (0.5, 0.99):
                pairs = [
                    (quantile(mine[what], share), quantile(base[what], share))
                    for mine, base in zip(found[way], found[BASE], strict=True)
                ]
                yield f"{what}, p{share * 100:.0f}: {way}, against {BASE}", compared(pairs, " ms")


def measured(rounds: int, jobs: int) -> dict[str, list[Times]]:
    """Milliseconds of each job, by way and round; the ways take turns with each job."""
    with ExitStack() as opened:
        servers = {}
        for way, place, postgres in (
            (BASE, "nothing", False),
            (ENGINE, "nothing", True),
            (LOCAL, "nothing local", True),
        ):
            several = opened.enter_context(Several(place, postgres=postgres, PLAYCAST_SLOTS=str(SLOTS)))
            servers[way] = several.serve(**({"PLAYCAST_SERVE_JOBS": "true"} if way is LOCAL else {}))
            if way is ENGINE:
                several.work(SLOTS)
        targets = {way: server.add_server() for way, server in servers.items()}
        asyncio.run(_round(servers, targets, 5))
        return _by_way([asyncio.run(_round(servers, targets, jobs)) for _ in range(rounds)])


def _by_way(rounds: list[dict[str, Times]]) -> dict[str, list[Times]]:
    return {way: [each[way] for each in rounds] for way in (BASE, ENGINE, LOCAL)}


async def _round(servers: dict[str, Server], targets: dict[str, str], jobs: int) -> dict[str, Times]:
    times: dict[str, Times] = {way: {} for way in servers}
    async with aiohttp.ClientSession() as session:
        for _ in range(jobs):
            for way, server in servers.items():
                for what, milliseconds in (await _job(session, server, targets[way])).items():
                    times[way].setdefault(what, []).append(milliseconds)
    return times


async def _job(session: aiohttp.ClientSession, server: Server, target: str) -> dict[str, float]:
    async with session.ws_connect(f"{server.url}/graphql", protocols=["graphql-transport-ws"]) as socket:
        await socket.send_json({"type": "connection_init"})
        await socket.receive()
        order = {"recipe": "flood", "serverIds": [target], "extraVars": {"sleep": _SLEEP}}
        began = time.monotonic()
        body = {"query": _RUN, "variables": {"input": order}}
        async with session.post(f"{server.url}/graphql", json=body) as response:
            job = (await response.json())["data"]["runProvision"]["job"]["id"]
        payload = {"query": _STATES, "variables": {"ids": [job]}}
        await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
        running = 0.0
        async for message in socket:
            state: dict[str, Any] = message.json()["payload"]["data"]["jobUpdated"]
            if state["status"] != "PENDING":
                running = running or time.monotonic()
            if state["status"] not in ("PENDING", "RUNNING"):
                break
    assert state["status"] == "SUCCESS", state
    stored = datetime.fromisoformat(state["startedAt"]) - datetime.fromisoformat(state["createdAt"])
    return {
        "created -> started, as stored": stored.total_seconds() * 1000,
        "runProvision -> RUNNING at a client": (running - began) * 1000,
    }
