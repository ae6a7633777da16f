"""Memory of server, launcher and running jobs, as PSS: pages that processes share count for each in part."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.rig.server import Server
from runner.job_processes import of_job
from tests.support.launchers import launchers_below

HOLD = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: touch {folder}/held.$PPID; while [ ! -e {folder}/go ]; do sleep 0.05; done
"""
"""Says that it runs, and runs until the file `go` is there."""
ROUNDS = {1: 3, 16: 1}
"""How often it is measured, by the number of jobs at a time."""
MOST = max(ROUNDS)
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
    """What a job on one host adds while it runs: supervisor, ansible, its worker, ssh and ssh-agent.

    Each job needs a target of its own. The launcher shares its pages with the jobs, so its own share shrinks meanwhile.
    """
    for jobs, rounds in ROUNDS.items():
        found: dict[str, list[float]] = {launcher: [] for launcher in servers}
        for _ in range(rounds):
            for launcher, server in servers.items():
                found[launcher].append(_per_job(server, targets[launcher][:jobs], folder))
        ratios = sorted(warm / cold for warm, cold in zip(found["warm"], found["cold"], strict=True))
        median = {launcher: sorted(sizes)[rounds // 2] for launcher, sizes in found.items()}
        shares = f"{median['warm']:.0f} of {median['cold']:.0f} MB; {ratios[0]:.2f} to {ratios[-1]:.2f}"
        what = f"{jobs} job{'s' if jobs > 1 else ''} at a time, on 1 host each"
        yield f"{what}: PSS that each adds: warm, against cold", f"{ratios[rounds // 2]:.2f}x ({shares})"


def _per_job(server: Server, targets: list[str], folder: Path) -> float:
    before = _launcher(server)
    job_dirs = [server.data_dir / "jobs" / str(server.run("hold", target)) for target in targets]
    while len(list(folder.glob("held.*"))) < len(targets):
        time.sleep(0.05)
    time.sleep(0.5)
    added = sum(_pss(pid) for job_dir in job_dirs for pid in of_job(job_dir)) + _launcher(server) - before
    (folder / "go").touch()
    for job_dir in job_dirs:
        while not (job_dir / "exit.json").exists():
            time.sleep(0.05)
        assert json.loads((job_dir / "exit.json").read_text())["code"] == 0
    for file in (*folder.glob("held.*"), folder / "go"):
        file.unlink()
    return added / len(targets)


def _launcher(server: Server) -> float:
    """What the launcher of a server takes; nothing if it has none."""
    return sum(_pss(process.pid) for process in launchers_below(server.process.pid))


def _pss(pid: int) -> float:
    """In MB."""
    return float(psutil.Process(pid).memory_full_info().pss) / 1e6
