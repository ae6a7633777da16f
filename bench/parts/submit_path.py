"""How soon a caller has an answer and a watcher the first output, measured against their targets."""

import asyncio
import time
from collections.abc import Iterator

import aiohttp

from bench.rig.server import Server
from bench.rig.table import spread

ROUNDS = 15
ANSWER_SECONDS = 0.01
"""What runProvision may take: a few milliseconds."""
OUTPUT_SECONDS = 0.2
"""What may pass from the call to the first output, warm."""
_RUN = "mutation($input: RunProvisionInput!) { runProvision(input: $input) { job { id number } } }"
_LOG = "subscription($id: ID!) { jobLog(jobId: $id) { text end } }"


def rows_of(server: Server, targets: list[str]) -> Iterator[tuple[str, str]]:
    """The rows of a server that starts jobs warm."""
    taken = [asyncio.run(_call(server, targets)) for _ in range(ROUNDS + 1)][1:]
    for what, target, at in (
        ("runProvision -> its answer", ANSWER_SECONDS, 0),
        ("runProvision -> first output at a client, warm", OUTPUT_SECONDS, 1),
    ):
        ratios = [each[at] / target for each in taken]
        middle = sorted(each[at] for each in taken)[ROUNDS // 2]
        yield f"{what}, against {target * 1e3:.0f} ms", f"{spread(ratios)}, {middle * 1e3:.1f} ms"


async def _call(server: Server, targets: list[str]) -> tuple[float, float]:
    """(seconds to the answer, seconds to the first output), over connections that stand already."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/graphql", protocols=["graphql-transport-ws"]) as socket,
    ):
        await socket.send_json({"type": "connection_init"})
        await socket.receive()
        await _post(session, server, "{ viewer { name } }", {})
        began = time.monotonic()
        answer = await _post(session, server, _RUN, {"input": {"recipe": "ping", "serverIds": targets}})
        answered = time.monotonic()
        job = answer["data"]["runProvision"]["job"]["id"]
        payload = {"query": _LOG, "variables": {"id": job}}
        await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
        first = 0.0
        async for message in socket:
            said = message.json()
            if said["type"] != "next":
                break
            first = first or time.monotonic()
        return answered - began, first - began


async def _post(session: aiohttp.ClientSession, server: Server, query: str, variables: dict[str, object]) -> dict:  # type: ignore[type-arg]  # JSON
    body = {"query": query, "variables": variables}
    async with session.post(f"{server.url}/graphql", json=body) as response:
        answer: dict = await response.json()  # type: ignore[type-arg]  # JSON
        return answer
