"""How the jobs of tests start, and what tests of the launcher share: a look at it, and ways to trouble it."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from playcast.app import ENGINE
from playcast.settings import Settings
from runner.start.warm_start import Launcher, WarmStart
from tests.support.api import Api

MODE = os.environ.get("TEST_LAUNCHER") or str(Settings.model_fields["launcher"].default)
"""How jobs start in a test that does not care: as an installation starts them, unless the test run says otherwise."""
PROGRAM = "runner/programs/__main__.py\0launcher"


class LateWarmStart(WarmStart):
    """Has a launcher as soon as a first job wants one, which waits for it: most tests run no job.

    Without the launcher's own test, which takes as long as a job. The tests of the launcher use the real one.
    """

    _first: asyncio.Task[None] | None = None

    def renew(self) -> None:
        """Nothing, before a job comes."""
        if self._first is not None:
            super().renew()

    async def start(self, job_dir: Path, fds: Sequence[int]) -> None:
        """Start a job warm; cold only if the launcher cannot be had or is lost."""
        if self._first is None:
            super().renew()
            self._first = self._opening
        if self._first is not None:
            await asyncio.wait([self._first])
        await super().start(job_dir, fds)

    async def _tested(self) -> Launcher:
        return await Launcher.open(self._ansible_dir)


def starter_of(api: Api) -> WarmStart:
    """What starts the jobs of an app under test."""
    starter = api.client.app[ENGINE].starter
    assert isinstance(starter, WarmStart)
    return starter


def launcher_of(api: Api) -> psutil.Process:
    """The launcher of an app that has one."""
    one = starter_of(api)._launcher
    assert one is not None
    return psutil.Process(one._process.pid)


def room_of(launcher: psutil.Process) -> Path:
    """The directory that a launcher works in."""
    return Path(launcher.cwd())


def launchers_below(pid: int) -> list[psutil.Process]:
    """The launchers that a server process has started."""
    found = []
    for child in psutil.Process(pid).children():
        # One of them may have ended since.
        with suppress(OSError):
            if PROGRAM.encode() in Path(f"/proc/{child.pid}/cmdline").read_bytes():
                found.append(child)
    return found


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what other processes do."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (other processes tell no event)
            await asyncio.sleep(0.02)


async def until_it_serves_warm(api: Api) -> None:
    """Wait for the launcher of a server process, which only the metrics tell of."""

    async def warm() -> bool:
        async with api.client.get("/metrics") as response:
            return "playcast_launcher_warm 1.0" in (await response.text()).splitlines()

    async with asyncio.timeout(120):
        while not await warm():  # noqa: ASYNC110 (metrics are asked for)
            await asyncio.sleep(0.05)


def kill(process: psutil.Process) -> None:
    """As a machine without memory does it."""
    os.kill(process.pid, signal.SIGKILL)


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended, collected or not."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def say(room: Path, message: bytes, fds: Sequence[int] = ()) -> str:
    """The launcher's answer to whatever is sent to its socket; "reset" if it left some of that unread."""

    def talk() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(room / "socket"))
            socket.send_fds(connection, [message], list(fds))
            connection.shutdown(socket.SHUT_WR)
            try:
                return b"".join(iter(lambda: connection.recv(4096), b""))
            except ConnectionResetError:
                return b"reset"

    return (await asyncio.to_thread(talk)).decode()
