"""Answers that nobody reads: what waits for all such clients together is bounded, and nothing is kept for the idle."""

import json
from pathlib import Path

import psutil

from models import LogChunk, ProvisionJob
from playcast.storage.database import migrate, opened
from tests.support.attackers import Attack, framed, handshake
from tests.support.door import BEARER, TOKEN, Client, Door, server

MEBIBYTE = 1024 * 1024
LIMIT = MEBIBYTE
QUERY = '{ job(id: "1") { log(maxBytes: 1048576) { chunks { text } } } }'


async def long_log(data_dir: Path) -> None:
    """Job 1, which is over, with a log of which each byte takes six in JSON."""
    url = f"sqlite://{data_dir}/playcast.sqlite3"
    data_dir.mkdir(parents=True)
    await migrate(url)
    async with opened(url):
        job = await ProvisionJob.create(
            recipe="base", revision="r", status="SUCCESS", tags=[], skip_tags=[], timeout_seconds=1, requested_by="x",
            log_size=MEBIBYTE,
        )  # fmt: skip
        for start in range(0, MEBIBYTE, 65536):
            await LogChunk.create(job=job, start=start, first_line=1, data=b"\x1b" * 65536, emitted_at=job.created_at)


def post(query: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    head = ["POST /graphql HTTP/1.1", "Host: x", BEARER, "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def unread(door: Door) -> Client:
    """A client that asks for six mebibytes again and again, and reads none of them."""
    client = await door.connect()
    client.transport.pause_reading()
    # The system itself takes one answer or two.
    client.send(post(QUERY) * 8)
    return client


async def test_of_many_unread_answers_the_oldest_are_cut(data_dir: Path, ansible_dir: Path) -> None:
    await long_log(data_dir)
    async with server(data_dir, ansible_dir, {"listener__MOST_UNSENT_BYTES": LIMIT}) as door:
        first = await unread(door)
        # What the system does not take is more than all may be, so it goes.
        await door.until_refused("unread", 1)
        first.transport.resume_reading()
        assert len(await first.ended()) < 8 * 6 * MEBIBYTE
        reader = await door.connect(post(QUERY.replace("1048576", "65536")))
        assert await reader.status() == 200


async def test_sockets_that_read_nothing_count_too(data_dir: Path, ansible_dir: Path) -> None:
    await long_log(data_dir)
    async with server(data_dir, ansible_dir, {"listener__MOST_UNSENT_BYTES": LIMIT}) as door:
        host, _, port = door.served.url.removeprefix("http://").partition(":")
        client = await door.connect()
        client.transport.pause_reading()
        asked = ({"id": f"{number}", "type": "subscribe", "payload": {"query": QUERY}} for number in range(20))
        client.send(handshake(Attack(host, int(port), 0, TOKEN)) + framed({"type": "connection_init"}, *asked))
        await door.until_refused("unread", 1)
        assert (await door.api.ask("{ viewer { name } }"))["viewer"] == {"name": "token"}


async def test_nothing_is_kept_for_who_has_read_it(data_dir: Path, ansible_dir: Path) -> None:
    await long_log(data_dir)
    async with server(data_dir, ansible_dir) as door:
        process = psutil.Process(door.served.process.pid)
        clients = [await door.connect() for _ in range(30)]
        grown = []
        for client in clients:
            client.send(post(QUERY))
            assert await client.status() == 200
            grown.append(process.memory_info().rss)
        # Each of these answers was six mebibytes, and all connections are still open.
        assert max(grown) - grown[4] < 40 * MEBIBYTE
        assert (await door.refused())["open"] >= len(clients)


async def test_nothing_is_kept_of_a_socket_whose_client_has_left(data_dir: Path, ansible_dir: Path) -> None:
    """Neither it nor the pings that it had not answered: it stands in no circle that only the collector would find."""
    async with server(data_dir, ansible_dir, {"server__COLLECT_AFTER": (0, 0, 0)}) as door:
        process = psutil.Process(door.served.process.pid)
        pings = handshake(Attack("", 0, 0, TOKEN)) + framed(*({"type": "ping"} for _ in range(20_000)))
        grown = []
        for _ in range(120):
            client = await door.connect(pings)
            assert await client.status() == 101
            client.transport.abort()
            await door.until(lambda refused: refused["open"] == 1)
            grown.append(process.memory_info().rss)
        assert grown[-1] - grown[20] < 5 * MEBIBYTE
