"""Watchers in a process of their own: `python -m bench.rig.watchers URL JOB COUNT [STOPPED [LINES]]` prints what came.

All connect first, and then subscribe at once. They look at both ends of each message alone, so that this process is
faster than the server: that each chunk follows the one before, and at some of its lines. The last STOPPED watchers
never read their sockets; the first of the others parses every message as JSON. With LINES a watcher leaves when it has
so many, and `joined` is how long that took; else each reads to the end.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

_LOG = "subscription($id: ID!) { jobLog(jobId: $id) { text after cursor end } }"
_HEAD = b'{"id":"1","type":"next","payload":{"data":{"jobLog":{"text":"'
_TAIL = re.compile(rb'"after":"(\d+)","cursor":"(\d+)","end":(true|false)}}}}$')
# A line of `stand_in/ansible.py`, and how it stands in JSON, where its end takes two bytes.
LINE = 60
_LINE_IN_JSON = LINE + 1
_SAMPLES = 10


@dataclass
class Seen:
    """What all watchers together received. Times are milliseconds."""

    lines: int = 0
    delays: list[float] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)


async def watch(socket: Any, job: str, seen: Seen, *, lines: int, parse: bool) -> None:
    """Read one job's log; AssertionError if a byte is missing or comes twice."""
    began, position = time.time_ns(), 0
    await socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": _LOG, "variables": {"id": job}}})
    async for message in socket:
        now, data = time.time_ns(), message.data
        found = _TAIL.search(data[-100:])
        if found is None:
            assert json.loads(data)["type"] == "complete", data[:500]
            break
        after, cursor, size = int(found[1]), int(found[2]), len(data) - len(_HEAD) - len(found[0])
        assert after == position, (after, position)
        position = cursor
        if parse:
            text = json.loads(data)["payload"]["data"]["jobLog"]["text"]
            assert len(text) == cursor - after
        stride = max(_LINE_IN_JSON, size // _SAMPLES // _LINE_IN_JSON * _LINE_IN_JSON)
        for at in range(len(_HEAD), len(_HEAD) + size - LINE, stride):
            seen.delays.append((now - int(data[at + 9 : at + 28])) / 1e6)
        if lines and position >= lines * LINE:
            break
    seen.lines += position // LINE
    seen.joined.append((time.time_ns() - began) / 1e6)


async def stop_reading(socket: Any, job: str) -> None:
    """Subscribe, and take nothing."""
    await socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": _LOG, "variables": {"id": job}}})
    await asyncio.Event().wait()


async def main() -> None:
    """Watch, and print lines, percentiles, and the CPU seconds that this process took."""
    url, job, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    stopped, lines = ([*(int(given) for given in sys.argv[4:]), 0, 0])[:2]
    seen = Seen()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sockets = [await connect(session, url) for _ in range(count)]
        stuck = [asyncio.create_task(stop_reading(socket, job)) for socket in sockets[count - stopped :]]
        used, began = time.process_time(), time.monotonic()
        reading = sockets[: count - stopped]
        await asyncio.gather(
            *(watch(socket, job, seen, lines=lines, parse=not number) for number, socket in enumerate(reading))
        )
        took = {"cpu": time.process_time() - used, "wall": time.monotonic() - began}
        for task in stuck:
            task.cancel()
        for socket in sockets:
            socket._response.close()  # noqa: SLF001 (cuts it: a goodbye would wait for what is not read)
    print(json.dumps({"lines": seen.lines, **took, **_quantiles(seen.delays), "joined": _quantiles(seen.joined)}))


async def connect(session: aiohttp.ClientSession, url: str) -> Any:
    """A socket that the server has acknowledged."""
    socket = await session.ws_connect(
        f"{url}/graphql", protocols=["graphql-transport-ws"], max_msg_size=0, decode_text=False
    )
    await socket.send_json({"type": "connection_init"})
    await socket.receive()
    return socket


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values) or [0.0]
    return {name: ordered[int(len(ordered) * share)] for name, share in (("p50", 0.5), ("p99", 0.99))}


if __name__ == "__main__":
    asyncio.run(main())
