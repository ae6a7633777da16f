"""Processes that stand still: stopped by a signal, held by a debugger, or frozen with their cgroup."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runner.programs import process_tree

STOPPED = "stopped by a signal"
HELD = "held by a debugger"
FROZEN = "frozen with its cgroup"
_LETTERS = {"T": STOPPED, "t": HELD}


def standstill(pid: int) -> str | None:
    """What keeps a process from running, to be read after "it was"; None if nothing is known to."""
    letter = process_tree.state(pid)
    if letter is None:
        return None
    return _LETTERS.get(letter) or (FROZEN if _frozen(pid) else None)


def _frozen(pid: int) -> bool:
    """Version 2 of cgroups says it in `cgroup.events`, version 1 in `freezer.state`."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                files, word = "cgroup.events", "frozen 1"
            elif "freezer" in controllers.split(","):
                files, word = "freezer.state", "FROZEN"
            else:
                continue
            for mount in _mounts(controllers):
                file = mount / path.lstrip("/") / files
                if file.is_file() and word in file.read_text().splitlines():
                    return True
    return False


def _mounts(controllers: str) -> Iterator[Path]:
    """Where these controllers are mounted; none are those of version 2."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        of_version_1 = kind == "cgroup" and bool(controllers) and "freezer" in options.split(" ")[-1].split(",")
        if of_version_1 or (kind == "cgroup2" and not controllers):
            yield Path(before.split(" ")[4])
