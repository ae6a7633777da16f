"""The supervisor of one job: the small process that owns it, and lives on when everything else of Playcast dies.

Its arguments are JOB_DIR FD…, or it runs in a fork of the launcher; each FD is an open memory file that the job's
process gets as 3, 4, …. It reads `spec.json` {argv, env, script, scratch, timeout,
grace, connections}, which has more for others; `script`, if it is there, is the Python script that `argv` goes on to
run, and `connections` the ssh connections that may outlive the job (process_tree.py).
It leaves behind, in this order:

claim      made once and locked for life: at most one start, and a proof of life that needs no pid
run.json   {boot_id, started_at, supervisor: {pid, start}, ansible: {pid, start}}; start in clock ticks since boot
exit.json  {reason, code, message, started_at, ended_at}; reason: exited, exec_failed, timeout or canceled;
           code as the shell counts it, negative for a signal

The caller's process ends with 0 once the job runs on its own, or with 1 and one line on stderr.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from . import core_dumps, process_tree, system_errors

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
EXIT_RECORD_BYTES = 4096
EXEC_FAILED = 127
STARTED = "started"
_MOST_FDS = 4096
Execute = Callable[[list[str], dict[str, str]], object]
_WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Detach, start the job, and tell the caller how that went."""
    said = detach(arguments[0], [int(fd) for fd in arguments[1:]])
    if said == STARTED:
        return 0
    sys.stderr.write(f"{said}\n")
    return 1


def detach(job_dir: str, secret_fds: list[int], leave: Sequence[int] = (), execute: Execute | None = None) -> str:
    """Fork the supervisor; STARTED once the job runs on its own, else one line that says why not.

    The fork closes `leave`. `execute` becomes the program in place of the system's own exec, in this very image.
    """
    try:
        return _detach(job_dir, secret_fds, leave, execute)
    except OSError as error:
        return system_errors.in_a_line(error)


def _detach(job_dir: str, secret_fds: list[int], leave: Sequence[int], execute: Execute | None) -> str:
    # Also where the server could not see to it: a launcher of an earlier version, for one.
    core_dumps.forbid_core_dumps()
    os.chdir(job_dir)
    os.umask(0o077)
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        with os.fdopen(told, encoding="utf-8") as answer:
            return answer.read().strip() or "the supervisor died before the job started"
    try:
        for fd in (told, *leave):
            os.close(fd)
        os.setsid()
        _supervise(secret_fds, tell, execute)
    except Exception as error:  # noqa: BLE001 (the last frame of a detached process: the caller must hear of it)
        with contextlib.suppress(OSError):
            os.write(tell, f"{system_errors.in_a_line(error)}\n".encode())
        os._exit(1)
    os._exit(0)


def _supervise(secret_fds: list[int], tell: int, execute: Execute | None = None) -> None:
    with open("spec.json", "rb") as file:
        spec = json.load(file)
    # From the claim on a signal to end means a cancel, and waits until there is something to end.
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    _take_claim()
    end = None
    try:
        record, end = _run(spec, secret_fds, tell, execute)
    finally:
        _end_all(end, spec.get("connections", ()))
        shutil.rmtree(spec["scratch"], ignore_errors=True)
    _write_exit_record(record, end)


def _end_all(end: dict[str, object] | None, connections: Sequence[str]) -> None:
    """End what is left of the job. Its connections may serve the next one, if ansible came to its end by itself."""
    if end is not None and end["reason"] == "exited" and int(str(end["code"])) >= 0:
        process_tree.end_descendants(spare=connections)
    else:
        # What still runs over there ends with its connection, if it has a terminal; an earlier job may have opened it.
        process_tree.end_descendants()
        process_tree.end_masters(connections)


def _run(
    spec: dict,  # type: ignore[type-arg]  # JSON
    secret_fds: list[int],
    tell: int,
    execute: Execute | None,
) -> tuple[int, dict[str, object]]:
    """Run the job to its end; (where to record it, what to record)."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    log = os.open("ansible.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    record = _reserve_exit_record()
    started_at = time.time()
    child, failure = _start_ansible(spec, log, secret_fds, execute)
    for fd in (log, *secret_fds):
        os.close(fd)
    _write_run_record(child, started_at)
    # The caller may have died meanwhile; the job goes on without it.
    with contextlib.suppress(BrokenPipeError):
        os.write(tell, STARTED.encode())
    os.close(tell)
    _leave_stdio()
    if failure is not None:
        os.waitpid(child, 0)
        end: dict[str, object] = {"reason": "exec_failed", "code": EXEC_FAILED, "message": failure}
    else:
        end = _wait(child, spec["timeout"], spec["grace"])
    return record, {**end, "started_at": started_at, "ended_at": time.time()}


def _take_claim() -> None:
    """Make `claim` appear already locked, so that nobody ever sees it free while this process lives."""
    draft = f"claim.{os.getpid()}"
    claim = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(claim, fcntl.LOCK_EX)
    try:
        os.link(draft, "claim")
    finally:
        os.unlink(draft)


def _reserve_exit_record() -> int:
    """Take the space for `exit.json` now: a disk that fills up later must not lose the exit code."""
    record = os.open("exit.json.tmp", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.posix_fallocate(record, 0, EXIT_RECORD_BYTES)
    return record


def _start_ansible(
    spec: dict,  # type: ignore[type-arg]  # JSON
    log: int,
    secret_fds: list[int],
    execute: Execute | None,
) -> tuple[int, str | None]:
    """Fork the ansible child; (its pid, why it could not be executed or None)."""
    fails, failed = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if not child:
        try:
            _take_place(spec, log, secret_fds, parent)
            if execute is None:
                os.execve(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 (no shell is the point)
            # Nothing closes them here by itself: the claim is locked for as long as one copy of it is open.
            os.closerange(3 + len(secret_fds), _MOST_FDS)
            execute(spec["argv"], spec["env"])
        except OSError as error:
            why = system_errors.explained(error) if system_errors.is_limit(error) else error.strerror
            os.write(failed, f"{error.filename or spec['argv'][0]} could not be started: {why}".encode())
        finally:
            os._exit(EXEC_FAILED)
    os.close(failed)
    with os.fdopen(fails, encoding="utf-8") as answer:
        failure = answer.read()
    return child, failure or None


def _take_place(spec: dict, log: int, secret_fds: list[int], parent: int) -> None:  # type: ignore[type-arg]  # JSON
    """Leave this process with what ansible is to start with: session, descriptors, signals."""
    os.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(EXEC_FAILED)
    if "script" in spec:
        _check_script(spec["script"])
    # What a task on this machine makes has the mode that it would have by hand; our own files are private by theirs.
    os.umask(0o022)
    null = os.open(os.devnull, os.O_RDONLY)
    # Move everything out of the way first: the numbers to fill may be the numbers to copy from.
    kept = [_moved(fd) for fd in (null, log, log, *secret_fds)]
    for number, fd in enumerate(kept):
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
    for fd in secret_fds:
        if fd >= len(kept):
            os.close(fd)
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _moved(fd: int) -> int:
    """A copy of it with a number that no other is to have."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD, 64)
    except OSError as error:
        # What the kernel says of a number that the limit does not allow.
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from error


def _check_script(path: str) -> None:
    """OSError if `path` is no Python script that can be read."""
    with open(path, "rb") as file:
        first, _, second = file.read(1024).partition(b"\n")
    # Where the interpreter's path is long or holds a space, pip writes a shell script that is Python as well.
    python = b"python" in first or (second.startswith(b"'''exec' ") and b"python" in second.partition(b"\n")[0])
    if not first.startswith(b"#!") or not python:
        raise OSError(errno.ENOEXEC, "it is no Python script", path)


def _write_run_record(child: int, started_at: float) -> None:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot_id = file.read().strip()
    processes = {"supervisor": process_tree.identity(os.getpid()), "ansible": process_tree.identity(child)}
    with open("run.json.tmp", "w", encoding="utf-8") as file:
        json.dump({"boot_id": boot_id, "started_at": started_at, **processes}, file)
    os.replace("run.json.tmp", "run.json")


def _leave_stdio() -> None:
    """Let go of the caller's streams: a reader of them must not wait for this process."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)


def _wait(child: int, timeout: float, grace: float) -> dict[str, object]:
    """Wait for ansible's end, and bring it about on SIGTERM or at the deadline."""
    deadline = time.monotonic() + timeout
    reason, message = "exited", None
    # Each step: what to send when its time has come, and to whom.
    steps: Iterator[tuple[float, int, bool]] | None = None
    due = deadline
    while True:
        got = signal.sigtimedwait(_WATCHED, max(0.0, min(due - time.monotonic(), 3600)))
        code = process_tree.reap(child)
        if code is not None:
            return {"reason": reason, "code": code, "message": message}
        stop = got is not None and got.si_signo in (signal.SIGTERM, signal.SIGINT)
        if steps is None and (stop or time.monotonic() >= deadline):
            reason, message = ("canceled", None) if stop else ("timeout", f"stopped after {timeout:g} seconds")
            steps = iter(
                [(grace, signal.SIGINT, False), (min(grace, 1.0), signal.SIGTERM, True), (1.0, signal.SIGKILL, True)]
            )
            due = time.monotonic()
        if steps is not None and time.monotonic() >= due:
            pause, number, everyone = next(steps, (1.0, signal.SIGKILL, True))
            due = time.monotonic() + pause
            for pid in process_tree.descendants() if everyone else [child]:
                process_tree.send(pid, number)
                # One that was stopped takes a signal only when it goes on.
                process_tree.send(pid, signal.SIGCONT)


def _write_exit_record(record: int, end: dict[str, object]) -> None:
    content = json.dumps(end).encode()
    os.pwrite(record, content, 0)
    os.ftruncate(record, len(content))
    os.fsync(record)
    os.close(record)
    os.replace("exit.json.tmp", "exit.json")
