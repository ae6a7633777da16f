"""ansible-playbook by itself on hosts that are this machine: what jobs of LOCAL servers are measured against."""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.rig.server import ROOT


def inventory(folder: Path, hosts: int) -> Path:
    """An inventory of so many hosts, all of them this machine."""
    file = folder / f"hosts-{hosts}.ini"
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    file.write_text("".join(f"srv-{number} {local}\n" for number in range(1, hosts + 1)))
    return file


def start(folder: Path, playbook: Path, hosts: int, **extra: str) -> subprocess.Popen[bytes]:
    """Start it with Playcast's ansible.cfg; its output goes to `bare.log`."""
    program = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"),
    }
    command = [str(program), "-i", str(inventory(folder, hosts)), str(playbook), "-vv"]
    with (folder / "bare.log").open("wb") as log:
        return subprocess.Popen(command, env=env | extra, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)


def run(folder: Path, playbook: Path, hosts: int, **extra: str) -> tuple[float, float]:
    """(seconds of CPU, seconds) of a run that must succeed."""
    before, began = _cpu(), time.monotonic()
    code = start(folder, playbook, hosts, **extra).wait()
    wall = time.monotonic() - began
    assert code == 0, (folder / "bare.log").read_text()
    return _cpu() - before, wall


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def until(words: bytes, log: Path) -> None:
    """Wait until a log holds these words, and a moment longer, so that the task which they announce runs."""
    deadline = time.monotonic() + 60
    while not log.exists() or words not in log.read_bytes():
        assert time.monotonic() < deadline, f"{log} does not come to {words.decode()}"
        time.sleep(0.01)
    time.sleep(0.5)
