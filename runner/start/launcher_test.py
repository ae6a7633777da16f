"""The launcher's test at its start: one real run of ansible on this machine, judged by its exit code and its recap."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from runner.errors import LaunchFailed
from runner.job_dir import JobDir
from runner.job_processes import end_all
from runner.outcome.findings import read_findings
from runner.programs import command, supervisor
from runner.start.environment import environment, settings
from runner.start.memory_files import sealed

SECONDS = 60
PREFIX = "test-"
_PLAYBOOK = """
- name: Test the launcher
  hosts: all
  gather_facts: false
  tasks:
    - name: Answer
      ansible.builtin.ping:
"""
_SECRET = "planted-for-the-test"  # noqa: S105 (masked if all is well; it opens nothing)
_OK = {"ok": 1, "changed": 0, "failed": 0, "skipped": 0, "unreachable": 0, "rescued": 0, "ignored": 0}

Ask = Callable[[Path, Sequence[int]], Awaitable[str]]


async def check(ask: Ask, ansible_dir: Path, launcher_room: Path) -> None:
    """LaunchFailed unless a job that is started by `ask` runs to a good end, with its output masked.

    It works below the launcher's directory, which goes with the launcher: this process may be killed meanwhile.
    """
    room = Path(tempfile.mkdtemp(prefix=PREFIX, dir=launcher_room))
    job_dir = JobDir(room, 1)
    try:
        _write(job_dir, ansible_dir, room / "scratch")
        fds = [sealed("inventory", b"all: {}\n"), sealed("words", json.dumps([_SECRET]).encode())]
        try:
            said = await ask(job_dir.path, fds)
        finally:
            for fd in fds:
                os.close(fd)
        if said != supervisor.STARTED:
            raise LaunchFailed(f"its test did not start: {said}")
        while job_dir.held():  # noqa: ASYNC110 (a file of another process tells no event)
            await asyncio.sleep(0.02)
        _judge(job_dir)
    finally:
        # The server may stop meanwhile: what goes on here would write into a directory that is gone.
        await end_all(job_dir.path)
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)


def _write(job_dir: JobDir, ansible_dir: Path, scratch: Path) -> None:
    job_dir.make()
    scratch.mkdir(mode=0o700)
    playbook = job_dir.path / "test.yml"
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    line = f"{_SECRET} ansible_connection=local ansible_python_interpreter={sys.executable}"
    job_dir.write(job_dir.hosts, line.encode())
    job_dir.write(playbook, _PLAYBOOK.encode())
    arguments = ["-i", str(job_dir.hosts), "-i", "/dev/fd/3", str(playbook), "-vv"]
    spec = {
        "argv": [*command("ansible_child"), "4", str(1024 * 1024), program, *arguments],
        "script": program,
        "env": {**environment(ansible_dir, job_dir, str(scratch)), "HOME": str(scratch)},
        "settings": {**settings(job_dir, str(scratch)), "ANSIBLE_REMOTE_TEMP": str(scratch / "remote")},
        "scratch": str(scratch),
        "timeout": SECONDS,
        "grace": 1,
    }
    job_dir.write(job_dir.spec, json.dumps(spec).encode())


def _judge(job_dir: JobDir) -> None:
    end = job_dir.read_json(job_dir.exit)
    log = job_dir.log.read_text(errors="replace") if job_dir.log.exists() else ""
    recap = read_findings(job_dir).told.recap or {}
    # The host is called by the secret: its name is in the log and in the events, unless they are masked.
    if _SECRET in log or (job_dir.events.exists() and _SECRET in job_dir.events.read_text(errors="replace")):
        raise LaunchFailed("its test showed a secret")
    if end is None or end["code"] or list(recap.values()) != [_OK]:
        last = log.strip().splitlines()[-1:] or ["no output"]
        raise LaunchFailed(f"its test ended with {end and end['code']}: {last[0]}")
