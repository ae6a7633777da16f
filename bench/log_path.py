"""The path of a log line: CPU against `> file`, latency, and what each watcher adds."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.server import ROOT, Server, flood_ansible_dir

LINES = 1_000_000
WATCHED_LINES = 200_000
WATCHERS = (1, 10, 100)


def rows() -> list[tuple[str, str]]:
    """Each row of the table: what, and its figure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        ansible_dir = flood_ansible_dir(folder)
        with Server(folder, PLAYCAST_ANSIBLE_DIR=str(ansible_dir)) as server:
            target = server.add_server()
            return [*_cpu(server, target, folder), *_latency(server, target), *_fan_out(server, target)]


def _cpu(server: Server, target: str, folder: Path) -> list[tuple[str, str]]:
    ratios, walls = [], []
    for _ in range(3):
        bare_cpu, bare_wall = _bare(folder)
        before, began = server.cpu(), time.monotonic()
        job, seen = _watched(server, target, watchers=1, lines=LINES, rate=0)
        wall = time.monotonic() - began
        assert seen["lines"] == LINES, seen
        ratios.append((_printer_cpu(server, job) + server.cpu() - before) / bare_cpu)
        walls.append(wall / bare_wall)
    what = f"CPU of program + worker + API, {LINES:,} lines, 1 watcher, against `> file`"
    return [(what, _spread(ratios, "x")), ("  the same, wall", _spread(walls, "x"))]


def _latency(server: Server, target: str) -> list[tuple[str, str]]:
    quiet = _watched(server, target, watchers=1, lines=600, rate=20)[1]
    flood = _watched(server, target, watchers=1, lines=WATCHED_LINES, rate=0)[1]
    return [
        (
            "line written -> WebSocket client, 20 lines/s, p50 / p99",
            f"{quiet['p50']:.1f} / {quiet['p99']:.1f} ms",
        ),
        ("  the same in a flood", f"{flood['p50']:.1f} / {flood['p99']:.1f} ms"),
    ]


def _fan_out(server: Server, target: str) -> list[tuple[str, str]]:
    alone = _server_cpu(server, target, watchers=0)
    found = []
    for count in WATCHERS:
        spent = _server_cpu(server, target, watchers=count) - alone
        each = spent / WATCHED_LINES / count * 1e6
        found.append((f"server CPU per line and watcher, {count} watchers", f"{each:.2f} us"))
    found.append(("server memory after that", f"{server.rss() / 2**20:.0f} MiB"))
    return found


def _server_cpu(server: Server, target: str, watchers: int) -> float:
    before = server.cpu()
    seen = _watched(server, target, watchers=watchers, lines=WATCHED_LINES, rate=0)[1]
    assert seen["lines"] == WATCHED_LINES * watchers, seen
    return server.cpu() - before


def _watched(server: Server, target: str, *, watchers: int, lines: int, rate: int) -> tuple[int, dict[str, Any]]:
    job = server.run("flood", target, lines=lines, rate=rate)
    seen: dict[str, Any] = {"lines": 0}
    if watchers:
        command = [sys.executable, "-m", "bench.watchers", server.url, str(job), str(watchers)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        seen = json.loads(answer.stdout)
    while not (server.data_dir / "jobs" / str(job) / "exit.json").exists():
        time.sleep(0.02)
    while server.ask("query($id: ID!) { job(id: $id) { status } }", id=str(job))["job"]["status"] != "SUCCESS":
        time.sleep(0.05)
    return job, seen


def _printer_cpu(server: Server, job: int) -> float:
    recorded = json.loads((server.data_dir / "jobs" / str(job) / "printer.json").read_text())
    return float(recorded["cpu"])


def _bare(folder: Path) -> tuple[float, float]:
    command = [sys.executable, "-I", "-S", str(ROOT / "bench" / "printer.py"), str(LINES), "0"]
    began = time.monotonic()
    with (folder / "bare.log").open("wb") as log:
        subprocess.run(command, check=True, stdout=log, cwd=folder)
    wall = time.monotonic() - began
    return float(json.loads((folder / "printer.json").read_text())["cpu"]), wall


def _spread(values: list[float], unit: str) -> str:
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2]:.2f}{unit} ({ordered[0]:.2f} to {ordered[-1]:.2f})"
