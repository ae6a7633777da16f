"""The registry of workers: one entry for each name, renewed as long as its process lives."""

import asyncio
import fcntl
import os
import secrets
from pathlib import Path

import structlog
from tortoise.exceptions import BaseORMException

from models import WorkerEntry
from runner.errors import PlaycastError
from runner.lease import HEARTBEAT_SECONDS, LEASE_SECONDS

log = structlog.get_logger()


class DataDirLock:
    """The mark of a worker's data directory, locked for as long as the worker lives: no second one works in it."""

    def __init__(self, data_dir: Path, name: str) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = data_dir / f"worker-{name.replace('/', '_')}.id"
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            message = f"PLAYCAST_WORKER: a worker called {name} runs already in {data_dir}: give this one another name"
            raise PlaycastError(message) from error
        mark = os.pread(self._fd, 64, 0).decode(errors="replace").strip()
        self.mark = mark or secrets.token_hex(16)
        if not mark:
            os.pwrite(self._fd, self.mark.encode(), 0)
            os.fsync(self._fd)

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._fd)


class Registry:
    """Keeps the entry of one worker. `lost` is set once somebody else has its name."""

    def __init__(self, name: str, home: str, slots: int, version: str) -> None:
        self.lost = asyncio.Event()
        self.renewed_at = 0.0
        self._name = name
        self._home = home
        self._slots = slots
        self._version = version

    async def enter(self) -> None:
        """Take the name, before any job is looked at; PlaycastError if another machine has it."""
        if not await WorkerEntry.enter(self._name, self._home, self._slots, self._version, LEASE_SECONDS):
            message = (
                f"PLAYCAST_WORKER: a worker called {self._name} works elsewhere, or has left jobs that are judged "
                f"within {LEASE_SECONDS:g} seconds: give this one another name, or start it again then"
            )
            raise PlaycastError(message)
        self.renewed_at = asyncio.get_running_loop().time()

    async def work(self) -> None:
        """Renew the entry until cancelled, or until it is another's."""
        while not self.lost.is_set():
            await asyncio.sleep(HEARTBEAT_SECONDS)
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(LEASE_SECONDS):
                    renewed = await WorkerEntry.renew(self._name, self._home)
            except (BaseORMException, OSError) as error:
                log.warning("the database does not hear of this worker", error=str(error) or type(error).__name__)
                continue
            if renewed:
                self.renewed_at = began
            else:
                log.error("another worker has taken this one's name", worker=self._name)
                self.lost.set()

    def silence(self) -> float:
        """Seconds since the database last heard of this worker."""
        return asyncio.get_running_loop().time() - self.renewed_at

    async def pause(self, seconds: float) -> None:
        """Stop in good order: jobs that go on are judged only if no worker has this name again after `seconds`."""
        await WorkerEntry.leave(self._name, self._home, seconds)
