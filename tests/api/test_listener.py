"""Connections to a real server: how long they may be silent, how many there may be, who goes, and what the log says."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from playcast.http.connection import MAX_AHEAD_BYTES, MAX_HEAD_BYTES
from playcast.http.listener import FILES_PER_JOB, RESERVED_FILES, most_connections
from tests.support.attackers import SECRET, Attack, framed, handshake
from tests.support.door import ASK, BEARER, TOKEN, server
from tests.support.launchers import until

SILENT = {
    "nothing": b"",
    "half a line": b"GET /gra",
    "half a head": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "a head without its end": f"GET / HTTP/1.1\r\nHost: x\r\n{BEARER}\r\n".encode(),
}


async def test_a_head_must_come_in_time(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir, {"listener__HEAD_SECONDS": 1}) as door:
        clients = [await door.connect(sent) for sent in SILENT.values()]
        # One that has been answered before is no better, nor one that sends a little again and again.
        again = await door.connect(ASK)
        assert await again.status() == 200
        again.send(b"GET /")
        dripping = await door.connect(b"GET / HTTP/1.1\r\nX: ")
        await door.until_refused("late", 6, lambda: dripping.send(b"a"))
        assert [await client.ended() for client in (*clients, again, dripping)] == [b""] * 6
        assert (await door.refused())["open"] == 1


async def test_who_asks_nothing_more_is_let_go(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir, {"connection__KEEP_ALIVE_SECONDS": 1}) as door:
        client = await door.connect(ASK * 2)
        assert [await client.status(), await client.status()] == [200, 200]
        assert await client.ended() == b""


async def test_a_socket_and_a_stream_live_longer(data_dir: Path, ansible_dir: Path) -> None:
    limits: dict[str, object] = {
        "listener__HEAD_SECONDS": 0.5,
        "connection__KEEP_ALIVE_SECONDS": 0.5,
        "body__BODY_SECONDS": 0.5,
    }
    params = {"query": "subscription { jobUpdated { number } }"}
    async with server(data_dir, ansible_dir, limits) as door:
        client = door.api.client
        async with (
            door.api.socket() as socket,
            client.get("/graphql/stream", params=params, headers=door.api.headers) as stream,
        ):
            await asyncio.sleep(3)
            await socket.send_json({"type": "ping"})
            assert await socket.receive_json(timeout=30) == {"type": "pong"}
            assert not stream.content.at_eof()


def head_of(size: int) -> bytes:
    """A good head of exactly so many bytes, in lines of at most 8,000."""
    head = ASK.removesuffix(b"\r\n")
    while (left := size - len(head) - 2) > 0:
        line = left if left <= 8000 else min(8000, left - 10)
        head += b"X: " + b"a" * (line - 5) + b"\r\n"
    return head + b"\r\n"


async def test_a_head_has_a_size(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir) as door:
        for size in (1000, 9000, MAX_HEAD_BYTES):
            assert len(head_of(size)) == size
            assert await (await door.connect(head_of(size))).status() == 200
        # It is not even read to its end.
        assert await (await door.connect(head_of(MAX_HEAD_BYTES + 1000)[:-4])).ended() == b""
        for line in (b"X: " + b"a" * 8200 + b"\r\n", b"X: a\r\n" * 130):
            assert await (await door.connect(ASK[:-2] + line + b"\r\n")).status() == 400
        assert (await door.refused())["malformed"] == 3


async def test_who_sends_far_ahead_is_cut(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir) as door:
        path = "/graphql/stream?query=subscription%7BjobUpdated%7Bnumber%7D%7D"
        stream = f"GET {path} HTTP/1.1\r\nHost: x\r\n{BEARER}\r\n\r\n".encode()
        client = await door.connect(stream)
        await client.reader.readuntil(b":\n\n")
        client.send(ASK * 10)
        await door.connect(ASK)
        assert (await door.refused())["malformed"] == 0
        client.send(head_of(8000) * (MAX_AHEAD_BYTES // 8000 + 1))
        await client.ended()
        assert (await door.refused())["malformed"] == 1


MALFORMED = [
    f"GET / HTTP/1.1\r\nAuthorization: Bearer {SECRET}\r\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\n\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nX {SECRET}: 1\r\n\r\n",
    f"GET /{SECRET} HTTP/9.9\r\nHost: x\r\n\r\n",
    f"{SECRET} / HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET http://[::1{SECRET}/ HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: {SECRET}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {SECRET}\r\n\r\n",
    (f"POST /graphql HTTP/1.1\r\nHost: x\r\n{BEARER}\r\nTransfer-Encoding: chunked\r\n"
     f"Content-Type: application/json\r\n\r\n{SECRET}\r\n"),
    f"GET / HTTP/1.1\r\nHost: x\r\nX: {SECRET}\0\r\n\r\n",
    f"\x16\x03\x01{SECRET}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nX: {SECRET * 400}\r\n\r\n",
    f"GET /{SECRET * 400} HTTP/1.1\r\nHost: x\r\n\r\n",
    (f"GET /graphql HTTP/1.1\r\nHost: x\r\n{BEARER}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     f"Sec-WebSocket-Version: {SECRET}\r\nSec-WebSocket-Key: {SECRET}\r\n\r\n"),
    f"GET / HTTP/1.1\r\nHost: {SECRET}:99999999\r\n\r\n",
    f"DELETE /session HTTP/1.1\r\nHost: {SECRET}:99999999\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nExpect: {SECRET}\r\n\r\n",
    f"GET /nowhere?{SECRET} HTTP/1.1\r\nHost: x\r\n{BEARER}\r\nCookie: {SECRET}=\x01\r\n\r\n",
    f"GET /nowhere HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n\r\n",
    f"GET /nowhere HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\n\r\n",
]  # fmt: skip


async def test_nothing_that_a_client_sends_is_logged(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir) as door:
        for sent in MALFORMED:
            client = await door.connect(sent.encode("latin-1"))
            client.writer.write_eof()
            answer = await client.ended()
            # Of what is no request nobody knows which HTTP it is.
            assert answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 4")) or answer == b"", sent
            if answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")):
                assert b'{"error":' in answer or b'{"errors":' in answer, sent
                assert SECRET.encode() not in answer, sent
        assert (await door.refused())["malformed"] >= 10
        assert SECRET not in door.log()
        # The wrong token is told of, once, without the token.
        (line,) = door.log().splitlines()
        assert "a wrong token was shown" in line


async def test_handshakes_are_not_logged(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir) as door:
        for protocols in ((), ("graphql-transport-ws",), (SECRET,), (SECRET, "graphql-transport-ws")):
            for headers in ({}, door.api.headers):
                client = door.api.client
                async with client.ws_connect("/graphql", protocols=protocols, headers=headers) as socket:
                    await socket.send_json({"type": "connection_init", "payload": {"token": TOKEN}})
                    answer = await socket.receive(timeout=30)
                    assert answer.data in (4406, '{"type":"connection_ack"}')
        assert door.log() == ""


async def test_wrong_framing_ends_a_socket_quietly(data_dir: Path, ansible_dir: Path) -> None:
    opened = handshake(Attack("", 0, 0, TOKEN))
    async with server(data_dir, ansible_dir) as door:
        for sent in (b"\xff" * 100, framed({"type": SECRET}), b"\x81\x05hello", b"\x88\x00", b"\x81\xfe\xff\xff" * 99):
            client = await door.connect(opened + sent)
            assert await client.status() == 101
            client.writer.write_eof()
            await client.ended()
        assert door.log() == ""


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_strangers_make_room(data_dir: Path, ansible_dir: Path) -> None:
    """The one that has asked nothing for longest goes first; who has shown the token stays."""
    async with server(data_dir, ansible_dir, {"listener__MOST_STRANGERS": 5}) as door:
        known = await door.connect(ASK)
        assert await known.status() == 200
        strangers = []
        for _ in range(5):
            strangers.append(await door.connect())
            # The server has it before the next one comes.
            await door.until_refused("full", 0)
        # The first one asks, and so becomes the last to go.
        strangers[0].send(HEALTH)
        assert await strangers[0].status() == 200
        late = [await door.connect() for _ in range(4)]
        assert [await client.ended() for client in strangers[1:]] == [b""] * 4
        for client in (strangers[0], *late):
            client.send(HEALTH)
            assert await client.status() == 200
        known.send(ASK)
        assert await known.status() == 200
        assert (await door.refused())["full"] == 4
        (line,) = door.log().splitlines()
        assert "too many connections: some are closed" in line


async def test_a_socket_that_has_not_begun_is_a_stranger(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir, {"listener__MOST_STRANGERS": 3}) as door, door.api.socket() as socket:
        silent = [await door.connect(handshake(Attack("", 0, 0, None))) for _ in range(3)]
        assert [await client.status() for client in silent] == [101] * 3
        for _ in range(3):
            await door.connect()
        assert [await client.ended() for client in silent] == [b""] * 3
        await socket.send_json({"type": "ping"})
        assert await socket.receive_json(timeout=30) == {"type": "pong"}


@pytest.mark.parametrize(
    ("files", "slots", "most"),
    [(1024, 4, 1024 - RESERVED_FILES - 4 * FILES_PER_JOB), (1024, 1000, 512), (256, 1, 128), (65536, 0, 65536 - 160)],
)
def test_descriptors_are_kept_back(files: int, slots: int, most: int) -> None:
    assert most_connections(files, slots) == most
    assert RESERVED_FILES == 160


async def test_when_all_have_shown_the_token_a_further_one_is_refused(data_dir: Path, ansible_dir: Path) -> None:
    """Jobs and the database have descriptors of their own."""
    files = 300
    most = most_connections(files, 2)
    async with server(data_dir, ansible_dir, files=files) as door:
        # Two requests of this test, one after the other, on one connection.
        server_id = await door.api.create_server()
        known = [await door.connect(ASK) for _ in range(most - 1)]
        assert [await client.status() for client in known] == [200] * (most - 1)
        assert await (await door.connect(ASK)).ended() == b""
        job = await door.api.run("base", server_id)
        while (await door.api.job(job["id"]))["status"] in {"PENDING", "RUNNING"}:  # noqa: ASYNC110 (no other connection)
            await asyncio.sleep(0.1)
        assert (await door.api.job(job["id"]))["status"] == "SUCCESS"
        known[10].send(ASK)
        assert await known[10].status() == 200


async def test_without_descriptors_the_server_says_so_once(data_dir: Path, ansible_dir: Path) -> None:
    """Somebody else has taken them, so that the cap does not help."""
    async with server(data_dir, ansible_dir, {"listener__RESERVED_FILES": -1000}, files=60) as door:
        for _ in range(120):
            await door.connect()
        await until(lambda: "connections cannot be accepted" in door.log(), 60)
        for client in door.clients:
            client.transport.abort()
        async with asyncio.timeout(60):
            assert (await door.refused())["no_descriptor"] > 0
        # Others find none either, such as the one that moves the write-ahead log.
        (line,) = [line for line in door.log().splitlines() if "connections" in line]
        assert line.endswith("event='connections cannot be accepted' error='Too many open files'")


async def test_files_of_the_page_make_room_too(data_dir: Path, ansible_dir: Path, tmp_path: Path) -> None:
    """Who takes nothing of a large file holds it open, but only so many at a time."""
    size = 40_000_000
    (tmp_path / "page/assets").mkdir(parents=True)
    (tmp_path / "page/assets/large.js").write_bytes(b"x" * size)
    limits: dict[str, object] = {
        "listener__MOST_FILES": 3,
        "app__built_page": f"lambda: Path({str(tmp_path / 'page')!r})",
    }
    async with server(data_dir, ansible_dir, limits) as door:
        slow = []
        for _ in range(5):
            client = await door.connect()
            client.transport.pause_reading()
            client.send(b"GET /assets/large.js HTTP/1.1\r\nHost: x\r\n\r\n")
            slow.append(client)
            # They come one after the other.
            await door.until_refused("full", max(0, len(slow) - 3))
        for client in slow:
            client.transport.resume_reading()
        assert [len(await client.ended()) < size for client in slow[:2]] == [True, True]
        whole = await door.api.client.get("/assets/large.js")
        assert len(await whole.read()) == size
        assert door.log() == ""


async def test_who_takes_nothing_of_many_answers_is_let_go(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir, {"connection__SEND_SECONDS": 1}) as door:
        client = await door.connect()
        client.transport.pause_reading()
        await door.until_refused("late", 1, lambda: client.send(ASK * 20))


def test_the_private_parts_of_aiohttp_are_there() -> None:
    """`playcast/http/connection.py` counts on one of them, and on methods that are called from outside."""
    assert "_request_count" in web.RequestHandler.__slots__
    for name in ("connection_made", "connection_lost", "data_received", "finish_response", "handle_error", "set_parser",
                 "pause_writing", "resume_writing", "log_exception"):  # fmt: skip
        assert callable(getattr(web.RequestHandler, name))
    assert asyncio.selector_events._SelectorTransport.max_size > 0  # type: ignore[attr-defined]  # private, as said
