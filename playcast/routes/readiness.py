"""Whether this process could take a job: the database and the directory of jobs take what is written.

Reading alone does not tell: a full disk, one that has become read-only and a deleted database are read as before.
"""

import asyncio
import os
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from tortoise.connection import get_connection

from models import ProvisionJob
from models.sqlite import DatabaseGone
from models.writing import write_probe
from runner.errors import PlaycastError
from runner.programs.system_errors import explained

WELL_SECONDS = 15.0
"""How long a probe that went well counts, however often somebody asks."""
REFUSED_SECONDS = 2.0
"""The same after one that was refused."""
PROBE_SECONDS = 10.0
"""How long a probe may take: a database or a file system that hangs must not make each health check hang."""
FILE_BYTES = 16 * 1024
"""What is written into the directory of jobs, and removed again."""

log = structlog.get_logger()


class Readiness:
    """Probes now and then, for all who ask at the same time together."""

    def __init__(self, jobs_dir: Path | None, now: Callable[[], float] = time.monotonic) -> None:
        self._jobs_dir = jobs_dir
        self._now = now
        self._looking: asyncio.Task[str | None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._reason: str | None = None
        self._until = float("-inf")

    async def refusal(self) -> str | None:
        """Why no job can be taken; None if one can."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        # Whoever leaves takes nothing from the others who wait for the same one.
        return await asyncio.shield(self._looking)

    async def _look(self) -> str | None:
        until = asyncio.get_running_loop().time() + PROBE_SECONDS
        # Each time: this is cheap, and tells at once of a database that is away or was deleted.
        away = await _trouble("the database does not answer", until, _read)
        if away is None and self._now() >= self._until:
            await self._renew(until)
        return away or self._reason

    async def _renew(self, until: float) -> None:
        before, self._reason = self._reason, await self._refused(until)
        self._until = self._now() + (WELL_SECONDS if self._reason is None else REFUSED_SECONDS)
        if self._reason is not None and before is None:
            log.warning("not ready", reason=self._reason)
        elif self._reason is None and before is not None:
            log.warning("ready again")

    async def _refused(self, until: float) -> str | None:
        refused = await _trouble("the database takes nothing", until, _write)
        if refused is None and self._jobs_dir is not None:
            refused = await _trouble(f"the directory of jobs takes nothing: {self._jobs_dir}", until, self._write_file)
        return refused

    async def _write_file(self) -> None:
        # A file system that hangs keeps the thread, whatever happens here: the next probe waits for the same one.
        if self._writing is None or self._writing.done():
            self._writing = _in_thread(partial(_write_file, self._jobs_dir or Path()))
        try:
            await asyncio.shield(self._writing)
        except OSError as error:
            raise PlaycastError(explained(error)) from error


async def _read() -> None:
    await ProvisionJob.exists(id=0)


async def _write() -> None:
    await write_probe(get_connection("default"))


async def _trouble(what: str, until: float, probe: Callable[[], Awaitable[None]]) -> str | None:
    """What keeps a probe from going well up to a time of the event loop, with `what` it means; None if nothing does."""
    try:
        async with asyncio.timeout_at(until) as limit:
            await probe()
    except DatabaseGone as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (whatever it is would keep a job from its start, and this is who asks)
        if limit.expired():
            return f"{what}: nothing came back within {PROBE_SECONDS:g} seconds"
        # PostgreSQL has a second line with a hint for some.
        return f"{what}: {' '.join(str(error).split()) or type(error).__name__}"
    return None


def _in_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """Do it in a thread of its own, for which neither other threads nor the end of the process wait."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
            # Nobody may be there any more who asks.
            done.exception()

    def run() -> None:
        failed = None
        try:
            work()
        except Exception as error:  # noqa: BLE001 (it is raised where it is waited for)
            failed = error
        # The event loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, failed)

    threading.Thread(target=run, name="readiness", daemon=True).start()
    return done


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
