"""One client that follows many logs over one socket: `python -m bench.rig.followers URL JOB…` prints what it got.

It says `ready` when all subscriptions are sent, and ends when every log has ended. Of each log it gives size and
SHA-256, to be compared with the file; of all together the milliseconds from the write to here.
"""

import asyncio
import hashlib
import json
import sys
import time
from typing import Any

import aiohttp

from bench.rig.table import quantile
from bench.rig.watchers import LINE, connect

_LOG = "subscription($id: ID!) { jobLog(jobId: $id) { text after cursor end } }"


class Log:
    """What came of one log; AssertionError if a byte is missing or comes twice."""

    def __init__(self) -> None:
        self.size = 0
        self.digest = hashlib.sha256()

    def take(self, told: dict[str, Any], now: int, delays: list[float]) -> None:
        """One message of `jobLog`, which came at `now`."""
        text = told["text"].encode()
        assert int(told["after"]) == self.size, (told["after"], self.size)
        self.size += len(text)
        assert int(told["cursor"]) == self.size
        self.digest.update(text)
        delays.extend((now - int(text[at + 9 : at + 28])) / 1e6 for at in range(0, len(text), LINE))


async def main() -> None:
    """Follow them all."""
    url, jobs = sys.argv[1], sys.argv[2:]
    logs, delays, messages, open_ = {job: Log() for job in jobs}, list[float](), 0, set(jobs)
    async with aiohttp.ClientSession() as session:
        socket = await connect(session, url)
        for job in jobs:
            payload = {"query": _LOG, "variables": {"id": job}}
            await socket.send_json({"type": "subscribe", "id": job, "payload": payload})
        print("ready", flush=True)
        while open_:
            message = await socket.receive()
            now, said = time.time_ns(), json.loads(message.data)
            if said["type"] == "next":
                messages += 1
                logs[said["id"]].take(said["payload"]["data"]["jobLog"], now, delays)
            elif said["type"] == "complete":
                open_.discard(said["id"])
    found = {job: [log.size, log.digest.hexdigest()] for job, log in logs.items()}
    times = {"p50": quantile(delays, 0.5), "p99": quantile(delays, 0.99)}
    print(json.dumps({"logs": found, "messages": messages, "cpu": time.process_time(), **times}))


if __name__ == "__main__":
    asyncio.run(main())
