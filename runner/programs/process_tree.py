"""The processes below this one, for the supervisor: finding them all, collecting and ending them.

An ssh master is the process that holds a connection; it goes by the title
`ssh: <control path> [mux]`, and its control path begins with the *stem* that the connection is known by.
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence


def identity(pid: int) -> dict[str, int]:
    """{pid, start}; start in clock ticks since boot, since a pid alone may come to name another process."""
    return {"pid": pid, "start": int(_stat(pid)[19])}


def state(pid: int) -> str | None:
    """The kernel's letter for what a process does (T: stopped, t: held by a debugger); None once it has ended."""
    try:
        letter = _stat(pid)[0]
    except (OSError, IndexError):
        return None
    # A process that nobody has collected yet has ended as well.
    return None if letter in "ZXx" else letter


def is_below(pid: int, top: int) -> bool:
    """Whether `top` is among the parents of a process."""
    with contextlib.suppress(OSError, IndexError):
        while pid > 1:
            pid = int(_stat(pid)[1])
            if pid == top:
                return True
    return False


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command's name, which may hold anything."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def reap(child: int) -> int | None:
    """Collect every child that has ended; the exit code of `child` once it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if not pid:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)


def end_descendants(spare: Sequence[str] = ()) -> None:
    """SIGKILL every process below this one, again and again until none is left: they may fork meanwhile.

    The masters of the connections in `spare` (stems) stay.
    """
    for _ in range(50):
        below = [pid for pid in descendants() if not _is_master(pid, _of(spare))]
        if not below:
            return
        for pid in below:
            send(pid, signal.SIGKILL)
        # SIGCHLD is blocked where this runs, and waits.
        signal.sigtimedwait({signal.SIGCHLD}, 0.01)
        reap(0)


def end_masters(stems: Sequence[str]) -> None:
    """SIGKILL the masters of these connections, wherever they are: an earlier job may have opened them."""
    end_masters_below(_of(stems))


def end_masters_below(beginnings: Sequence[str]) -> None:
    """SIGKILL the masters of all connections whose control path begins with one of these."""
    for pid in processes() if beginnings else ():
        if _is_master(pid, beginnings):
            send(pid, signal.SIGKILL)
    # They can no longer take their sockets away themselves.
    for folder, name in map(os.path.split, beginnings):
        with contextlib.suppress(FileNotFoundError):
            for file in os.listdir(folder):
                if file.startswith(name):
                    os.unlink(os.path.join(folder, file))


def _of(stems: Sequence[str]) -> list[str]:
    """What the control paths of connections begin with."""
    return [f"{stem}-" for stem in stems]


def descendants(top: int | None = None) -> list[int]:
    """The processes below `top`, else below this one.

    Since 2.19 each of ansible's workers has its own session: only the tree of parents finds them all.
    """
    children: dict[int, list[int]] = {}
    for pid in processes():
        with contextlib.suppress(OSError, IndexError):
            children.setdefault(int(_stat(pid)[1]), []).append(pid)
    found, queue = [], [os.getpid() if top is None else top]
    while queue:
        for pid in children.get(queue.pop(), []):
            found.append(pid)
            queue.append(pid)
    return found


def send(pid: int, number: int) -> None:
    """Signal a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def processes() -> Iterator[int]:
    """All of this machine that can be seen."""
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _is_master(pid: int, beginnings: Sequence[str]) -> bool:
    if not beginnings:
        return False
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            title = file.read(4096)
        # Any process may call itself so, to be spared; none of them is ssh.
        return title.startswith(tuple(f"ssh: {path}".encode() for path in beginnings)) and _runs_ssh(pid)
    except OSError:
        return False


def _runs_ssh(pid: int) -> bool:
    return os.path.basename(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")) == "ssh"
