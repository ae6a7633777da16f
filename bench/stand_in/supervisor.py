"""Stands where the supervisor stands: what Playcast itself takes for a job, and not what Python and ansible take.

A job writes one line and ends at once; or after `sleep`, a variable of the job in milliseconds, which a process called
sleep waits out; or with `pen` a process writes its log that stands there for many (log_writer.py). Everything before
the start and after the end is Playcast as it is.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.job_processes import start_time, this_boot

PEN = "pen.json"
"""The file of the data directory that says who `log_writer.py` is."""
_LINE = b"PLAY RECAP *********************************************************\n"
_NOBODY = {"supervisor": {"pid": 1, "start": 0}, "boot_id": ""}
_COUNTS = {"ok": 1, "changed": 0, "failed": 0, "skipped": 0, "unreachable": 0, "rescued": 0, "ignored": 0}


class NoStart:
    """A starter (runner.start.cold_start) whose jobs do nothing."""

    ready = False
    warm = 0

    def __init__(self) -> None:
        self.cold = 0

    async def start(self, job_dir: Path, fds: Sequence[int]) -> None:  # noqa: ARG002 (a job without secrets)
        """Leave in the job's directory what a supervisor leaves there."""
        self.cold += 1
        orders = {name: int(value) for name, value in re.findall(r'"(\w+)": (\d+)', (job_dir / "vars.yml").read_text())}
        (job_dir / "claim").touch()
        if "pen" in orders:
            (job_dir / "ansible.log").touch()
            _tell(job_dir / "run.json", json.loads((job_dir.parent.parent / PEN).read_text()))
            return
        (job_dir / "ansible.log").write_bytes(_LINE)
        end(job_dir)
        _tell(job_dir / "run.json", await _asleep(orders["sleep"]) if "sleep" in orders else _NOBODY)


async def _asleep(milliseconds: int) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec("sleep", str(milliseconds / 1000))
    return {"supervisor": {"pid": process.pid, "start": start_time(process.pid)}, "boot_id": this_boot()}


def end(job_dir: Path) -> None:
    """Leave the recap, say that ansible did well, and take its temporary directory away."""
    Path(json.loads((job_dir / "spec.json").read_text())["scratch"]).rmdir()
    hosts = re.findall(r"^srv-\d+", (job_dir / "hosts.ini").read_text(), re.MULTILINE)
    counts = dict.fromkeys(hosts, _COUNTS)
    recap = {"kind": "recap", "at": "2026-01-01T00:00:00Z", "log_offset": 0, "hosts": counts}
    (job_dir / "events.jsonl").write_text(json.dumps(recap) + "\n")
    ended = {"reason": "exited", "code": 0, "message": None, "started_at": 0.0, "ended_at": 0.0}
    _tell(job_dir / "exit.json", ended)


def _tell(file: Path, told: dict[str, Any]) -> None:
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(told))
    draft.replace(file)
