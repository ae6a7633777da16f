"""A real server with limits of a test's own, and bare connections to it."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.api import Api
from tests.support.serving import Served, serving

TOKEN = "correct-horse"
BEARER = f"Authorization: Bearer {TOKEN}"
ASK = f"GET /metrics HTTP/1.1\r\nHost: x\r\n{BEARER}\r\n\r\n".encode()
# The limits as they are told here, and then the command as ever.
PROGRAM = """
from pathlib import Path
from playcast import app, server
from playcast.http import body, connection, listener
{changes}
from playcast.commands.cli import main
main()
"""


def program(**changes: object) -> list[str]:
    """A server whose limits are others: `module__NAME=value`, where a text is Python."""
    lines = "\n".join(f"{name.replace('__', '.')} = {value}" for name, value in changes.items())
    return [sys.executable, "-c", PROGRAM.format(changes=lines)]


class Client:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.transport: Any = writer.transport

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def status(self) -> int:
        """The status of the next answer, whose body is read too."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)).decode()
        length = re.search(r"Content-Length: (\d+)", head)
        await self.reader.readexactly(int(length[1]) if length else 0)
        return int(head.split()[1])

    async def ended(self) -> bytes:
        """What comes until the server ends the connection."""
        got = b""
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(self.reader.read(65536), 60):
                got += piece
        return got


class Door:
    """A running server, and the bare connections to it."""

    def __init__(self, served: Served, log: Path) -> None:
        self.served = served
        self.file = log
        self.api = Api(served.api.client, TOKEN)
        self.clients: list[Client] = []

    async def connect(self, data: bytes = b"") -> Client:
        host, _, port = self.served.url.removeprefix("http://").partition(":")
        client = Client(*await asyncio.open_connection(host, int(port)))
        self.clients.append(client)
        client.send(data)
        return client

    async def refused(self) -> dict[str, int]:
        """The counters of what was refused, and the number of connections as `open`."""
        async with self.api.client.get("/metrics", headers=self.api.headers) as response:
            text = await response.text()
        found = re.findall(r'^playcast_(?:refused_total{reason="(\w+)"}|connections) (\S+)$', text, re.MULTILINE)
        return {reason or "open": int(float(count)) for reason, count in found}

    async def until(self, fits: Callable[[dict[str, int]], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the counters fit."""
        async with asyncio.timeout(120):
            while not fits(await self.refused()):
                meanwhile()
                await asyncio.sleep(0.05)

    async def until_refused(self, reason: str, count: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until so many were refused for a reason."""
        await self.until(lambda refused: refused[reason] == count, meanwhile)

    def log(self) -> str:
        """What the server has written, but that its launcher is up: that comes at some time or other."""
        lines = self.file.read_text(errors="replace").splitlines(keepends=True)
        return "".join(line for line in lines if "event='jobs start warm'" not in line)


@asynccontextmanager
async def server(
    data_dir: Path, ansible_dir: Path, limits: dict[str, object] | None = None, files: int | None = None
) -> AsyncIterator[Door]:
    """A server with a token, other limits, and perhaps other file descriptors."""
    words = program(**limits or {})
    if files is not None:
        words = ["sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', *words]
    log = data_dir.parent / "log"
    async with serving(data_dir, ansible_dir, program=words, log=log, token=TOKEN, slots="2") as served:
        door = Door(served, log)
        try:
            yield door
        finally:
            for client in door.clients:
                client.transport.abort()
                with suppress(ConnectionError):
                    await client.writer.wait_closed()
