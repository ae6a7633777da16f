"""How many jobs a second some workers carry from their start to their end, and what a job takes of the CPU.

The jobs do nothing (`stand_in`): what is measured is Playcast, the queue engine inside it, and PostgreSQL. All come
into the queue at once. On a machine with few processors these are the limit, and the CPU of a job says more than the
speed. What the API takes is told for runProvision, before any worker is there.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.rig.cluster import Several, since
from bench.rig.server import ROOT, Server
from bench.rig.table import compared

ROUNDS = 3
WORKERS = (1, 2, 3)
JOBS = 300
SUBMITS = 60
SLOTS = 4
_QUEUE = "{ system { queue { pending running } } }"

Row = tuple[str, str]


@dataclass
class Found:
    """Of one run: jobs a second, and CPU seconds for each of them, those of their submission left out."""

    speed: float
    cpu: dict[str, float]


def rows() -> Iterator[Row]:
    """Each row of the table: what, and its figure."""
    found: dict[int, list[Found]] = {workers: [] for workers in WORKERS}
    submits = []
    for _ in range(ROUNDS):
        for workers, runs in found.items():
            run, submit = measured(workers, JOBS)
            runs.append(run)
            submits.append(submit)
    yield from table(found, submits)


def table(found: dict[int, list[Found]], submits: list[dict[str, float]]) -> Iterator[Row]:
    """The rows; each run is compared with that of one worker in its round."""
    one = found[1]
    for workers, runs in found.items():
        what = f"{workers} worker{'s' if workers > 1 else ''} of {SLOTS} slots, {os.cpu_count()} CPUs"
        pairs = [(run.speed, base.speed) for run, base in zip(runs, one, strict=True)]
        yield f"{what}: jobs/s, against one worker", compared(pairs, "/s")
        for part in one[0].cpu:
            costs = [(run.cpu[part] * 1e3, base.cpu["workers"] * 1e3) for run, base in zip(runs, one, strict=True)]
            yield f"  CPU of {part} per job, against the one worker's", compared(costs, " ms")
    for part in ("servers", "PostgreSQL"):
        costs = [
            (each[part] * 1e3, base.cpu["workers"] * 1e3) for each, base in zip(submits, one * len(found), strict=True)
        ]
        yield f"  CPU of {part} per runProvision, against that too", compared(costs, " ms")


def measured(workers: int, jobs: int) -> tuple[Found, dict[str, float]]:
    """One run, and the CPU seconds of each runProvision before it."""
    with Several("nothing") as several:
        server = several.serve()
        targets = [server.add_server(name=f"t{number}") for number in range(SUBMITS)]
        before = several.cpu()
        for target in targets:
            server.run("flood", target)
        submit = since(before, several.cpu())
        for _ in range(workers):
            several.work(SLOTS)
        # The first jobs find everything cold.
        _until_empty(server)
        subprocess.run(
            [sys.executable, "-m", "bench.rig.fill_waiting", several.url, "slot", str(jobs)], check=True, cwd=ROOT
        )
        before, began = several.cpu(), time.monotonic()
        _until_empty(server)
        took, cpu = time.monotonic() - began, since(before, several.cpu())
    run = Found(jobs / took, {part: spent / jobs for part, spent in cpu.items()})
    return run, {part: spent / SUBMITS for part, spent in submit.items()}


def _until_empty(server: Server) -> None:
    while any(server.ask(_QUEUE)["system"]["queue"].values()):
        time.sleep(0.05)
