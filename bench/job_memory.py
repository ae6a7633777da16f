"""Memory of server, launcher and running jobs, as PSS: pages that processes share count for each in part."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.server import Server
from runner.process import of_job

HOLD = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: touch {folder}/held; while [ ! -e {folder}/go ]; do sleep 0.05; done
"""
"""Runs until the file `go` is there."""
ROUNDS = 3
TARGET = 120
"""MB that an idle server may take, with its launcher."""


def idle(server: Server) -> Iterator[tuple[str, str]]:
    """What an idle server takes, and its launcher."""
    time.sleep(2)
    pids = [server.process.pid, *(child.pid for child in psutil.Process(server.process.pid).children(recursive=True))]
    sizes = [_pss(pid) for pid in pids]
    shares = " + ".join(f"{size:.0f}" for size in sizes)
    yield f"idle PSS of server + launcher, against {TARGET} MB", f"{sum(sizes) / TARGET:.2f}x ({shares} MB)"


def running(servers: dict[str, Server], targets: dict[str, list[str]], folder: Path) -> Iterator[tuple[str, str]]:
    """What a job takes while it runs on one host: supervisor, ansible, its worker, ssh and ssh-agent."""
    found: dict[str, list[float]] = {launcher: [] for launcher in servers}
    for _ in range(ROUNDS):
        for launcher, server in servers.items():
            found[launcher].append(_job(server, targets[launcher][0], folder))
    ratios = sorted(warm / cold for warm, cold in zip(found["warm"], found["cold"], strict=True))
    median = {launcher: sorted(sizes)[ROUNDS // 2] for launcher, sizes in found.items()}
    shares = f"{median['warm']:.0f} of {median['cold']:.0f} MB; {ratios[0]:.2f} to {ratios[-1]:.2f}"
    yield "PSS of a running job on 1 host: warm, against cold", f"{ratios[ROUNDS // 2]:.2f}x ({shares})"


def _job(server: Server, target: str, folder: Path) -> float:
    held, go = folder / "held", folder / "go"
    job = server.run("hold", target)
    while not held.exists():
        time.sleep(0.05)
    time.sleep(0.5)
    job_dir = server.data_dir / "jobs" / str(job)
    sizes = [_pss(pid) for pid in of_job(job_dir)]
    go.touch()
    while not (job_dir / "exit.json").exists():
        time.sleep(0.05)
    assert json.loads((job_dir / "exit.json").read_text())["code"] == 0
    held.unlink()
    go.unlink()
    return sum(sizes)


def _pss(pid: int) -> float:
    """In MB."""
    return float(psutil.Process(pid).memory_full_info().pss) / 1e6
