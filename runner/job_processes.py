"""Processes that are not our children: knowing when one has ended, and ending those that were left behind."""

import asyncio
import errno
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from runner.programs import process_tree

END_SECONDS = 5.0
_SUPERVISOR_SECONDS = 2.0
MARK = "PLAYCAST_JOB"
"""The environment variable with the job's directory, which all processes of a job inherit."""
# The last two for what is the id of a mere thread by now.
_NO_PROCESS = (errno.ESRCH, errno.EINVAL, errno.ENOENT)
# Wherever they are: an upgrade may have gone to another place.
_MAIN = b"/runner/programs/__main__.py"
# By these an earlier version has started what may still run.
_FORMER = {b"/runner/launcher.py": "launcher", b"/runner/supervise.py": "supervisor"}


class ProcessWatch:
    """Watches one process by pidfd; `event` is set once it has ended. Close it when done.

    `identity` is {pid, start} of run.json and `boot_id` the boot it belongs to: a pid alone may name another process.
    """

    def __init__(self, identity: dict[str, Any], boot_id: str) -> None:
        self.event = asyncio.Event()
        self.pid = int(identity["pid"])
        self.start = int(identity["start"])
        self._fd: int | None = None
        try:
            fd = os.pidfd_open(self.pid)
        except OSError as error:
            if error.errno not in _NO_PROCESS:
                raise
            self.event.set()
            return
        if boot_id != this_boot() or start_time(self.pid) != self.start:
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

    def stop(self) -> None:
        """Tell a supervisor to end its job, also one that was stopped: it takes a signal only when it goes on."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)

    def has(self, pid: int) -> bool:
        """Whether a process is below this one, which must still be there."""
        return not self.is_set() and process_tree.is_below(pid, self.pid) and start_time(self.pid) == self.start

    def give_up(self) -> None:
        """Take the process for ended: it was killed, and will never run again, though it is still there."""
        self._ended()

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


def holder(file: Path) -> int | None:
    """The process that holds a lock (flock) on `file`, as far as the kernel tells."""
    with suppress(OSError):
        number = str(file.stat().st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            # Not by the device as well: file systems of several layers tell another one here.
            if words[1] == "FLOCK" and words[-3].rpartition(":")[2] == number and words[-4].isdigit():
                return int(words[-4])
    return None


async def end_all(job_dir: Path) -> None:
    """SIGKILL every process of a job until none is left, for END_SECONDS at most, and its ssh connections with them.

    A supervisor whose job has gone ends by itself, and removes what only it may know of: it comes last.
    """
    traces, begun = _Traces(job_dir), time.monotonic()
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            while left := of_job(job_dir):
                for pid in left:
                    if not _is_supervisor(pid) or time.monotonic() > begun + _SUPERVISOR_SECONDS:
                        kill(pid, traces.on)
                await asyncio.sleep(0.02)
    process_tree.end_masters(connections_of(job_dir))


def _is_supervisor(pid: int) -> bool:
    """Whether it was started by a command of its own."""
    with suppress(OSError):
        return _program(Path(f"/proc/{pid}/cmdline").read_bytes()) == "supervisor"
    return False


def _program(command: bytes) -> str | None:
    """Which program of ours a command line starts."""
    words = command.split(b"\0")[1:5]
    for word, following in pairwise([*words, b""]):
        if word.endswith(_MAIN):
            return following.decode(errors="replace")
        for end, name in _FORMER.items():
            if word.endswith(end):
                return name
    return None


def kill(pid: int, is_ours: Callable[[int], bool]) -> None:
    """SIGKILL a process that `is_ours`, which is asked once no other one can get its pid any more."""
    with suppress(ProcessLookupError, PermissionError):
        fd = os.pidfd_open(pid)
        try:
            if is_ours(pid):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        finally:
            os.close(fd)


def of_job(job_dir: Path) -> list[int]:
    """The processes of a job: its own, and what they started, as long as that keeps its environment.

    Three kinds show another environment. The supervisor has none, and a fork of the launcher keeps the launcher's; both
    have the command line of a program of ours, and work in the job's directory, where somebody's shell may stand as
    well. The master of an ssh connection has written its title over its own: `ssh: <control path> [mux]`.
    """
    traces = _Traces(job_dir)
    return sorted(pid for pid in process_tree.processes() if traces.on(pid))


class _Traces:
    """What tells the processes of one job."""

    def __init__(self, job_dir: Path) -> None:
        # The second is what jobs bore that an earlier version has started.
        self._marks = {f"{MARK}={job_dir}".encode(), f"PLAYCAST_EVENTS={job_dir / 'events.jsonl'}".encode()}
        # The kernel shows where the links on the way lead.
        place = job_dir.resolve()
        self._here = {str(place), f"{place} (deleted)"}
        self._title = _title_of_masters(job_dir)

    def on(self, pid: int) -> bool:
        """Whether the process is of the job; False as well if we may not look."""
        process = Path(f"/proc/{pid}")
        try:
            command = (process / "cmdline").read_bytes()
            is_ours = (
                _program(command) in {"launcher", "supervisor"} and str((process / "cwd").readlink()) in self._here
            )
            is_master = self._title is not None and command.startswith(self._title)
            return is_ours or is_master or not self._marks.isdisjoint((process / "environ").read_bytes().split(b"\0"))
        except OSError:
            return False


def _title_of_masters(job_dir: Path) -> bytes | None:
    scratch = _spec(job_dir).get("scratch")
    return f"ssh: {scratch}/".encode() if scratch is not None else None


def connections_of(job_dir: Path) -> list[str]:
    """The ssh connections of a job that may outlive it (runner.start.kept_connections)."""
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
