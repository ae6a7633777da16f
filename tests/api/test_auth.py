"""Who may call: the token on every route and socket, hosts and addresses without one, and what is recorded."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from models import ProvisionJob
from playcast.app import make_app
from playcast.settings import load
from runner.errors import PlaycastError
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.untouched import assert_untouched

TOKEN = "correct-horse"
GUARDED = [
    ("GET", "/metrics"),
    ("POST", "/graphql"),
    ("GET", "/graphql"),
    ("PUT", "/graphql"),
    ("POST", "/ansible/run"),
    ("GET", "/ansible/jobs/1"),
    ("GET", "/ansible/jobs/1/log"),
    ("HEAD", "/ansible/jobs/1/log"),
    ("GET", "/nowhere"),
    ("GET", "/healthz/"),
    ("GET", "/%2e/readyz/../metrics"),
]
WRONG = [
    {},
    {"Authorization": "Bearer wrong-horse"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": TOKEN},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Bearer {TOKEN.upper()}"},
    {"Authorization": "Bearer ü"},
]
VIEWER = {"query": "{ viewer { name role } }"}


@pytest.fixture
async def guarded(start_app: StartApp) -> Api:
    return await start_app(token=TOKEN)


async def answer(api: Api, method: str, path: str, headers: dict[str, str], **given: Any) -> tuple[int, str]:
    async with api.client.request(method, path, headers=headers, **given) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("headers", WRONG, ids=[str(headers.get("Authorization")) for headers in WRONG])
async def test_nothing_without_the_token(guarded: Api, data_dir: Path, headers: dict[str, str]) -> None:
    message = "send the token as `Authorization: Bearer …`"
    for method, path in GUARDED:
        async with guarded.client.request(method, path, headers=headers) as response:
            assert (path, response.status, response.headers.get("WWW-Authenticate")) == (path, 401, "Bearer")
            told: Any = {"error": message, "code": "UNAUTHENTICATED"}
            if path == "/graphql":
                told = {"errors": [{"message": message, "extensions": {"code": "UNAUTHENTICATED"}}]}
            assert (await response.read() == b"") if method == "HEAD" else (await response.json() == told)
    for path, said in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
        assert await answer(guarded, "GET", path, headers) == (200, said)
    await assert_untouched(data_dir)


async def test_bytes_that_are_no_text_are_a_wrong_token(guarded: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", guarded.client.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()) == b"HTTP/1.1 401 Unauthorized\r\n"
    await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_a_request_that_only_looks_like_a_handshake_needs_the_token(guarded: Api, data_dir: Path) -> None:
    handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    query = {"query": "{ recipes { name } system { version } server(id: 1) { name } }"}
    for headers in ({"Upgrade": "websocket"}, handshake, {**handshake, **key}):
        for method in ("POST", "PUT"):
            status, text = await answer(guarded, method, "/graphql", headers, json=query)
            assert (status, "recipes" in text) == (401, False)
    for headers in ({"Upgrade": "websocket"}, handshake):
        assert (await answer(guarded, "GET", "/graphql", {**headers, "Accept": "text/html"}))[0] == 401
    for path in ("/metrics", "/ansible/jobs/1"):
        assert (await answer(guarded, "GET", path, {**handshake, **key}))[0] == 401
    await assert_untouched(data_dir)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_right_token_by_header(guarded: Api, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    said = (200, '{"data":{"viewer":{"name":"token","role":"ADMIN"}}}')
    assert await answer(guarded, "POST", "/graphql", headers, json=VIEWER) == said
    assert (await answer(guarded, "GET", "/ansible/jobs/1", headers))[0] == 404
    assert (await answer(guarded, "GET", "/metrics", headers))[0] == 200
    # With a token any name may lead here, as it does behind a proxy.
    assert await answer(guarded, "POST", "/graphql", {**headers, "Host": "play.example"}, json=VIEWER) == said


async def first_answers(api: Api, payload: object, **headers: str) -> tuple[list[Any], int | None]:
    """The answers to `connection_init` and to one query, and the close code if the socket was closed."""
    async with api.client.ws_connect("/graphql", protocols=["graphql-transport-ws"], headers=headers) as socket:
        await socket.send_json({"type": "connection_init", "payload": payload})
        await socket.send_json({"type": "subscribe", "id": "1", "payload": VIEWER})
        answers = []
        async for message in socket:
            answers.append(message.json())
            if answers[-1]["type"] == "complete":
                break
        return answers, socket.close_code


async def test_the_right_token_by_the_first_message(guarded: Api) -> None:
    said = [
        {"type": "connection_ack"},
        {"id": "1", "type": "next", "payload": {"data": {"viewer": {"name": "token", "role": "ADMIN"}}}},
        {"id": "1", "type": "complete"},
    ]
    assert (await first_answers(guarded, {"token": TOKEN}))[0] == said
    assert (await first_answers(guarded, {}, Authorization=f"Bearer {TOKEN}"))[0] == said


@pytest.mark.parametrize(
    "payload",
    [{}, *({"token": wrong} for wrong in (None, "", "wrong-horse", [TOKEN], "\ud800", "ü")),
     {"Authorization": f"Bearer {TOKEN}"}],
)  # fmt: skip
async def test_a_wrong_token_in_the_first_message(guarded: Api, payload: object) -> None:
    assert await first_answers(guarded, payload) == ([], 4403)


async def test_a_wrong_header_is_not_made_good_by_the_first_message(guarded: Api) -> None:
    with pytest.raises(WSServerHandshakeError) as refusal:
        await first_answers(guarded, {"token": TOKEN}, Authorization="Bearer wrong-horse")
    assert refusal.value.status == 401


async def test_without_a_token_only_this_machine_is_answered(api: Api) -> None:
    message = "this server has no token, so it answers to localhost only"
    refusal = (403, f'{{"error":"{message}","code":"FORBIDDEN"}}')
    graphql = (403, f'{{"errors":[{{"message":"{message}","extensions":{{"code":"FORBIDDEN"}}}}]}}')
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"):
        assert await answer(api, "GET", "/metrics", {"Host": host}) == refusal
        assert await answer(api, "POST", "/graphql", {"Host": host}, json=VIEWER) == graphql
        assert (await answer(api, "GET", "/healthz", {"Host": host}))[0] == 200
        with pytest.raises(WSServerHandshakeError) as socket:
            await first_answers(api, {}, Host=host)
        assert socket.value.status == 403
    said = (200, '{"data":{"viewer":{"name":"local","role":"ADMIN"}}}')
    for host in ("localhost", "localhost:3001", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:3001"):
        assert await answer(api, "POST", "/graphql", {"Host": host}, json=VIEWER) == said


async def test_the_caller_is_recorded(guarded: Api) -> None:
    server = await guarded.create_server()
    job = await guarded.run("base", server, idempotencyKey="k")
    assert job["requestedBy"] == "token"
    assert [row.idempotency_key for row in await ProvisionJob.all()] == ["token:k"]
    await guarded.finished(job["id"])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "play.example", "127.evil.example"])  # noqa: S104 (refused)
def test_an_open_address_needs_a_token(host: str, data_dir: Path) -> None:
    with pytest.raises(PlaycastError) as refusal:
        make_app(load(host=host, data_dir=data_dir))
    assert str(refusal.value) == (
        f"PLAYCAST_TOKEN: {host} can be reached from other machines, so a token is needed; "
        "set PLAYCAST_TOKEN or PLAYCAST_TOKEN_FILE, or listen on 127.0.0.1"
    )
    assert not data_dir.exists()
    make_app(load(host=host, data_dir=data_dir, token=TOKEN))


def test_the_token_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("PLAYCAST_TOKEN_FILE", str(file))
    assert load().token == TOKEN
    monkeypatch.setenv("PLAYCAST_TOKEN", TOKEN)
    with pytest.raises(PlaycastError, match=r"^set PLAYCAST_TOKEN or PLAYCAST_TOKEN_FILE, not both$"):
        load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"short", "PLAYCAST_TOKEN needs at least 8 plain characters"),
        (b"\n", "PLAYCAST_TOKEN_FILE: {file} is empty"),
        ("längliches-wort".encode(), "PLAYCAST_TOKEN needs at least 8 plain characters"),
    ],
)
def test_bad_token_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    monkeypatch.setenv("PLAYCAST_TOKEN_FILE", str(file))
    with pytest.raises(PlaycastError) as refusal:
        load()
    assert str(refusal.value) == message.format(file=file)


def test_missing_and_short_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYCAST_TOKEN", "1234567")
    with pytest.raises(PlaycastError, match=r"^PLAYCAST_TOKEN needs at least 8 plain characters$"):
        load()
    monkeypatch.delenv("PLAYCAST_TOKEN")
    monkeypatch.setenv("PLAYCAST_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(PlaycastError, match=r"^PLAYCAST_TOKEN_FILE: .*/none cannot be read \("):
        load()
