"""Coming back after kill -9 with many running jobs, against a start with none, interleaved.

The stand-in for ansible prints more while no server runs: a job is followed again when that has come into the table.
"""

import tempfile
import time
from pathlib import Path

from bench.rig.server import Server, flood_ansible_dir
from bench.rig.table import spread

ROUNDS = 3
JOBS = 100
LINES = 20
_JOBS = "query($first: Int!) { jobs(first: $first) { nodes { number logSize status } } }"


def rows() -> list[tuple[str, str]]:
    """Each row of the table: what, and its figure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        found = [measured(Path(name), JOBS) for _ in range(ROUNDS)]
    none, ready, followed, ended = (list(column) for column in zip(*found, strict=True))
    return [
        (f"start with {JOBS} RUNNING jobs -> ready, against a start with none", _against(ready, none)),
        ("  -> all of them followed again", _against(followed, none)),
        ("  -> all of them final, once they may end", spread(ended, " s")),
        ("  the start with none", spread(none, " s")),
    ]


def _against(values: list[float], base: list[float]) -> str:
    return spread([value / one for value, one in zip(values, base, strict=True)])


def measured(folder: Path, jobs: int) -> tuple[float, float, float, float]:
    """Seconds: start with none until ready; start with `jobs` until ready, until all are followed; until all ended."""
    ansible_dir = folder / "ansible"
    settings = {
        "PLAYCAST_ANSIBLE_DIR": str(ansible_dir if ansible_dir.exists() else flood_ansible_dir(folder)),
        "PLAYCAST_SLOTS": str(jobs),
    }
    go, more = folder / "data" / "go", folder / "data" / "more"
    for file in (go, more):
        file.unlink(missing_ok=True)
    with Server(folder, **settings) as first:
        have = first.ask("{ servers(first: 100) { nodes { id } } }")["servers"]["nodes"]
        targets = [node["id"] for node in have] or [first.add_server(name=f"s{number}") for number in range(jobs)]
        for target in targets:
            first.run("flood", target, lines=LINES, rate=0, hold=1)
        _until(first, jobs, "RUNNING", 60 * LINES)
        first.process.kill()
    more.touch()
    _until_printed(folder / "data" / "jobs", jobs, 2 * 60 * LINES)
    began = time.monotonic()
    with Server(folder, **settings) as second:
        ready = time.monotonic() - began
        _until(second, jobs, "RUNNING", 2 * 60 * LINES)
        followed = time.monotonic() - began
        go.touch()
        began = time.monotonic()
        _until(second, jobs, "SUCCESS", 2 * 60 * LINES)
        ended = time.monotonic() - began
    began = time.monotonic()
    with Server(folder, **settings):
        none = time.monotonic() - began
    return none, ready, followed, ended


def _until(server: Server, jobs: int, status: str, size: int) -> None:
    """Wait until the newest jobs stand there, with so many bytes of log in the table."""
    deadline = time.monotonic() + 120
    while True:
        nodes = server.ask(_JOBS, first=jobs)["jobs"]["nodes"]
        if sum(node["status"] == status and node["logSize"] >= size for node in nodes) == jobs:
            return
        assert time.monotonic() < deadline, nodes
        time.sleep(0.02)


def _until_printed(jobs_dir: Path, jobs: int, size: int) -> None:
    """Wait until every program has printed so much into the log of its job."""
    deadline = time.monotonic() + 60
    newest = sorted((int(path.name) for path in jobs_dir.iterdir()), reverse=True)[:jobs]
    while any((jobs_dir / str(number) / "ansible.log").stat().st_size < size for number in newest):
        assert time.monotonic() < deadline
        time.sleep(0.05)
