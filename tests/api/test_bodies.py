"""Bodies: none that would have to be decoded, none that comes for ever, and not too many at once."""

import asyncio
import gzip
import itertools
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from playcast.http import body as bodies
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.door import server

TOKEN = "correct-horse"
QUERY = b'{"query": "{ viewer { name } }"}'
PATHS = ["/graphql", "/graphql/stream", "/ansible/run", "/session", "/nowhere", "/healthz", "/", "/assets/x.js"]
CODINGS = {
    "gzip": gzip.compress(QUERY),
    "GZip": gzip.compress(QUERY),
    "x-gzip": gzip.compress(QUERY),
    "deflate": zlib.compress(QUERY),
    "br": b"\x0b\x10\x80" + QUERY + b"\x03",
    "zstd": QUERY,
    "gzip, identity": gzip.compress(QUERY),
    "identity,gzip": gzip.compress(QUERY),
    "compress": QUERY,
    "nonsense": QUERY,
}


async def test_encoded_bodies_are_refused_before_anything_else(data_dir: Path, ansible_dir: Path) -> None:
    """Also who has no token, or a wrong one, is told so; and nothing of it waits for anything."""
    async with server(data_dir, ansible_dir) as door:
        count = 0
        for (coding, data), token in itertools.product(CODINGS.items(), (None, TOKEN, "wrong-horse")):
            headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            for path, method in itertools.product(PATHS, ("POST", "PUT", "GET")):
                count += 1
                async with door.api.client.request(method, path, data=data, headers=headers) as response:
                    told = await response.json()
                assert (path, coding, response.status) == (path, coding, 415)
                assert (response.headers["Accept-Encoding"], response.headers["Connection"]) == ("identity", "close")
                error = told["errors"][0] if "errors" in told else told
                assert (error.get("message") or error["error"]) == "send the body as it is, without Content-Encoding"
        refused = await door.refused()
        assert (refused["encoded"], refused["wrong_token"]) == (count, 0)
        assert door.log() == ""


@pytest.mark.parametrize("coding", ["identity", "IDENTITY", "identity, identity", ""])
async def test_identity_is_taken(api: Api, coding: str) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    async with api.client.post("/graphql", data=QUERY, headers=headers) as response:
        assert await response.json() == {"data": {"viewer": {"name": "local"}}}


async def half(
    api: Api, path: str, sent: bytes, *headers: str, kind: str = "application/json"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request that has announced a body of 100,000 bytes and sent some of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + sent)
    return reader, writer


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Everything up to the end of the connection."""
    got = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return got


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream", "/ansible/run"])
async def test_a_body_must_come_in_time(api: Api, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.5)
    reader, writer = await half(api, path, b"{", "Content-Length: 100000")
    got = await answer(reader, writer)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"REQUEST_TIMEOUT"' in got


async def test_of_too_many_bytes_the_oldest_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_INCOMING_BYTES", 250_000)
    slow = []
    for _ in range(3):
        slow.append(await half(api, "/graphql", b" " * 90_000, "Content-Length: 100000"))
        # Each is there before the next one comes.
        assert (await api.ask("{ viewer { name } }"))["viewer"] == {"name": "local"}
    got = await answer(*slow[0])
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"too many came at once" in got
    for reader, writer in slow[1:]:
        writer.write(QUERY.rjust(10_000))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        assert head.startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_one_whose_time_is_over_just_then_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_INCOMING_BYTES", 10)
    every = bodies.Bodies()
    ready, there = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        async with asyncio.timeout(60) as limit:
            with every._reading(limit) as body:
                every._add(body, b"x" * 9)
                await ready.wait()
                # It is over in this round of the event loop, and it hears so in the next one.
                asyncio.get_running_loop().call_soon(there.set)
                limit.reschedule(0)
                await asyncio.sleep(60)

    async def other() -> int:
        async with asyncio.timeout(60) as limit:
            with every._reading(limit) as body:
                ready.set()
                await there.wait()
                every._add(body, b"y" * 5)
                # The next one finds it gone, with all its bytes.
                every._add(body, b"y" * 5)
                return len(body)

    # The late one is the older of them.
    first, second = await asyncio.gather(late(), other(), return_exceptions=True)
    assert (type(first), second) == (TimeoutError, 10)
    assert (every._bytes, every._coming) == (0, {})


async def test_who_is_refused_is_not_asked_for_a_body(start_app: StartApp) -> None:
    api = await start_app(token=TOKEN)
    expects = ("Content-Length: 100000", "Expect: 100-continue", "Connection: close")
    bearer = f"Authorization: Bearer {TOKEN}"
    for more, kind, status in (
        ((), "application/json", b"401"),
        (("Content-Encoding: gzip",), "application/json", b"415"),
        ((bearer,), "text/plain", b"415"),
        ((bearer,), "application/json", b"100"),
    ):
        reader, writer = await half(api, "/graphql", b"", *expects, *more, kind=kind)
        line = await asyncio.wait_for(reader.readline(), 60)
        assert line.split()[1] == status
        if status == b"100":
            writer.write(QUERY.rjust(100_000))
            assert b'{"data":{"viewer":{"name":"token"}}}' in await answer(reader, writer)
        writer.close()


async def test_a_refused_body_is_not_taken_in_for_ever(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir) as door:
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = await door.connect(head.encode())
        assert await client.status() == 401

        async def send() -> None:
            with suppress(ConnectionError):
                while True:
                    client.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
                    await client.writer.drain()
                    await asyncio.sleep(0.01)

        sending = asyncio.create_task(send())
        await client.ended()
        sending.cancel()
