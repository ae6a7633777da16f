"""A PostgreSQL of one's own that is killed with -9 and comes back, and a way to it that freezes."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from bench.rig.postgres import throwaway_postgres

SOCKET = ".s.PGSQL.5432"


class MortalPostgres:
    """The server; `url` goes through its socket, whichever process listens there."""

    def __init__(self, room: Path) -> None:
        self._server = throwaway_postgres(room / "data")
        self.url: str = self._server.get_uri()
        self.socket = Path(parse_qs(urlsplit(self.url).query)["host"][0]) / SOCKET

    async def away(self, seconds: float) -> None:
        """Kill it, and bring it back after that time."""
        postmaster = psutil.Process(self._server.get_pid())
        children = postmaster.children(recursive=True)
        os.kill(postmaster.pid, signal.SIGKILL)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._revive, children)

    def _revive(self, children: list[psutil.Process]) -> None:
        # They see by themselves that they are orphans; until then a new server is refused.
        psutil.wait_procs(children, timeout=30)
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """End it in order."""
        self._server.cleanup()


@asynccontextmanager
async def mortal_postgres() -> AsyncIterator[MortalPostgres]:
    """A PostgreSQL that lives as long as the context, but for its deaths."""
    room = Path(tempfile.mkdtemp(prefix="playcast-pg-", dir="/tmp"))
    server = await asyncio.to_thread(MortalPostgres, room)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)
        shutil.rmtree(room)


class FreezingProxy:
    """Carries TCP connections to a PostgreSQL; while frozen nothing moves, and nobody is told."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._moves = asyncio.Event()
        self._moves.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut every connection."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Let nothing through for as long as the context lasts; what was under way arrives afterwards."""
        self._moves.clear()
        try:
            yield
        finally:
            self._moves.set()

    def through(self, url: str) -> str:
        """The same database by way of this proxy."""
        base = url.partition("?")[0]
        return f"postgresql://postgres:@127.0.0.1:{self.port}/{base.rpartition('/')[2]}"

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._moves.wait()
            back, forth = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(self._pump(reader, forth), self._pump(back, writer))
        finally:
            forth.close()
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._moves.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def freezing_proxy(target: Path) -> AsyncIterator[FreezingProxy]:
    """A proxy to the PostgreSQL behind this socket."""
    proxy = FreezingProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
