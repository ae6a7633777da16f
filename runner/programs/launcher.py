"""The launcher: a process that has ansible imported, and forks a supervisor and an ansible for each job.

Its argument is ROOM. It runs with a minimal environment and one thread, and ends with its standard input.
ROOM is an empty directory made for it alone, which it removes when it ends. A request is one message {job_dir} on a
connection to the unix socket in ROOM, with the job's memory files attached; the answer is "started", or one line that
says why not. Requests are read in forks: the launcher itself never holds a secret, and nobody can make it wait.
Whatever was forked lives on without it.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import NoReturn

from . import ansible_preload, ansible_refresh, supervisor

MAX_REQUEST = 8192
MAX_FDS = 8
READY = "ready"
SOCKET = "socket"
_END_SECONDS = 5.0
_REAP_SECONDS = 1.0
_REQUEST_SECONDS = 5.0


def request(job_dir: Path) -> bytes:
    """What to send for a job, with its memory files attached."""
    return json.dumps({"job_dir": str(job_dir)}).encode()


def main(arguments: list[str]) -> None:
    """In the empty directory that is its argument: preload, listen, and fork until standard input ends."""
    room = Path(arguments[0])
    if any(room.iterdir()):
        raise RuntimeError(f"{room} is not empty, and would be removed at the end")
    os.umask(0o077)
    try:
        ansible_preload.preload()
        _check_forkable()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(room / SOCKET))
            (room / SOCKET).chmod(0o600)
            listener.listen(64)
            sys.stdout.write(f"{READY} {ansible_preload.ansible_version()}\n")
            sys.stdout.flush()
            # A reader of the first line must not wait for more.
            _leave(1)
            _fork_until_told(listener)
    finally:
        # The server does both too, but may have been killed.
        _end_test(room)
        shutil.rmtree(room, ignore_errors=True)


def _end_test(room: Path) -> None:
    """SIGKILL what works below ROOM: the launcher's own test, which would write on into a removed directory."""
    # By the name that the kernel knows it by.
    below = f"{room.resolve()}/"
    until = time.monotonic() + _END_SECONDS
    while (pids := [pid for pid in _processes() if _directory(pid).startswith(below)]) and time.monotonic() < until:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _directory(pid: int) -> str:
    """Where a process works; nothing if it has ended or is another account's."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def _check_forkable() -> None:
    """RuntimeError if the imports began what a fork would lose: it has one thread, and closes files unseen."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{threads} threads after the imports: a fork would lose all but one")
    for file in list(Path("/proc/self/fd").iterdir()):
        # The listing itself was open a moment ago.
        with contextlib.suppress(OSError):
            if int(file.name) > 2 and os.fstat(int(file.name)):
                raise RuntimeError(f"{file.readlink()} is open after the imports: a fork would close it")


def _fork_until_told(listener: socket.socket) -> None:
    while _wait(listener):
        # Where no fork is possible, the closed connection tells the server to start the job in another way.
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                if not os.fork():
                    _serve(connection, listener)


def _wait(listener: socket.socket) -> bool:
    """Wait for a request, collecting ended forks meanwhile; False once standard input has ended."""
    while True:
        ready, _, _ = select.select([listener.fileno(), 0], [], [], _REAP_SECONDS)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if 0 in ready and not os.read(0, 64):
            return False
        if listener.fileno() in ready:
            return True


def _serve(connection: socket.socket, listener: socket.socket) -> NoReturn:
    """Read one request, start its job, answer, and end: all of it in a fork."""

    def execute(argv: list[str], env: dict[str, str]) -> None:
        ansible_refresh.become(argv, env)

    try:
        listener.close()
        _leave(0, 1, 2)
        connection.settimeout(_REQUEST_SECONDS)
        job_dir, fds = _read(connection)
        said = supervisor.detach(job_dir, fds, leave=[connection.fileno()], execute=execute)
        connection.sendall(said.encode())
    except BaseException as error:  # noqa: BLE001 (a fork must never come back into the launcher's loop)
        with contextlib.suppress(OSError):
            connection.sendall(f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


def _read(connection: socket.socket) -> tuple[str, list[int]]:
    """(directory of the job, its memory files); an error that says so if this is no request of ours."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    if uid != os.getuid():
        raise PermissionError("another account asks")
    message, fds, flags, _ = socket.recv_fds(connection, MAX_REQUEST, MAX_FDS)
    if flags & socket.MSG_CTRUNC:
        raise ValueError(f"more than {MAX_FDS} files")
    return str(json.loads(message)["job_dir"]), fds


def _leave(*numbers: int) -> None:
    """Let go of standard streams: they are the server's, or belong to the launcher alone."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(null, number)
    os.close(null)
