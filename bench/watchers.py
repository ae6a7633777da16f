"""Watchers in a process of their own: `python -m bench.watchers URL JOB COUNT` prints what they received as JSON."""

import asyncio
import json
import sys
import time

import aiohttp

_LOG = "subscription($id: ID!) { jobLog(jobId: $id) { text end } }"


async def watch(session: aiohttp.ClientSession, url: str, job: str, delays: list[float]) -> int:
    """Read one job's log to its end; the number of lines. `delays` gets each line's way in milliseconds."""
    lines = 0
    async with session.ws_connect(f"{url}/graphql", protocols=["graphql-transport-ws"], max_msg_size=0) as socket:
        await socket.send_json({"type": "connection_init"})
        await socket.receive()
        payload = {"query": _LOG, "variables": {"id": job}}
        await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
        async for message in socket:
            now = time.time_ns()
            answer = json.loads(message.data)
            if answer["type"] != "next":
                break
            received = answer["payload"]["data"]["jobLog"]["text"].splitlines()
            lines += len(received)
            # One line of each message is enough where messages are large: they arrived together.
            sample = received[:: max(1, len(received) // 10)]
            delays.extend((now - int(line.split()[1])) / 1e6 for line in sample)
    return lines


async def main() -> None:
    """Watch, and print lines and percentiles."""
    url, job, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    delays: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        lines = await asyncio.gather(*(watch(session, url, job, delays) for _ in range(count)))
    delays.sort()
    quantiles = {name: delays[int(len(delays) * share)] for name, share in (("p50", 0.5), ("p99", 0.99))}
    print(json.dumps({"lines": sum(lines), **quantiles}))


if __name__ == "__main__":
    asyncio.run(main())
