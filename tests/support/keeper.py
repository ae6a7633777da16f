"""A server that is killed and started again and again, at moments that chance picks."""

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import psutil
from aiohttp import ClientSession

from tests.support.api import Api
from tests.support.serving import CHECKOUT, READY, environment

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient

# The server as it is; only each directory that it makes in /tmp is written down before it appears. It dies at the
# audit event `fatal`, if one is named, when `word` is in its arguments.
DRIVER = """
import os, sys
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
def note(event, arguments):
    if event == "os.mkdir" and str(arguments[0]).startswith("/tmp/pc-"):
        os.write(notes, str(arguments[0]).encode() + b"\\n")
    if event == {fatal!r} and {word!r} in str(arguments):
        os.kill(os.getpid(), 9)
sys.addaudithook(note)
from playcast.commands.cli import main
main()
"""


class Keeper:
    """Starts the server, kills it at a moment that chance picks, and starts it again, until told to stop."""

    def __init__(self, folder: Path, ansible_dir: Path, rng: random.Random, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.kills: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.log = folder / "server.log"
        self.notes = folder / "scratch"
        self.deaths = folder / "deaths"
        self.deaths.touch()
        self._ansible_dir = ansible_dir
        self._settings = settings
        self._rng = rng
        self._ready = asyncio.Event()
        self._api: Api | None = None
        self._now = asyncio.Event()
        self._stop = asyncio.Event()
        self._sessions: list[ClientSession] = []

    async def up(self) -> Api:
        """The API of a server that is ready, as soon as there is one."""
        await self._ready.wait()
        assert self._api is not None
        return self._api

    def kill_now(self) -> None:
        """Let the server die at once."""
        self._now.set()

    def stop(self) -> None:
        """Let the server live until it is ended in order."""
        self._stop.set()

    def made(self) -> set[str]:
        """The directories in /tmp that the servers have made."""
        return set(self.notes.read_text().split())

    def left(self) -> list[str]:
        """Those that are still there; a launcher whose server was killed ends once it has imported ansible."""
        return [name for name in self.made() if Path(name).exists()]

    async def run(self) -> None:
        """Keep a server until `stop`."""
        try:
            while not self._stop.is_set():
                await self._live(await self._spawn())
        finally:
            for session in self._sessions:
                await session.close()

    async def _spawn(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-c",
                    DRIVER.format(notes=str(self.notes), fatal="", word=""),
                    "serve",
                    "--port",
                    "0",
                ),
                cwd=CHECKOUT,
                env=environment(self.data_dir, self._ansible_dir, **self._settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    async def _live(self, process: asyncio.subprocess.Process) -> None:
        way = self._rng.choices(["while it starts", "at a claim", "at any moment"], [15, 35, 50])[0]
        self._now.clear()
        try:
            if way == "while it starts" and self.kills:
                await self._pause(self._rng.uniform(0, 1.5))
            else:
                await self._until_ready(process)
                way = await (self._until_claim(way) if way == "at a claim" else self._until_moment(way))
            if not self._stop.is_set():
                await self._kill(process, way)
        finally:
            self._ready.clear()
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait_for(process.wait(), 30)

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith(READY), f"the server did not start again: {self.log.read_text()[-3000:]}"
        session = ClientSession(line.removeprefix(READY).strip())
        self._sessions.append(session)
        self._api = Api(cast("TestClient[web.Request, web.Application]", session))
        self._ready.set()

    async def _until_moment(self, way: str) -> str:
        await self._pause(self._rng.uniform(0.05, 3.0))
        return "right after a request" if self._now.is_set() else way

    async def _until_claim(self, way: str) -> str:
        """Wait, not for ever, for a job that is claimed and not known to be launched; then a moment longer."""
        for _ in range(200):
            if self._now.is_set() or self._stop.is_set():
                return "right after a request"
            with closing(sqlite3.connect(self.data_dir / "playcast.sqlite3")) as database:
                if self.unlaunched(database):
                    await asyncio.sleep(self._rng.uniform(0, 0.15))
                    return way
            await asyncio.sleep(0.01)
        return "at any moment"

    async def _pause(self, seconds: float) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._now, self._stop)]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    @staticmethod
    def unlaunched(database: sqlite3.Connection) -> list[int]:
        """The jobs that are claimed and not known to be launched."""
        query = "SELECT id FROM provision_job WHERE status = 'RUNNING' AND launched_at IS NULL"
        return [row[0] for row in database.execute(query)]

    async def _kill(self, process: asyncio.subprocess.Process, way: str) -> None:
        self._ready.clear()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self.kills[way] += 1
        await asyncio.to_thread(self._look)
        with self.deaths.open("a") as deaths:
            deaths.write("dead\n")

    def _look(self) -> None:
        """Count what this death hit, in a copy: opening the database itself would tidy it up for the next server."""
        with tempfile.TemporaryDirectory() as folder:
            for file in self.data_dir.glob("playcast.sqlite3*"):
                if not file.name.endswith(("-shm", ".lock")):
                    shutil.copy(file, folder)
            with closing(sqlite3.connect(Path(folder) / "playcast.sqlite3")) as database:
                for status, count in database.execute("SELECT status, count(*) FROM provision_job GROUP BY status"):
                    self.found[f"jobs {status}"] += count
                for number in self.unlaunched(database):
                    job_dir = self.data_dir / "jobs" / str(number)
                    stage = next((name for name in ("claim", "spec.json") if (job_dir / name).exists()), "nothing")
                    self.found[f"claimed, not known to be launched: {stage} there"] += 1


def end_processes_of(data_dir: Path) -> None:
    """SIGKILL what the jobs of a failed run have left: each of their processes names the data directory."""
    while left := [process for process in psutil.process_iter(["cmdline"]) if _names(process, str(data_dir))]:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.05)


def _names(process: psutil.Process, path: str) -> bool:
    return any(path in part for part in process.info["cmdline"] or [])
