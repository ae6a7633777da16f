"""Canceling a job that sleeps: cancelJob until the job is CANCELED, against SIGINT to bare ansible until its exit."""

import shutil
import signal
import tempfile
import time
from pathlib import Path

from bench.baseline import bare
from bench.rig.server import ROOT, Server
from bench.rig.table import spread

ROUNDS = 7
SLEEP = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: Sleep, ansible.builtin.command: sleep 300}
"""
_CANCEL = "mutation($id: ID!) { cancelJob(input: {jobId: $id}) { userErrors { message } } }"
_STATUS = "query($id: ID!) { job(id: $id) { status } }"


def rows() -> list[tuple[str, str]]:
    """Each row of the table: what, and its figure."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        seconds, bare_seconds = measured(folder, ROUNDS)
    ratios = [mine / other for mine, other in zip(seconds, bare_seconds, strict=True)]
    return [
        ("cancelJob -> CANCELED, against SIGINT to bare `ansible-playbook` -> its exit", spread(ratios)),
        ("  in milliseconds", spread([value * 1000 for value in seconds], " ms", 0)),
        ("  the bare one", spread([value * 1000 for value in bare_seconds], " ms", 0)),
    ]


def measured(folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds through Playcast, and of the bare command, for each round."""
    ansible_dir = folder / "ansible"
    shutil.copytree(ROOT / "ansible", ansible_dir, symlinks=True)
    playbook = ansible_dir / "playbooks" / "sleep.yml"
    playbook.write_text(SLEEP)
    with Server(folder, "playcast serve", PLAYCAST_ANSIBLE_DIR=str(ansible_dir)) as server:
        target = server.add_server()
        pairs = [(_canceled(server, target), _interrupted(folder, playbook)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _canceled(server: Server, target: str) -> float:
    job = server.run("sleep", target)
    bare.until(b"TASK [Sleep]", server.data_dir / "jobs" / str(job) / "ansible.log")
    began = time.monotonic()
    assert server.ask(_CANCEL, id=str(job))["cancelJob"]["userErrors"] == []
    while (status := server.ask(_STATUS, id=str(job))["job"]["status"]) == "RUNNING":
        time.sleep(0.002)
    assert status == "CANCELED", status
    return time.monotonic() - began


def _interrupted(folder: Path, playbook: Path) -> float:
    (folder / "bare.log").unlink(missing_ok=True)
    process = bare.start(folder, playbook, 1)
    bare.until(b"TASK [Sleep]", folder / "bare.log")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait()
    return time.monotonic() - began
