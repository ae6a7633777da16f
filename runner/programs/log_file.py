"""The log of a job as its own process writes it: at most so many bytes, and a disk that fills up does no harm."""

import os
import re
from pathlib import Path

_CUT = "[playcast] the log was cut here: it reached PLAYCAST_LOG_CAP ({} bytes); the job goes on\n"
_CUT_AT_END = re.compile(rb"(?:^|\n)" + re.escape(_CUT).replace(r"\{\}", r"\d{1,19}").encode() + rb"\Z")
_CUT_BYTES = len(_CUT) + 20


class LogFile:
    """Appends to the file behind `fd`, which nobody else writes.

    The write that would make it longer than `cap` bytes is cut after the last whole line that fits; one line says so,
    and all the rest is dropped. The first write that fails sets `failed`, and all the rest is dropped as well.
    """

    def __init__(self, fd: int, cap: int) -> None:
        self._fd = fd
        self._cap = cap
        self._size = os.fstat(fd).st_size
        self._line_open = self._size > 0
        self._cut = False
        self.failed = False

    def write(self, data: bytes) -> None:
        """Append `data` as a whole, a part of it, or nothing; no error is raised."""
        if not data or self._cut or self.failed:
            return
        if self._size + len(data) > self._cap:
            data = self._shortened(data)
            self._cut = True
        # Counted first: an interrupt may come between the write and whatever follows it.
        self._size += len(data)
        self._line_open = not data.endswith(b"\n")
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                data = data[written:]
                written = os.write(self._fd, data)
        except OSError:
            self.failed = True

    def _shortened(self, data: bytes) -> bytes:
        """The whole lines that fit, and the line that says that the log was cut."""
        lines = data[: data.rfind(b"\n", 0, max(0, self._cap - self._size)) + 1]
        end_of_line = b"\n" if self._line_open and not lines else b""
        return lines + end_of_line + _CUT.format(self._cap).encode()


def log_was_cut(log: Path) -> bool:
    """Whether this log ends with the line that says that it was cut; False if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _CUT_BYTES))
            return _CUT_AT_END.search(file.read()) is not None
    except OSError:
        return False
