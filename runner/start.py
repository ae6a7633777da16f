"""Starting the supervisor of a job whose directory is written: by a command of its own, or by the launcher."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from runner import supervise
from runner.errors import LaunchFailed


class Starter(Protocol):
    """Starts supervisors, and counts them: `warm` by the launcher, `cold` by commands of their own."""

    @property
    def ready(self) -> bool:
        """Whether the next job starts warm."""
        ...

    @property
    def warm(self) -> int:
        """Jobs started by the launcher."""
        ...

    @property
    def cold(self) -> int:
        """Jobs started without it."""
        ...

    async def start(self, job_dir: Path, fds: Sequence[int]) -> None:
        """Return once the job runs on its own; LaunchFailed says why it does not. `fds` are its memory files."""
        ...


class ColdStart:
    """Starts each supervisor with a new interpreter, which imports ansible anew."""

    ready = False
    warm = 0

    def __init__(self) -> None:
        self.cold = 0

    async def start(self, job_dir: Path, fds: Sequence[int]) -> None:
        """Run `python -I -S supervise.py`; the process that is waited for ends as soon as the job runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            supervise.__file__,
            str(job_dir),
            *map(str, fds),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=fds,
            env={},
        )
        _, told = await process.communicate()
        if process.returncode:
            raise LaunchFailed(f"the job's supervisor did not start: {told.decode(errors='replace').strip()}")
        self.cold += 1
