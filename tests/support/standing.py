"""Processes that stand still: stopped again and again, held by a debugger, or frozen with a cgroup of their own."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.launchers import until

# It holds a process as a debugger does until its standard input ends; SIGCONT does not help then.
_DEBUGGER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for request in (0x4206, 0x4207):  # PTRACE_SEIZE, PTRACE_INTERRUPT
    if libc.ptrace(request, int(sys.argv[1]), None, None):
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(int(sys.argv[1]), 0x40000000)
print("held", flush=True)
sys.stdin.read()
"""
# It stops a process again whenever it goes on, until that has ended.
_STOPPER = """
import os, signal, sys, time
print("stops", flush=True)
while True:
    try:
        os.kill(int(sys.argv[1]), signal.SIGSTOP)
    except ProcessLookupError:
        break
    time.sleep(0.001)
"""


def state(pid: int) -> str:
    """The kernel's letter for what a process does; Z as well for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


async def stop(pids: Sequence[int]) -> None:
    """SIGSTOP each, and wait until all stand."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    await until(lambda: all(state(pid) == "T" for pid in pids))


@contextmanager
def _keeper(program: str, pid: int, said: str) -> Iterator[None]:
    words = [sys.executable, "-c", program, str(pid)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        if keeper.stdout.readline().decode().strip() != said:
            pytest.skip(f"no process may be held here: {keeper.stderr.read().decode().strip()}")
        try:
            yield
        finally:
            keeper.kill()


def debugged(pid: int) -> AbstractContextManager[None]:
    """Held by a debugger for as long as the context lasts."""
    return _keeper(_DEBUGGER, pid, "held")


def stopped_for_good(pid: int) -> AbstractContextManager[None]:
    """Stopped again whenever it goes on."""
    return _keeper(_STOPPER, pid, "stops")


def _mounted(kind: str) -> Path:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        found, _, options = after.split(" ", 2)
        if (kind, found) == ("v2", "cgroup2") or (kind == "v1" and found == "cgroup" and "freezer" in options):
            return Path(before.split(" ")[4])
    pytest.skip(f"there is no freezer of cgroups {kind} on this machine")


def _remove(group: Path, top: Path) -> None:
    """Processes that were killed while they were frozen end only now, and a group that has some cannot go."""
    deadline = time.monotonic() + 60
    while True:
        with suppress(ProcessLookupError):
            for pid in (group / "cgroup.procs").read_text().split():
                (top / "cgroup.procs").write_text(pid)
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def frozen(kind: str, pids: Sequence[int]) -> Iterator[None]:
    """In a frozen cgroup of their own for as long as the context lasts; `kind` is v1 or v2."""
    top = _mounted(kind)
    group = top / f"playcast-test-{uuid4().hex}"
    switch, on, off = ("cgroup.freeze", "1", "0") if kind == "v2" else ("freezer.state", "FROZEN", "THAWED")
    try:
        group.mkdir()
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        (group / switch).write_text(on)
    except OSError as error:
        pytest.skip(f"this account may make no cgroup: {error}")
    try:
        yield
    finally:
        (group / switch).write_text(off)
        _remove(group, top)
