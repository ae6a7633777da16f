"""Many logs at once, followed through several servers: how late each line is, and what a chunk takes of the CPU.

Each job is the real printer under a real supervisor; it writes seven lines of 60 bytes at a time. Every server has one
client, which follows all jobs. The baseline is one process on SQLite, which runs the jobs itself.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.server import ROOT, Process
from bench.several import Several, since
from bench.spread import spread
from bench.watchers import LINE

ROUNDS = 3
JOBS = 100
RATE = 10
BURST = 7
SECONDS = 12
SERVERS = (1, 4, 10)
EDGE = 2.0
"""Seconds at the start and at the end of the printing in which no CPU is counted."""


@dataclass
class Found:
    """Of one run: milliseconds from the write to the clients, and CPU seconds for each chunk."""

    p50: float
    p99: float
    cpu: dict[str, float]
    chunks: float


def measured(servers: int, jobs: int, seconds: float) -> Found:
    """One run; without a server, that of a single process on SQLite."""
    with Several("printer", postgres=bool(servers), PLAYCAST_SLOTS=str(jobs)) as several:
        for _ in range(servers or 1):
            several.serve()
        first = several.servers[0]
        worker: Process = several.work(jobs) if servers else first
        orders = {"lines": int(seconds * RATE) * BURST, "rate": RATE * BURST, "burst": BURST, "wait": 1}
        numbers = [first.run("flood", first.add_server(name=f"s{at}"), **orders) for at in range(jobs)]
        dirs = [worker.data_dir / "jobs" / str(number) for number in numbers]
        while not all((path / "run.json").exists() for path in dirs):
            time.sleep(0.1)
        following = [_follow(server.url, numbers) for server in several.servers]
        time.sleep(1)
        (worker.data_dir / "begin").touch()
        time.sleep(EDGE)
        before, size = several.cpu(), _size(dirs)
        time.sleep(seconds - 2 * EDGE)
        cpu, chunks = since(before, several.cpu()), (_size(dirs) - size) / (BURST * LINE)
        seen = [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in following]
        wanted = {path.name: _told(path / "ansible.log") for path in dirs}
        assert all(each["logs"] == wanted for each in seen), "a log did not come as it was written"
        assert sum(given[0] for given in wanted.values()) == jobs * orders["lines"] * LINE
    return Found(
        max(each["p50"] for each in seen),
        max(each["p99"] for each in seen),
        {name: spent / chunks for name, spent in cpu.items()},
        chunks / (seconds - 2 * EDGE),
    )


def _follow(url: str, jobs: list[int]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.followers", url, *map(str, jobs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def _size(dirs: list[Path]) -> int:
    return sum((path / "ansible.log").stat().st_size for path in dirs)


def _told(log: Path) -> list[object]:
    data = log.read_bytes()
    return [len(data), hashlib.sha256(data).hexdigest()]
