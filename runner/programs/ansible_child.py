"""The process of a job: runs ansible-playbook, with all it prints masked on the way into the log.

Its arguments are WORDS_FD LOG_CAP ANSIBLE_PLAYBOOK ARGUMENT…. The supervisor starts it in the job's directory, where
spec.json has what ansible_hooks.py asks for if the program is ansible.
WORDS_FD is an open memory file with the words to mask, a JSON list of texts; it is closed before anything else happens.
LOG_CAP is in bytes. Standard output and error are the log, both the same file. Callback plugins find the masking as
`sys.modules["playcast_programs.masking"].mask(text)`.

The exit code is that of ansible-playbook, but LOG_UNWRITABLE when the log could not be written.
"""

import atexit
import io
import json
import multiprocessing
import os
import runpy
import signal
import sys
import threading
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import ansible_hooks, masking, process_tree
from .log_file import LogFile

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LOG_UNWRITABLE = 74
"""EX_IOERR of sysexits.h; ansible-playbook itself ends with no such code."""
STOP_SECONDS = 3.0
"""How long ansible may take to end its workers and to remove its files, once its log cannot be written."""
_PIECE = 64 * 1024


class Log:
    """Where both standard streams end: masks, then writes. Only the process that made it finishes it."""

    def __init__(self, running: masking.Running, file: LogFile) -> None:
        self._running = running
        self._file = file
        self._finished = False
        self._stopping = False
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def write(self, data: bytes) -> None:
        """Write what `data` completes; the end that may yet become a secret waits."""
        with self._lock:
            # In pieces: a line of any length must not be copied as a whole.
            for start in range(0, len(data), _PIECE):
                self._file.write(self._running.feed(data[start : start + _PIECE]))
            if self._finished:
                self._file.write(self._running.finish())
            elif self._file.failed and not self._stopping:
                self._stopping = True
                _stop()

    def finish(self) -> None:
        """Write what waits; from now on nothing waits. Ends the process at once if the log cannot be written."""
        with self._lock:
            self._finished = True
            self._file.write(self._running.finish())
            if self._file.failed:
                os._exit(LOG_UNWRITABLE)

    def _leave_to_parent(self) -> None:
        """What waits is the parent's to write; its lock may be held by a thread that does not exist here."""
        self._lock = threading.RLock()
        self._running.forget()


class Stream(io.RawIOBase):
    """The bytes below sys.stdout or sys.stderr. Ansible asks for the descriptor, and wraps `write` and `flush`."""

    def __init__(self, log: Log, fd: int, name: str) -> None:
        super().__init__()
        self._log = log
        self._fd = fd
        self.name = name
        self.mode = "wb"

    def write(self, data: "ReadableBuffer") -> int:
        """Hand `data` over as a whole."""
        content = bytes(data)
        self._log.write(content)
        return len(content)

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The descriptor of the log itself: for its size and kind, not for writing."""
        return self._fd

    def isatty(self) -> bool:
        """Whether a person reads along."""
        return os.isatty(self._fd)


def _stop() -> None:
    """End the program: by an interrupt, as a cancel does, and if that does not work, at once after STOP_SECONDS."""
    # Not by an exception: ansible catches some, and a thread of its own that ends by one makes it wait for ever.
    # So it does after an interrupt too, when one of its workers was killed while it sent something.
    late = threading.Timer(STOP_SECONDS, os._exit, [LOG_UNWRITABLE])
    late.daemon = True
    late.start()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def main(arguments: list[str]) -> None:
    """Become ansible-playbook; returns, or raises, as it does."""
    take_over(arguments)
    runpy.run_path(sys.argv[0], run_name="__main__")


def take_over(arguments: list[str]) -> None:
    """Prepare this process for ansible, masking before both standard streams; `sys.argv` becomes ansible's own."""
    words = _words(int(arguments[0]))
    spec = Path("spec.json")
    told = json.loads(spec.read_bytes()) if spec.exists() else {}
    _let_workers_end_what_they_send()
    masker = masking.Masker(words)
    masking.__dict__["mask"] = masker.mask
    log = Log(masking.Running(masker), LogFile(1, int(arguments[1])))
    # The first to be registered is the last to run: ansible's own still print.
    atexit.register(log.finish)
    sys.stdout = sys.__stdout__ = _text(Stream(log, 1, "<stdout>"))  # type: ignore[misc]  # no way around the masking
    sys.stderr = sys.__stderr__ = _text(Stream(log, 2, "<stderr>"))  # type: ignore[misc]  # no way around the masking
    # Ansible computes paths of its other programs from its own name.
    sys.argv = arguments[2:]
    if "settings" in told:
        ansible_hooks.hook_in(told, process_tree.end_masters_below)


def _let_workers_end_what_they_send() -> None:
    """Keep an interrupt from a process of `multiprocessing` for as long as it puts something into a queue.

    An interrupted worker of ansible ends at once. When that met it in the middle of a message, it took the lock of the
    queue with it, and ansible waited for that lock until it was killed. SIGTERM still ends it at once: ansible sends
    that when it reads no more messages.
    """
    put = SimpleQueue.put

    def put_wholly(self: "SimpleQueue[Any]", item: Any) -> None:  # noqa: ANN401 (whatever it is)
        if multiprocessing.parent_process() is None:
            # The parent ends by an exception, which gives the lock back; and it must hear of a cancel while it waits.
            put(self, item)
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            put(self, item)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    SimpleQueue.put = put_wholly  # type: ignore[assignment, method-assign]


def _words(fd: int) -> list[str]:
    with open(fd, encoding="utf-8") as file:
        words: list[str] = json.load(file)
    return words


def _text(stream: Stream) -> io.TextIOWrapper:
    # Written through, as with PYTHONUNBUFFERED: what is printed is in the log at once.
    return io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", write_through=True)
