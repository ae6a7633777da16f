"""Many logs at once, followed through several servers: how late each line is, and what a chunk takes of the CPU.

One process writes the logs of all jobs (`log_writer.py`), so that two cores bear it. Every server has one client, which
follows all of them over one socket and checks each byte. The baseline of the times is one process on SQLite.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.rig.cluster import Several, since
from bench.rig.server import ROOT, Process
from bench.rig.table import compared, spread
from bench.stand_in.log_writer import SIZE

ROUNDS = 3
JOBS = 100
RATE = 10
SECONDS = 12.0
SERVERS = (1, 4, 10)
EDGE = 1.0
"""Seconds at the start and at the end of the writing in which no CPU is counted."""
_LATE = 300

Row = tuple[str, str]


@dataclass
class Found:
    """Of one run: milliseconds from the write to the clients, and CPU seconds for each chunk of 420 bytes."""

    p50: float
    p99: float
    cpu: dict[str, float]
    chunks: float
    """Written in a second."""


def rows() -> Iterator[Row]:
    """Each row of the table: what, and its figure."""
    found: dict[int, list[Found]] = {servers: [] for servers in (0, *SERVERS)}
    for _ in range(ROUNDS):
        for servers, runs in found.items():
            runs.append(measured(servers, JOBS, SECONDS))
    yield from table(found, f"{JOBS} logs, {RATE} chunks/s each")


def table(found: dict[int, list[Found]], what: str) -> Iterator[Row]:
    """The rows; each run is compared with that on SQLite of its round."""
    plain = found[0]
    for servers in list(found)[1:]:
        runs = found[servers]
        name = f"{what}, {servers} server{'s' if servers > 1 else ''}"
        for quantile in ("p50", "p99"):
            pairs = [(getattr(run, quantile), getattr(base, quantile)) for run, base in zip(runs, plain, strict=True)]
            yield f"{name}: written -> client, {quantile}, against one process on SQLite", compared(pairs, " ms", 0)
        for part in runs[0].cpu:
            share = 1e6 / (servers if part == "servers" else 1)
            pairs = [(run.cpu[part] * share, base.cpu["servers"] * 1e6) for run, base in zip(runs, plain, strict=True)]
            who = "each server" if part == "servers" else part
            yield f"  CPU of {who} per chunk, against that process", compared(pairs, " us", 0)
        yield "  chunks/s that were written", spread([run.chunks for run in runs], "", 0)


def measured(servers: int, jobs: int, seconds: float) -> Found:
    """One run; without a server, that of a single process on SQLite. AssertionError if a client missed a byte."""
    with Several("nothing", postgres=bool(servers), PLAYCAST_SLOTS=str(jobs)) as several:
        for _ in range(servers or 1):
            several.serve()
        first = several.servers[0]
        worker: Process = several.work(jobs) if servers else first
        writes = int(seconds * RATE)
        with _pen(worker.data_dir, jobs, writes) as pen:
            numbers = [first.run("flood", first.add_server(name=f"s{at}"), pen=1) for at in range(jobs)]
            assert pen.stdout is not None
            assert pen.stdout.readline() == b"ready\n"
            following = [_follow(server.url, numbers) for server in several.servers]
            # Until each server has taken all subscriptions: what it takes to join is no delay of a line.
            time.sleep(1 + jobs * len(following) / 30)
            (worker.data_dir / "begin").touch()
            time.sleep(EDGE)
            dirs = [worker.data_dir / "jobs" / str(number) for number in numbers]
            before, size, began = several.cpu(), _size(dirs), time.monotonic()
            time.sleep(seconds - 2 * EDGE)
            cpu, chunks, took = since(before, several.cpu()), (_size(dirs) - size) / SIZE, time.monotonic() - began
            seen = [json.loads(process.communicate(timeout=_LATE)[0].splitlines()[-1]) for process in following]
        wanted = {path.name: _told(path / "ansible.log") for path in dirs}
        assert all(each["logs"] == wanted for each in seen), "a log did not come as it was written"
        assert {given[0] for given in wanted.values()} == {writes * SIZE}
    p50, p99 = (max(each[name] for each in seen) for name in ("p50", "p99"))
    return Found(p50, p99, {name: spent / chunks for name, spent in cpu.items()}, chunks / took)


def _pen(data_dir: Path, jobs: int, writes: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.stand_in.log_writer", str(data_dir), str(jobs), str(writes), str(RATE)]
    pen = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    # The jobs that begin must find it.
    while not (data_dir / "pen.json").exists():
        time.sleep(0.01)
    return pen


def _follow(url: str, jobs: list[int]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.rig.followers", url, *map(str, jobs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def _size(dirs: list[Path]) -> int:
    return sum((path / "ansible.log").stat().st_size for path in dirs)


def _told(log: Path) -> list[object]:
    data = log.read_bytes()
    return [len(data), hashlib.sha256(data).hexdigest()]
