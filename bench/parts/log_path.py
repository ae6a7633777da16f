"""The path of a log line: CPU against `> file`, the way from write to watcher, and what each watcher adds.

The targets stand in the labels; a ratio below 1 meets its target, and what was measured stands behind it. Rows of more
watchers have fewer lines, so that all takes about five minutes.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.rig.server import ROOT, Server, flood_ansible_dir
from bench.rig.table import spread
from bench.rig.watchers import LINE

ROUNDS = 3
LINES = 1_000_000
QUIET_LINES, QUIET_RATE = 200, 20
FLOOD_LINES = 300_000
FAN_OUT = {1: 1_000_000, 10: 500_000, 100: 200_000, 1000: 50_000}
"""How many lines so many watchers follow; one of the last thousand never reads."""
JOINERS, JOINED_LINES = 100, 5_000
RSS_MB = 200
CPU_MICROSECONDS = 0.4

Row = tuple[str, str]


def rows() -> Iterator[Row]:
    """Each row of the table: what, and its figure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        ansible_dir = flood_ansible_dir(folder)
        with Server(folder, PLAYCAST_ANSIBLE_DIR=str(ansible_dir)) as server:
            runs = Runs(server)
            runs.watched(1, lines=1000)
            yield from _cpu(runs, folder)
            yield from _latency(runs)
            yield from _joiners(runs)
            yield from _fan_out(runs)
            yield from _stopped(runs)


class Runs:
    """Jobs of one server, each with the watchers of a process of their own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._target = server.add_server()

    def watched(self, watchers: int, *, lines: int, rate: int = 0, stopped: int = 0) -> dict[str, Any]:
        """What watchers saw of a job that begins to print when all are there, and what the server took meanwhile."""
        job = self._start(lines=lines, rate=rate, wait=1)
        reading = self._watch(job, watchers, stopped)
        time.sleep(1 + watchers / 300)
        rss = [self.server.rss()]
        cpu, began = self.server.cpu(), time.monotonic()
        self._file("begin")
        while (reading.poll() is None) if reading is not None else not self._ended(job):
            rss.append(self.server.rss())
            time.sleep(0.05)
        found: dict[str, Any] = {"cpu_of_server": self.server.cpu() - cpu, "wall": time.monotonic() - began, "rss": rss}
        if reading is not None:
            found |= {"seen": self._answer(reading)}
            assert found["seen"]["lines"] == lines * (watchers - stopped), found
        self._finished(job)
        printer = self.server.data_dir / "jobs" / str(job) / "printer.json"
        return found | {"cpu_of_printer": float(json.loads(printer.read_text())["cpu"])}

    def joined_late(self, watchers: int, *, lines: int) -> dict[str, Any]:
        """What watchers saw that subscribed at once when so many lines were there; each leaves when it has them."""
        job = self._start(lines=lines, rate=0, hold=1)
        while self._log_size(job) < lines * LINE:
            time.sleep(0.05)
        reading = self._watch(job, watchers, 0, lines)
        assert reading is not None
        seen = self._answer(reading)
        for name in ("more", "go"):
            self._file(name)
        self._finished(job)
        return seen

    def _start(self, **orders: int) -> int:
        for name in ("begin", "more", "go"):
            (self.server.data_dir / name).unlink(missing_ok=True)
        return self.server.run("flood", self._target, **orders)

    def _watch(self, job: int, watchers: int, *more: int) -> subprocess.Popen[str] | None:
        if not watchers:
            return None
        command = [sys.executable, "-m", "bench.rig.watchers", self.server.url, *map(str, (job, watchers, *more))]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def _answer(self, reading: subprocess.Popen[str]) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(reading.communicate()[0])
        return seen

    def _file(self, name: str) -> None:
        (self.server.data_dir / name).touch()

    def _ended(self, job: int) -> bool:
        return (self.server.data_dir / "jobs" / str(job) / "exit.json").exists()

    def _log_size(self, job: int) -> int:
        return int(self.server.ask("query($id: ID!) { job(id: $id) { logSize } }", id=str(job))["job"]["logSize"])

    def _finished(self, job: int) -> None:
        # Not by asking the server all the while: that is CPU too.
        while not self._ended(job):
            time.sleep(0.02)
        while self.server.ask("query($id: ID!) { job(id: $id) { status } }", id=str(job))["job"]["status"] != "SUCCESS":
            time.sleep(0.1)


def _cpu(runs: Runs, folder: Path) -> Iterator[Row]:
    ratios, alone, walls = [], [], []
    for _ in range(ROUNDS):
        program, wall = bare(folder)
        watched, unwatched = runs.watched(1, lines=LINES), runs.watched(0, lines=LINES)
        ratios.append((watched["cpu_of_printer"] + watched["cpu_of_server"]) / program)
        alone.append((unwatched["cpu_of_printer"] + unwatched["cpu_of_server"]) / program)
        walls.append(watched["wall"] / wall)
    yield f"CPU of program + worker + API, {LINES:,} lines, 1 watcher, against `> file`", spread(ratios)
    yield "  the same without a watcher", spread(alone)
    yield "  the same with one, wall until it has all", spread(walls)


def _latency(runs: Runs) -> Iterator[Row]:
    quiet = [runs.watched(1, lines=QUIET_LINES, rate=QUIET_RATE)["seen"] for _ in range(ROUNDS)]
    yield from _against("line written -> client, 20 lines/s, p50", [seen["p50"] for seen in quiet], 3)
    yield from _against("  p99", [seen["p99"] for seen in quiet], 10)
    flood = [runs.watched(1, lines=FLOOD_LINES)["seen"] for _ in range(ROUNDS)]
    yield from _against(f"  in a flood of {FLOOD_LINES:,} lines, p50", [seen["p50"] for seen in flood], 50)
    yield from _against("  in that flood, p99", [seen["p99"] for seen in flood], 50)


def _joiners(runs: Runs) -> Iterator[Row]:
    joined = [runs.joined_late(JOINERS, lines=JOINED_LINES)["joined"] for _ in range(ROUNDS)]
    what = f"{JOINERS} watchers subscribe at once -> each has {JOINED_LINES:,} lines, p50"
    yield from _against(what, [each["p50"] for each in joined], 100)
    yield from _against("  p99", [each["p99"] for each in joined], 100)


def _fan_out(runs: Runs) -> Iterator[Row]:
    for count, lines in FAN_OUT.items():
        spent, shares, rss = [], [], []
        for _ in range(ROUNDS if count < 1000 else 1):
            alone = runs.watched(0, lines=lines)["cpu_of_server"]
            found = runs.watched(count, lines=lines, stopped=int(count == 1000))
            spent.append((found["cpu_of_server"] - alone) / lines / count * 1e6)
            # Of the wall time that the watchers took: near 1, they and not the server would be measured.
            shares.append(found["seen"]["cpu"] / found["cpu_of_server"])
            rss = found["rss"]
        what = f"server CPU per line and watcher, {count} watchers, {lines:,} lines"
        yield from _against(what, spent, CPU_MICROSECONDS, "us")
        yield "  CPU of the watchers' process, against the server's", spread(shares)
    peak, before, after = (size / 2**20 for size in (max(rss), rss[0], rss[-1]))
    figure = f"{peak / RSS_MB:.2f}x ({before:.0f} MiB before, {peak:.0f} at most, {after:.0f} after)"
    yield f"server memory with 1000 watchers, one of them stopped, against {RSS_MB} MiB", figure


def _stopped(runs: Runs) -> Iterator[Row]:
    ratios = []
    for _ in range(ROUNDS):
        free, beside = (runs.watched(100, lines=100_000, stopped=stopped)["seen"] for stopped in (0, 1))
        ratios.append(beside["wall"] / free["wall"])
    yield "100 watchers until all have 100,000 lines: one of them stopped, against none", spread(ratios)


def _against(what: str, values: list[float], target: float, unit: str = "ms") -> Iterator[Row]:
    """One row: the ratio to the target, and the median as it was measured."""
    median = sorted(values)[len(values) // 2]
    yield f"{what}, against {target} {unit}", f"{spread([value / target for value in values])} ({median:.2f} {unit})"


def bare(folder: Path) -> tuple[float, float]:
    """(seconds of CPU, seconds) of the program that writes its lines into `bare.log`."""
    command = [sys.executable, "-I", "-S", str(ROOT / "bench" / "stand_in" / "ansible.py"), str(LINES), "0"]
    began = time.monotonic()
    with (folder / "bare.log").open("wb") as log:
        subprocess.run(command, check=True, stdout=log, cwd=folder)
    wall = time.monotonic() - began
    return float(json.loads((folder / "printer.json").read_text())["cpu"]), wall
