"""Starting the supervisor of a job whose directory is written: by a command of its own, or by the launcher."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from runner.errors import LaunchFailed
from runner.job_processes import end_all
from runner.programs import command

ANSWER_SECONDS = 60.0
"""How long a supervisor may take to start: it answers at once, unless somebody has stopped it."""


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
        """Run the supervisor; the process that is waited for ends as soon as the job runs."""
        # Not a pipe: a supervisor that was stopped would hold it open.
        with os.fdopen(os.memfd_create("playcast-told"), "r+b") as told:
            process = await asyncio.create_subprocess_exec(
                *command("supervisor"),
                str(job_dir),
                *map(str, fds),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=told,
                pass_fds=fds,
                env={},
            )
            if not await _ended(process):
                process.kill()
                await process.wait()
                # One that came as far as its claim is followed from here on.
                if not (job_dir / "claim").exists():
                    await end_all(job_dir)
                    raise LaunchFailed(f"the job's supervisor did not start within {ANSWER_SECONDS:g} seconds")
            elif process.returncode:
                told.seek(0)
                raise LaunchFailed(
                    f"the job's supervisor did not start: {told.read().decode(errors='replace').strip()}"
                )
        self.cold += 1


async def _ended(process: asyncio.subprocess.Process) -> bool:
    """Whether it ends within ANSWER_SECONDS."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            await process.wait()
    return process.returncode is not None
