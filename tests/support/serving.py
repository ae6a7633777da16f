"""A server process of its own, started as a person starts it, so that it can be killed as a machine kills it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from aiohttp import ClientSession

from tests.support.api import Api
from tests.support.launchers import MODE

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient

CHECKOUT = Path(__file__).resolve().parents[2]
PLAYCAST = (sys.executable, "-m", "playcast")
READY = "Playcast is ready on "


@dataclass(frozen=True)
class Served:
    """A running server process and its API."""

    api: Api
    url: str
    process: asyncio.subprocess.Process

    async def kill(self) -> None:
        """End the server as a crash does: without a chance to put anything right."""
        self.process.kill()
        await self.process.wait()


@contextmanager
def _log(file: Path | str | None) -> Iterator[IO[bytes] | None]:
    """Where a process logs to: that file, else where this one does."""
    if file is None:
        yield None
    else:
        with Path(file).open("ab") as opened:
            yield opened


def environment(data_dir: Path, ansible_dir: Path, **settings: str) -> dict[str, str]:
    """What a server process gets: its settings, and nothing of the developer's environment."""
    given = {f"PLAYCAST_{name.upper()}": value for name, value in settings.items()}
    return {
        "PATH": os.defpath,
        "HOME": os.environ["HOME"],
        "PLAYCAST_DATA_DIR": str(data_dir),
        "PLAYCAST_ANSIBLE_DIR": str(ansible_dir),
        "PLAYCAST_LAUNCHER": MODE,
        **given,
    }


@asynccontextmanager
async def _running(
    words: Sequence[str], env: dict[str, str], log: Path | str | None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A process and the first line that it prints; ended with the context, unless it was killed before."""
    with _log(log) as stderr:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=CHECKOUT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        assert process.stdout is not None
        yield process, (await process.stdout.readline()).decode()
    finally:
        with suppress(ProcessLookupError):
            # One that a test has stopped could not end.
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 30)
        finally:
            # The test has failed if it lives; the next ones must not.
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def serving(
    data_dir: Path,
    ansible_dir: Path,
    *,
    program: Sequence[str] = PLAYCAST,
    log: Path | str | None = None,
    port: str = "0",
    **settings: str,
) -> AsyncIterator[Served]:
    """`playcast serve`, until the context ends or the process was killed. Port 0 is a free one; it logs to `log`."""
    env = environment(data_dir, ansible_dir, **settings)
    async with _running([*program, "serve", "--port", port], env, log) as (process, line):
        assert line.startswith(READY), f"the server did not start: {line!r}"
        url = line.removeprefix(READY).strip()
        async with ClientSession(url) as session:
            # A session with a base address and the test client make requests alike.
            yield Served(Api(cast("TestClient[web.Request, web.Application]", session)), url, process)


@asynccontextmanager
async def worker_process(
    data_dir: Path, ansible_dir: Path, name: str, log: Path | str | None = None, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`playcast worker` until the context ends or the process was killed."""
    env = environment(data_dir, ansible_dir, **settings)
    async with _running([*PLAYCAST, "worker", "--name", name], env, log) as (process, line):
        assert line == f"Worker {name} takes jobs\n"
        yield process
