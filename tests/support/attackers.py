"""Clients that mean no good, as a program: `python -m tests.support.attackers NAME HOST PORT SECONDS [TOKEN]`.

Each does one thing over and over for so many seconds, and prints how often it did it and how often it was answered with
which status.
"""

import asyncio
import base64
import json
import random
import resource
import sys
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from tests.api.test_keys import pem

SILENT = 1500
"""More connections than there are file descriptors."""
BUSY = 20
Send = Callable[["Attack"], Awaitable[None]]


class Attack:
    """Where it goes, until when, and what came of it."""

    def __init__(self, host: str, port: int, seconds: float, token: str | None) -> None:
        self.host = host
        self.port = port
        self.seconds = seconds
        self.until = 0.0
        self.token = token
        self.told: Counter[str] = Counter()

    def begin(self) -> None:
        """Count the time from here: some need long to prepare."""
        self.until = asyncio.get_running_loop().time() + self.seconds

    @property
    def left(self) -> float:
        return max(0.0, self.until - asyncio.get_running_loop().time())

    def head(self, line: str, *headers: str) -> bytes:
        """A request's head, with the token if there is one."""
        bearer = [f"Authorization: Bearer {self.token}"] if self.token else []
        return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *bearer, *headers, "", ""]).encode()

    def post(self, path: str, body: bytes, *headers: str) -> bytes:
        """A whole request with a JSON body."""
        kind = "Content-Type: application/json"
        return self.head(f"POST {path}", kind, f"Content-Length: {len(body)}", *headers) + body

    async def many(self, count: int, once: Callable[[], Awaitable[None]]) -> None:
        """Do it `count` times beside each other, again and again."""
        self.begin()

        async def again() -> None:
            while self.left:
                with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    await once()
                self.told["done"] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(again())

    async def send(self, data: bytes, *, hold: bool = False, read: bool = True) -> None:
        """One connection: send, and wait for the answer, or hold it open to the end."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(data)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.left if hold else min(self.left, 10)):
                    if not read:
                        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's can
                        await asyncio.sleep(self.left)
                    line = await reader.readline()
                    if line.startswith(b"HTTP/1.1 "):
                        self.told[line[9:12].decode()] += 1
                    while hold and await reader.read(65536):
                        pass
        finally:
            writer.transport.abort()


def gzipped(size: int = 200 * 1024 * 1024) -> bytes:
    """Less than a mebibyte that becomes `size` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(bytes(size)) + packer.flush()


def deflated(size: int = 200 * 1024 * 1024) -> bytes:
    packer = zlib.compressobj(9)
    return packer.compress(bytes(size)) + packer.flush()


def holding(data: Callable[[Attack], bytes], *, read: bool = True) -> Send:
    """Holds SILENT connections after sending this much of a request."""

    async def attack(to: Attack) -> None:
        sent = data(to)
        await to.many(SILENT, lambda: to.send(sent, hold=True, read=read))

    return attack


def repeating(data: Callable[[Attack], bytes]) -> Send:
    """Sends this on BUSY connections at a time, each closed after the answer."""

    async def attack(to: Attack) -> None:
        sent = data(to)
        await to.many(BUSY, lambda: to.send(sent))

    return attack


def handshake(to: Attack) -> bytes:
    key = base64.b64encode(b"0123456789abcdef").decode()
    return to.head("GET /graphql", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                   f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Protocol: graphql-transport-ws")  # fmt: skip


def frame(text: str) -> bytes:
    """A text frame of a client, of up to 65,535 bytes."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + len(data).to_bytes(2, "big")
    # A mask of zeros leaves the bytes as they are.
    return b"\x81" + size + bytes(4) + data


def framed(*messages: object) -> bytes:
    return b"".join(frame(json.dumps(message)) for message in messages)


def guesses(path: str) -> Send:
    """Tries one token after the other, on fifty connections that stay open."""

    async def attack(to: Attack) -> None:
        numbers: Iterator[int] = iter(range(10**9))

        def guess() -> bytes:
            token = f"guess-{next(numbers)}"
            if path == "/session":
                return to.post(path, json.dumps({"token": token}).encode())
            return to.head(f"GET {path}", f"Authorization: Bearer {token}")

        await to.many(50, lambda: to.send(guess()))

    return attack


def chosen_key() -> str:
    """An RSA key of 60,000 bits, whose factors nobody has looked at."""
    chosen = random.Random(1)  # noqa: S311 (no secret)
    return pem(*(chosen.getrandbits(30_000) | 1 | 1 << 29_999 for _ in range(3)))


def query(text: str, path: str = "/graphql", **variables: object) -> Callable[["Attack"], bytes]:
    """One POST, of a document that nobody has sent before."""
    rest = json.dumps(variables)
    return lambda to: to.post(
        path, f'{{"query": {json.dumps(f"{text} #{next(NUMBERS)}")}, "variables": {rest}}}'.encode()
    )


def over_socket(*texts: str) -> Callable[["Attack"], bytes]:
    asked = [{"id": str(n), "type": "subscribe", "payload": {"query": text}} for n, text in enumerate(texts)]
    return lambda to: handshake(to) + framed({"type": "connection_init"}, *asked)


def each_new(data: Callable[["Attack"], bytes], count: int = BUSY, *, read: bool = True) -> Send:
    """Sends on `count` connections at a time something that is made anew each time."""

    async def attack(to: Attack) -> None:
        await to.many(count, lambda: to.send(data(to), read=read))

    return attack


NUMBERS = iter(range(10**9))
JOB = '{ job(id: "1") { %s } }'
EXPANDING = " ".join(
    [
        JOB % "...F0",
        *(
            f"fragment F{n} on ProvisionJob {{ a: retryOf {{ ...F{n + 1} }} b: retryOf {{ ...F{n + 1} }} ...F{n + 1} }}"
            for n in range(60)
        ),
        "fragment F60 on ProvisionJob { id }",
    ]
)
LOGS = JOB % "log(maxBytes: 1048576) { chunks { text } }"
LISTS = (
    "{ servers(first: 18) { nodes { name variables tags jobs(first: 100) { nodes { id number message duration } } } } }"
)
HOSTS = "{ jobs(first: 100) { nodes { number hosts { name ok server { name tags variables } } } } }"
DEEP = "{ servers { nodes { jobs { nodes { servers { jobs { nodes { id } } } } } } } }"
SAME = "{ " + "viewer { name } " * 480 + "}"
FIELDS = "{ " + " ".join(f"x{n}" for n in range(1990)) + " }"
EVENTS = JOB % "events(first: 100) { nodes { ... on HostTaskEvent { result } } }"
TYPES = "{ __schema { types { name fields { name type { name fields { name type { name } } } } } } }"
CREATE = "mutation($input: CreateServerInput!) { createServer(input: $input) { userErrors { message } } }"
# Of who has the token, on a server that has much to tell (tests.support.plenty).
DEAR: dict[str, Send] = {
    "expanding fragments": each_new(query(EXPANDING)),
    "expanding fragments on sockets": each_new(over_socket(*[EXPANDING] * 20)),
    "expanding fragments to a stream": each_new(query(EXPANDING, "/graphql/stream")),
    "the same field": each_new(query(SAME)),
    "unknown fields": each_new(query(FIELDS)),
    "types of types": each_new(query(TYPES)),
    "lists in lists": each_new(query(LISTS)),
    "lists of hosts": each_new(query(HOSTS)),
    "lists in lists in lists": each_new(query(DEEP)),
    "lists in lists on sockets": each_new(over_socket(*[LISTS] * 20)),
    "lists that nobody waits for": each_new(query(LISTS), read=False),
    "events": each_new(query(EVENTS)),
    "unread answers of logs": each_new(lambda to: query(LOGS)(to) * 20, 40, read=False),
    "unread answers on sockets": each_new(over_socket(*[LOGS] * 50), 40, read=False),
    "unread logs": each_new(lambda to: to.head("GET /ansible/jobs/1/log") * 4, 200, read=False),
    "unread subscriptions": each_new(over_socket(*["subscription { jobLog(jobId: 1) { text } }"] * 90), 20, read=False),
    "many ids": each_new(query("subscription($ids: [ID!]) { jobUpdated(ids: $ids) { id } }", ids=[1] * 300_000)),
    "deep JSON": each_new(lambda to: to.post("/graphql", b"[" * 1_000_000)),
    "many values": each_new(query("{ viewer { name } }", a=[[]] * 300_000)),
    "a key of chosen numbers": each_new(query(CREATE, input={
        "name": "x", "host": "h", "user": "u", "credential": {"privateKey": chosen_key()}})),
}  # fmt: skip


OVERSIZED = b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"a" * 9000 + b"\r\n\r\n"
SECRET = "a-secret-that-no-log-may-hold"
INIT = {"type": "connection_init", "payload": {"token": SECRET}}
ATTACKS: dict[str, Send] = {
    "nothing": holding(lambda _: b""),
    "half a line": holding(lambda _: b"GET /graph"),
    "half a head": holding(lambda _: b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 8000 + b"\r\nY: " + b"a" * 8000),
    "half a body": holding(lambda to: to.post("/session", b" " * 4000)[:-2000]),
    "half a body of a query": holding(lambda to: to.post("/graphql", b" " * 100_000)[:-2000]),
    "silent sockets": holding(handshake),
    "unread files": holding(lambda to: to.head("GET /") * 20, read=False),
    "unread answers": holding(lambda to: to.head("GET /healthz") * 500, read=False),
    "gzip": repeating(lambda to: to.post("/graphql", gzipped(), "Content-Encoding: gzip")),
    "deflate elsewhere": repeating(lambda to: to.post("/nowhere", deflated(), "Content-Encoding: deflate")),
    "gzip to a stream": repeating(lambda to: to.post("/graphql/stream", gzipped(), "Content-Encoding: GZIP, identity")),
    "broken tokens": repeating(lambda _: f"GET / HTTP/1.1\r\nAuthorization: Bearer {SECRET}\r\r\n\r\n".encode()),
    "long headers": repeating(lambda _: OVERSIZED),
    "no HTTP": repeating(lambda _: b"\x16\x03\x01" + SECRET.encode() * 200 + b"\r\n\r\n"),
    "wrong messages": repeating(lambda to: handshake(to) + framed(INIT, {"type": SECRET}) * 5),
    "connections": repeating(lambda to: to.head("POST /graphql", "Content-Length: 0")),
    "sign-ins": guesses("/session"),
    "tokens": guesses("/metrics"),
    "queries": repeating(lambda to: to.post("/graphql", b'{"query": "{ viewer { name } }"}')),
    "refused queries": repeating(lambda to: to.post("/graphql", b'{"query": "{ nothing }", "operationName": "x"}')),
    "refused streams": repeating(lambda to: to.post("/graphql/stream", b'{"query": "{ nothing }"}')),
    "pings": repeating(lambda to: handshake(to) + framed(*({"type": "ping"} for _ in range(20_000)))),
    "refused subscriptions": repeating(
        lambda to: (
            handshake(to)
            + framed(
                {"type": "connection_init"},
                *({"type": "subscribe", "id": str(n), "payload": {"query": "{ nothing }"}} for n in range(200)),
            )
        )
    ),
}


ATTACKS |= DEAR


@contextmanager
def with_files(count: int) -> Iterator[None]:
    """So many file descriptors for this program."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
    yield


async def main(name: str, host: str, port: str, seconds: str, token: str | None = None) -> None:
    """Attack, and print what came of it as JSON."""
    attack = Attack(host, int(port), float(seconds), token)
    with suppress(TimeoutError):
        async with asyncio.timeout(float(seconds) + 60):
            await ATTACKS[name](attack)
    sys.stdout.write(json.dumps(attack.told))


if __name__ == "__main__":
    with with_files(4 * SILENT):
        asyncio.run(main(*sys.argv[1:]))
