"""Starting jobs through the launcher: keeps one alive, tests it, replaces it in time, and goes cold without it."""

import asyncio
import importlib.util
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from runner import programs
from runner.errors import LaunchFailed
from runner.programs import launcher, supervisor
from runner.start.cold_start import ColdStart
from runner.start.launcher_test import check

ANSWER_SECONDS = 10.0
START_SECONDS = 60.0
_END_SECONDS = 5.0
# Jobs never depend on the launcher once they run: replacing it costs them nothing.
MOST_JOBS = 1000
MOST_SECONDS = 24 * 3600.0
# How long jobs start cold before another launcher is tried, after one that failed its test or did not live this long.
RETRY_SECONDS = 60.0
# More requests at a time would only wait in the launcher's queue, which is short, and count that as its silence.
_AT_ONCE = 8

log = structlog.get_logger()


class Launcher:
    """One launcher process. It ends when its standard input is closed, hence with this process at the latest."""

    def __init__(self, process: asyncio.subprocess.Process, room: Path) -> None:
        self.version = ""
        self.jobs = 0
        self.started_at = time.monotonic()
        self._process = process
        self.room = room

    @classmethod
    async def open(cls, ansible_dir: Path) -> "Launcher":
        """Start one and wait until it has imported ansible; LaunchFailed with its last words if it does not."""
        room = Path(tempfile.mkdtemp(prefix="pc-launcher-", dir="/tmp"))
        try:
            process = await asyncio.create_subprocess_exec(
                *programs.command("launcher"),
                str(room),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=room,
                env=_environment(ansible_dir, room),
                # Ctrl-C in the server's terminal is for the server.
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(room, ignore_errors=True)
            raise
        one = cls(process, room)
        try:
            async with asyncio.timeout(START_SECONDS):
                one.version = await one._until_ready()
        except BaseException:
            await one.close()
            raise
        return one

    async def _until_ready(self) -> str:
        """The version of ansible that it has imported."""
        assert self._process.stdout is not None  # noqa: S101 (a pipe, as asked for above)
        words = (await self._process.stdout.readline()).decode(errors="replace").split()
        if len(words) == 2 and words[0] == launcher.READY:
            return words[1]
        self._close_input()
        raise LaunchFailed(await self.last_words())

    async def last_words(self) -> str:
        """Wait for its end; what it said then."""
        assert self._process.stderr is not None  # noqa: S101 (a pipe, as asked for above)
        told = (await self._process.stderr.read()).decode(errors="replace").strip().splitlines()
        code = await self._process.wait()
        return told[-1] if told else f"it ended with code {code}"

    async def ask(self, job_dir: Path, fds: Sequence[int]) -> str:
        """Its answer to a request: "started", or why not. OSError or TimeoutError if it does not answer."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(0)
            async with asyncio.timeout(ANSWER_SECONDS):
                await loop.sock_connect(connection, str(self.room / launcher.SOCKET))
                socket.send_fds(connection, [launcher.request(job_dir)], list(fds))
                answer = bytearray()
                while piece := await loop.sock_recv(connection, 4096):
                    answer += piece
        self.jobs += 1
        if not answer:
            raise ConnectionResetError("the launcher closed the connection")
        return answer.decode(errors="replace")

    async def close(self) -> None:
        """End it; what it has forked goes on."""
        self._close_input()
        try:
            # Until it is ready it does not look at its input, and has forked nothing.
            async with asyncio.timeout(_END_SECONDS if self.version else 0):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await asyncio.to_thread(shutil.rmtree, self.room, ignore_errors=True)

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


class WarmStart:
    """Starts jobs through a launcher, and cold while there is none."""

    def __init__(self, ansible_dir: Path) -> None:
        self.warm = 0
        self._ansible_dir = ansible_dir
        # Listed once: to list a folder takes a descriptor, which a server may be out of.
        self._programs = sorted(programs.FOLDER.glob("*.py"))
        self._cold = ColdStart()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._launcher: Launcher | None = None
        self._made_from: tuple[object, ...] = ()
        self._not_before = 0.0
        self._warned = False
        self._opening: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether the next job starts warm."""
        return self._launcher is not None

    @property
    def cold(self) -> int:
        """Jobs started without the launcher."""
        return self._cold.cold

    async def start(self, job_dir: Path, fds: Sequence[int]) -> None:
        """Start a job; without a launcher, or when it fails to answer, with a command of its own."""
        async with self._turns:
            self.renew()
            one = self._launcher
            warm = one is not None and await self._start_warm(one, job_dir, fds)
        if warm:
            self.warm += 1
        else:
            await self._cold.start(job_dir, fds)

    async def _start_warm(self, one: Launcher, job_dir: Path, fds: Sequence[int]) -> bool:
        try:
            said = await one.ask(job_dir, fds)
        except (OSError, TimeoutError) as error:
            self._lose(one, str(error) or "it did not answer")
            # It may have come as far as the claim: then the job runs, or its supervisor said why not in vain.
            return (job_dir / "claim").exists()
        if said != supervisor.STARTED:
            raise LaunchFailed(f"the job's supervisor did not start: {said}")
        return True

    def renew(self) -> None:
        """Begin to replace a launcher that is old, worn, or made from other files; jobs go on meanwhile."""
        one = self._launcher
        if one is not None and tuple(self._files()) != self._made_from:
            # What it has imported is not what is installed now.
            self._retire(one)
            one = None
        now = time.monotonic()
        if self._opening is not None or now < self._not_before:
            return
        if one is None or one.jobs >= MOST_JOBS or now - one.started_at >= MOST_SECONDS:
            self._opening = asyncio.create_task(self._open(0))

    async def _open(self, pause: float) -> None:
        """Have a new launcher after `pause` seconds; jobs that come before it is tested start as they did."""
        try:
            await asyncio.sleep(pause)
            made_from = tuple(self._files())
            new = await self._tested()
        except Exception as error:  # noqa: BLE001 (whatever is wrong with the launcher, jobs can start cold)
            self._not_before = time.monotonic() + RETRY_SECONDS
            self._warn("jobs start cold: the launcher does not work", str(error) or "it took too long")
        else:
            if self._launcher is not None:
                self._retire(self._launcher)
            self._launcher, self._made_from, self._warned = new, made_from, False
            self._watching = asyncio.create_task(self._watch(new))
            log.info("jobs start warm", ansible=new.version)
        finally:
            self._opening = None

    async def _tested(self) -> Launcher:
        new = await Launcher.open(self._ansible_dir)
        try:
            await check(new.ask, self._ansible_dir, new.room)
        except BaseException:
            await new.close()
            raise
        return new

    async def _watch(self, one: Launcher) -> None:
        self._lose(one, await one.last_words())

    def _lose(self, one: Launcher, error: str) -> None:
        """Note that a launcher is of no use any more, and look for another."""
        if self._launcher is not one:
            return
        self._warn("jobs start cold: the launcher is gone", error)
        self._retire(one)
        if self._opening is None:
            lived = time.monotonic() - one.started_at
            self._opening = asyncio.create_task(self._open(0 if lived >= RETRY_SECONDS else RETRY_SECONDS))

    def _warn(self, event: str, error: str) -> None:
        """Once until a launcher works again: the first cause is the one to look at."""
        if not self._warned:
            log.warning(event, error=error)
        self._warned = True

    def _retire(self, one: Launcher) -> None:
        self._launcher = None
        if self._watching is not None:
            self._watching.cancel()
        closing = asyncio.create_task(one.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End the launcher; jobs go on."""
        self._not_before = float("inf")
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._launcher is not None:
            self._retire(self._launcher)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _files(self) -> Iterator[object]:
        """What a launcher is made of: it has read these files, and must not outlive them."""
        yield from _stamps(self._programs)
        yield from _stamps([_release(), self._ansible_dir / "ansible.cfg"])


def _release() -> Path:
    """The file of ansible that changes with each release."""
    found = importlib.util.find_spec("ansible")
    if found is None or found.origin is None:
        return Path("ansible/release.py")
    return Path(found.origin).with_name("release.py")


def _stamps(paths: Iterable[Path]) -> Iterator[tuple[str, int, int, int]]:
    """What tells one version of a file from another; nothing for a file that is not there."""
    for path in paths:
        with suppress(OSError):
            stat = path.stat()
            yield (str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _environment(ansible_dir: Path, room: Path) -> dict[str, str]:
    """As little as ansible's import needs; it stays visible in /proc for as long as any fork lives."""
    return {
        "PATH": os.defpath,
        "HOME": str(room),
        "LANG": "C.UTF-8",
        "TMPDIR": str(room),
        "ANSIBLE_CONFIG": str(ansible_dir / "ansible.cfg"),
        "ANSIBLE_HOME": str(room / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(room / "ansible/tmp"),
    }
