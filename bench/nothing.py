"""Stands where the supervisor stands: what Playcast itself takes for a job, and not what Python and ansible take.

A job writes one line. Then it ends at once, or after `sleep`, a variable of the job in milliseconds, which a process
called sleep waits out. Everything before the start and after the end is Playcast as it is.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.process import start_time, this_boot

_LINE = b"PLAY RECAP *********************************************************\n"
_AT = "2026-01-01T00:00:00Z"
_NOBODY = {"pid": 1, "start": 0}
_COUNTS = {"ok": 1, "changed": 0, "failed": 0, "skipped": 0, "unreachable": 0, "rescued": 0, "ignored": 0}


class NoStart:
    """A starter (runner.start) whose jobs do nothing."""

    ready = False
    warm = 0

    def __init__(self) -> None:
        self.cold = 0

    async def start(self, job_dir: Path, fds: Sequence[int]) -> None:
        """Leave in the job's directory what a supervisor leaves there."""
        self.cold += 1
        found = re.search(r'"sleep": (\d+)', (job_dir / "vars.yml").read_text())
        sleeping = int(found[1]) if found is not None else 0
        (job_dir / "claim").touch()
        (job_dir / "ansible.log").write_bytes(_LINE)
        if not sleeping:
            _end(job_dir)
            _tell(job_dir / "run.json", {"supervisor": _NOBODY, "boot_id": ""})
            return
        process = await asyncio.create_subprocess_exec("sleep", str(sleeping / 1000))
        supervisor = {"pid": process.pid, "start": start_time(process.pid)}
        _end(job_dir)
        _tell(job_dir / "run.json", {"supervisor": supervisor, "boot_id": this_boot()})


def _end(job_dir: Path) -> None:
    hosts = re.findall(r"^srv-\d+", (job_dir / "hosts.ini").read_text(), re.MULTILINE)
    recap = {"kind": "recap", "at": _AT, "log_offset": len(_LINE), "hosts": dict.fromkeys(hosts, _COUNTS)}
    (job_dir / "events.jsonl").write_text(json.dumps(recap) + "\n")
    ended = {"reason": "exited", "code": 0, "message": None, "started_at": 0.0, "ended_at": 0.0}
    _tell(job_dir / "exit.json", ended)


def _tell(file: Path, told: dict[str, Any]) -> None:
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(told))
    draft.replace(file)
