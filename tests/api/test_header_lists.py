"""Headers that are lists, in one line or in several; what is expected and cannot be done; wildcards of types."""

import asyncio
import re
from typing import Any

import pytest

from playcast.http.accept import media_type
from tests.support.api import Api

QUERY = b'{"query": "{ viewer { name } }"}'
JSON = "application/json"
NEWER = "application/graphql-response+json"
HANDSHAKE = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
)  # fmt: skip


async def told(api: Api, line: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """All that is answered to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    head = [f"{line} HTTP/{version}", "Host: localhost", *headers]
    if body:
        head += [f"Content-Type: {JSON}", f"Content-Length: {len(body)}"]
    if "Connection: Upgrade" not in headers:
        head.append("Connection: close")
    writer.write("\r\n".join([*head, "", ""]).encode(errors="surrogateescape") + body)
    if "Connection: Upgrade" in headers:
        got = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    else:
        got = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return got


def status(answer: bytes) -> int:
    return int(answer.split()[1])


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["text/html", JSON], JSON),
        (["text/html", "text/plain", NEWER], NEWER),
        ([f"{JSON};q=0.5", NEWER], NEWER),
        (["text/html", "*/*"], JSON),
        (["text/html", "text/plain"], None),
        ([f"{JSON};q=0", "*/*"], NEWER),
    ],
)
async def test_accept_in_several_lines(api: Api, lines: list[str], kind: str | None) -> None:
    several = await told(api, "POST /graphql", *(f"Accept: {one}" for one in lines), body=QUERY)
    one = await told(api, "POST /graphql", f"Accept: {', '.join(lines)}", body=QUERY)
    assert (status(several), status(one)) == ((406, 406) if kind is None else (200, 200))
    odd = [*(f"Accept: {one}" for one in lines), "X-Odd: \udcff"]
    assert status(await told(api, "POST /graphql", *odd, body=QUERY)) == status(one)
    if kind is None:
        return
    for answer in (several, one):
        found = re.search(rb"Content-Type: ([^;\r]+)", answer)
        assert found is not None
        assert found[1].decode() == kind


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"{JSON};q=0, */*", NEWER),
        (f"*/*, {JSON};q=0", NEWER),
        (f"{JSON};q=0, application/*;q=0.1", NEWER),
        (f"{JSON};q=0, {NEWER};q=0, */*", None),
        ("application/*;q=0, */*", None),
        (f"{JSON};q=0", None),
        ("*/*", JSON),
        (f"{NEWER};q=0, */*", JSON),
    ],
)
def test_a_wildcard_stands_for_what_is_left(accept: str, kind: str | None) -> None:
    assert media_type(accept, JSON, NEWER) == kind


async def test_other_lists_in_several_lines(api: Api) -> None:
    log = f"/ansible/jobs/{await _ended(api)}/log"
    tag = (await told(api, f"GET {log}")).partition(b"ETag: ")[2].partition(b"\r")[0].decode()
    assert status(await told(api, f"GET {log}", 'If-None-Match: "other"', f"If-None-Match: {tag}")) == 304
    assert status(await told(api, f"GET {log}", 'If-Match: "other"', f"If-Match: {tag}")) == 200
    assert status(await told(api, f"GET {log}", 'If-Match: "other"', 'If-Match: "another"')) == 412
    assert b"Content-Encoding: gzip" in await told(api, f"GET {log}", "Accept-Encoding: br", "Accept-Encoding: gzip")
    stream = "/graphql/stream?query=subscription%7BjobLog(jobId:1)%7Bend%7D%7D"
    assert status(await told(api, f"GET {stream}", "Accept: text/html", "Accept: text/event-stream")) == 200
    protocols = ("Sec-WebSocket-Protocol: other", "Sec-WebSocket-Protocol: graphql-transport-ws")
    opened = await told(api, "GET /graphql", *HANDSHAKE, "Sec-WebSocket-Version: 13", *protocols)
    assert (status(opened), b"graphql-transport-ws" in opened) == (101, True)


async def _ended(api: Api) -> Any:
    job = await api.run("base", await api.create_server())
    return (await api.finished(job["id"]))["number"]


@pytest.mark.parametrize("path", ["POST /graphql", "POST /graphql/stream", "POST /ansible/run", "GET /healthz",
                                  "POST /session", "GET /"])  # fmt: skip
@pytest.mark.parametrize("expects", [["x"], ["100-continue", "x"], ["100-continue, x"], ["100-continued"]])
async def test_what_else_is_expected(api: Api, path: str, expects: list[str]) -> None:
    answer = await told(api, path, *(f"Expect: {one}" for one in expects), body=QUERY)
    assert status(answer) == 417
    assert b'"EXPECTATION_FAILED"' in answer
    assert b"100 Continue" not in answer


async def test_100_is_for_who_knows_it(api: Api) -> None:
    for expect in ("100-continue", "100-Continue"):
        answer = await told(api, "POST /graphql", f"Expect: {expect}", body=QUERY)
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
        older = await told(api, "POST /graphql", f"Expect: {expect}", body=QUERY, version="1.0")
        assert (status(older), b"100 Continue" in older) == (200, False)


@pytest.mark.parametrize("version", ["8", "7", "12", "14", "013", "13, 8"])
async def test_other_versions_of_websocket(api: Api, version: str) -> None:
    answer = await told(api, "GET /graphql", *HANDSHAKE, f"Sec-WebSocket-Version: {version}")
    assert (status(answer), b"Sec-WebSocket-Version: 13\r\n" in answer) == (426, True)


@pytest.mark.parametrize("name", ["variables", "extensions"])
async def test_what_a_query_string_holds(api: Api, name: str) -> None:
    path = f"/graphql/stream?query=subscription%7BjobLog(jobId:1)%7Bend%7D%7D&{name}="
    for value in ("null", "%7B%7D", "", "%20null%20"):
        assert status(await told(api, f"GET {path}{value}")) == 200
    for value in ("5", "%22x%22", "true", "%5B%5D", "1.5"):
        answer = await told(api, f"GET {path}{value}")
        assert (status(answer), f"{name}: send an object, or leave it out".encode() in answer) == (400, True)
    for value in ("%7B", "NaN", "nul"):
        answer = await told(api, f"GET {path}{value}")
        assert (status(answer), f"{name}: this is not JSON".encode() in answer) == (400, True)
