"""A proxy that cuts connections without a goodbye, as a bad network does, after so much has gone through."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass
class Cutter:
    """Where clients connect, how often they were cut so far, and how many bytes the server sent them."""

    port: int
    lengths: Iterator[int]
    before_a_cut: Callable[[], Awaitable[None]]
    mark: bytes
    cuts: int = 0
    passed: int = 0


async def _at_once() -> None:
    pass


@asynccontextmanager
async def cutting(
    port: int, lengths: Iterable[int], *, before_a_cut: Callable[[], Awaitable[None]] = _at_once, mark: bytes = b""
) -> AsyncIterator[Cutter]:
    """In front of a port of this machine. A long answer is cut after the next of `lengths` bytes, if there is one.

    Until `before_a_cut` is done, a client has the time to make use of what it got: at a cut it loses the rest. What it
    has got by then ends with `mark`.
    """
    cutter = Cutter(0, iter(lengths), before_a_cut, mark)
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(ConnectionError, asyncio.CancelledError):
            await _between(cutter, port, reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1")
    cutter.port = server.sockets[0].getsockname()[1]
    try:
        yield cutter
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _between(cutter: Cutter, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
    asking = asyncio.ensure_future(_pass(reader, to_server))
    try:
        await _answer(cutter, from_server, writer)
    finally:
        asking.cancel()
        for end in (writer, to_server):
            end.transport.abort()
        await asyncio.gather(asking, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    # The client is done, and so is the server with it.
    writer.write_eof()


async def _answer(cutter: Cutter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Short answers go through whole, and use no length up.
    passed, length = 0, None
    while data := await reader.read(4096):
        passed += len(data)
        cutter.passed += len(data)
        if passed > 100_000 and length is None:
            length = next(cutter.lengths, 10**12)
        if length is not None and passed > length and cutter.mark in data:
            whole = data.index(cutter.mark) + len(cutter.mark)
            writer.write(data[:whole])
            await cutter.before_a_cut()
            writer.write(data[whole:])
            await writer.drain()
            cutter.cuts += 1
            return
        writer.write(data)
        await writer.drain()
    writer.write_eof()
    await asyncio.sleep(0.1)
