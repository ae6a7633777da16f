"""Waiting for a file to grow: one inotify watch that fires once each time it is armed.

A watch that is always armed makes the writer pay for an event at each write (1.5 times its CPU in a flood);
a one-shot watch, armed only while nothing flows, costs nothing then.
"""

import asyncio
import ctypes
import os
from pathlib import Path

IN_MODIFY = 0x2
IN_ONESHOT = 0x80000000
_libc = ctypes.CDLL(None)


class GrowthWatch:
    """Sets `grown` when an armed file was written to; close it when done.

    The kernel grants a user 128 instances (fs.inotify.max_user_instances); without one, `grown` is never set.
    """

    def __init__(self, path: Path) -> None:
        self._path = bytes(path)
        self.grown = asyncio.Event()
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd >= 0:
            asyncio.get_running_loop().add_reader(self._fd, self._fired)

    def arm(self) -> None:
        """Watch for the next write. Look at the file after this call, not before: a write in between is lost."""
        self.grown.clear()
        if self._fd >= 0:
            _libc.inotify_add_watch(self._fd, self._path, IN_MODIFY | IN_ONESHOT)

    def close(self) -> None:
        """Stop watching."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)

    def _fired(self) -> None:
        os.read(self._fd, 4096)
        self.grown.set()
