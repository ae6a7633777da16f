"""Processes that are not our children: knowing when one has ended, and ending those that were left behind."""

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner import proctree

END_SECONDS = 5.0
MARK = "PLAYCAST_JOB"
"""The environment variable with the job's directory, which all processes of a job inherit."""
_LAUNCHER = bytes(Path(__file__).with_name("launcher.py"))


class Gone:
    """Watches one process by pidfd; `event` is set once it has ended. Close it when done.

    `identity` is {pid, start} of run.json and `boot_id` the boot it belongs to: a pid alone may name another process.
    """

    def __init__(self, identity: dict[str, Any], boot_id: str) -> None:
        self.event = asyncio.Event()
        self._fd: int | None = None
        try:
            fd = os.pidfd_open(int(identity["pid"]))
        except ProcessLookupError:
            self.event.set()
            return
        if boot_id != this_boot() or start_time(int(identity["pid"])) != identity["start"]:
            os.close(fd)
            self.event.set()
            return
        self._fd = fd
        asyncio.get_running_loop().add_reader(fd, self._ended)

    def is_set(self) -> bool:
        """Whether the process has ended."""
        return self.event.is_set()

    def send(self, number: int) -> None:
        """Signal the process, if it is still there: never another one that has taken its pid."""
        if self._fd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)

    def close(self) -> None:
        """Stop watching."""
        if self._fd is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _ended(self) -> None:
        self.event.set()
        self.close()


def this_boot() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[19])


async def end_all(job_dir: Path) -> None:
    """SIGKILL every process of a job until none is left, for END_SECONDS at most, and its ssh connections with them."""
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            while left := of_job(job_dir):
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.02)
    proctree.end_masters(connections_of(job_dir))


def of_job(job_dir: Path) -> list[int]:
    """The processes of a job: its own, and what they started, as long as that keeps its environment.

    Two kinds show another environment. A fork of the launcher keeps the launcher's, and its command line; it works in
    the job's directory, where somebody's shell may stand as well. The master of an ssh connection has written its
    title over its own: `ssh: <control path> [mux]`.
    """
    # The second is what jobs bore that an earlier version has started.
    marks = {f"{MARK}={job_dir}".encode(), f"PLAYCAST_EVENTS={job_dir / 'events.jsonl'}".encode()}
    # The kernel shows where the links on the way lead.
    place = job_dir.resolve()
    here = {str(place), f"{place} (deleted)"}
    title = _title_of_masters(job_dir)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes()
            is_fork = _LAUNCHER in command and str((process / "cwd").readlink()) in here
            is_master = title is not None and command.startswith(title)
            if is_fork or is_master or marks.intersection((process / "environ").read_bytes().split(b"\0")):
                found.append(int(process.name))
    return sorted(found)


def _title_of_masters(job_dir: Path) -> bytes | None:
    scratch = _spec(job_dir).get("scratch")
    return f"ssh: {scratch}/".encode() if scratch is not None else None


def connections_of(job_dir: Path) -> list[str]:
    """The ssh connections of a job that may outlive it (runner.connections)."""
    stems = _spec(job_dir).get("connections")
    return [str(stem) for stem in stems] if isinstance(stems, list) else []


def _spec(job_dir: Path) -> dict[str, Any]:
    try:
        spec = json.loads((job_dir / "spec.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return spec if isinstance(spec, dict) else {}


def marked(mark: str) -> list[int]:
    """The processes that started with `mark` (NAME=value) in their environment, as far as we may look."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found
