"""Whether this process could take a job: the database and the directory of jobs take what is written.

Reading alone does not tell: a full disk, one that has become read-only and a deleted database are read as before.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException

from models import ProvisionJob
from models.sqlite import DatabaseGone
from models.writing import write_probe
from runner.system_errors import explained

WELL_SECONDS = 15.0
"""How long a probe that went well counts, however often somebody asks."""
REFUSED_SECONDS = 2.0
"""The same after one that was refused."""
PROBE_SECONDS = 10.0
"""How long a probe may take: a database that hangs must not make each health check hang."""
FILE_BYTES = 16 * 1024
"""What is written into the directory of jobs, and removed again."""

log = structlog.get_logger()


class Readiness:
    """Probes now and then, for all who ask at the same time together."""

    def __init__(self, jobs_dir: Path | None, now: Callable[[], float] = time.monotonic) -> None:
        self._jobs_dir = jobs_dir
        self._now = now
        self._probe: asyncio.Task[None] | None = None
        self._reason: str | None = None
        self._until = float("-inf")

    async def refusal(self) -> str | None:
        """Why no job can be taken; None if one can."""
        try:
            # Each time: this is cheap, and tells at once of a database that is away or was deleted.
            await ProvisionJob.exists(id=0)
        except DatabaseGone as error:
            return str(error)
        except (BaseORMException, OSError) as error:
            return f"the database does not answer: {error}"
        if self._now() >= self._until:
            if self._probe is None or self._probe.done():
                self._probe = asyncio.ensure_future(self._renew())
            # Whoever leaves takes nothing from the others who wait for the same one.
            await asyncio.shield(self._probe)
        return self._reason

    async def _renew(self) -> None:
        before, self._reason = self._reason, await self._refused()
        self._until = self._now() + (WELL_SECONDS if self._reason is None else REFUSED_SECONDS)
        if self._reason is not None and before is None:
            log.warning("not ready", reason=self._reason)
        elif self._reason is None and before is not None:
            log.warning("ready again")

    async def _refused(self) -> str | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await write_probe(get_connection("default"))
        except DatabaseGone as error:
            return str(error)
        except TimeoutError:
            return f"the database takes nothing: it does not answer within {PROBE_SECONDS:g} seconds"
        except (BaseORMException, OSError) as error:
            return f"the database takes nothing: {error}"
        if self._jobs_dir is None:
            return None
        try:
            await asyncio.to_thread(_write_file, self._jobs_dir)
        except OSError as error:
            return f"the directory of jobs takes nothing: {self._jobs_dir}: {explained(error)}"
        return None


def _write_file(folder: Path) -> None:
    """Make a file in the folder and remove it; OSError if that cannot be done."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f".probe-{secrets.token_hex(4)}"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, FILE_BYTES)
        finally:
            os.close(handle)
    except OSError as error:
        raise OSError(error.errno, error.strerror) from error
    finally:
        with suppress(OSError):
            file.unlink()
