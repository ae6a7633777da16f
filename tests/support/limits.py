"""Real limits of the system around a process that runs: processes, open files, access."""

import os
import resource
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_PIDS = Path("/sys/fs/cgroup/pids")
_UNIFIED = Path("/sys/fs/cgroup")
# As an account that is not root: access is by owner and mode. Root is held to them without these.
UNPRIVILEGED: Sequence[str] = () if os.geteuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")


@contextmanager
def process_group(*pids: int) -> Iterator[Path]:
    """A control group with the processes and all that they start, without limits; skipped where none can be made."""
    root = _PIDS if _PIDS.is_dir() else _UNIFIED
    group = root / f"playcast-test-{secrets.token_hex(4)}"
    try:
        group.mkdir()
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        (group / "pids.max").write_text("max")
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        yield group
    finally:
        (group / "pids.max").write_text("max")
        for one in (group / "cgroup.procs").read_text().split():
            (root / "cgroup.procs").write_text(one)
        group.rmdir()


@contextmanager
def processes_left(group: Path, count: int) -> Iterator[None]:
    """Only so many more processes and threads than there are now."""
    (group / "pids.max").write_text(str(int((group / "pids.current").read_text()) + count))
    try:
        yield
    finally:
        (group / "pids.max").write_text("max")


def _opened(pid: int) -> set[int]:
    """The files of a process that stay open: those of a job that has just ended are closed a moment later."""
    opened: set[int] = set()
    deadline = time.monotonic() + 20
    while (now := {int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()}) != opened:
        assert time.monotonic() < deadline, "files come and go"
        opened = now
        time.sleep(0.5)
    return opened


@contextmanager
def files_left(pid: int, count: int) -> Iterator[None]:
    """Only so many more files than are open in a process now."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    opened = _opened(pid)
    free = [number for number in range(max(opened) + count + 2) if number not in opened]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[count], before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
