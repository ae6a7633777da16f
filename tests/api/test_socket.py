"""The socket: what is no message, the protocol's own rules, and that nobody who leaves is remembered."""

import asyncio
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from aiohttp.web_protocol import RequestHandler
from structlog.testing import capture_logs

from gql.ids import global_id
from models import JobStatus, ProvisionJob
from runner.bus import Key, LocalBus, Topic
from tests.conftest import StartApp
from tests.support.api import JOB, JSON, LOG, Api
from tests.support.launchers import until
from tests.support.playbooks import SLOW
from tests.support.untouched import assert_untouched

PROTOCOL = "graphql-transport-ws"
INIT = '{"type": "connection_init"}'
UPDATES = "subscription($ids: [ID!]) { jobUpdated(ids: $ids) { number status } }"
VIEWER: JSON = {"query": "{ viewer { name } }"}


def subscribe(id_: object = "1", **payload: Any) -> str:
    return json.dumps({"type": "subscribe", "id": id_, "payload": payload or VIEWER})


async def closing(socket: ClientWebSocketResponse) -> tuple[int | None, str]:
    """Code and reason of the close that the server sends; messages before it are passed over."""
    while True:
        message = await socket.receive(timeout=30)
        if message.type is WSMsgType.CLOSE:
            return message.data, message.extra or ""
        assert message.type is WSMsgType.TEXT, message


async def still_works(api: Api) -> None:
    async with api.socket() as socket:
        await socket.send_str(subscribe("ok"))
        answer = await socket.receive_json(timeout=30)
        assert answer == {"id": "ok", "type": "next", "payload": {"data": {"viewer": {"name": "local"}}}}


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever the client does wrong, the server's log holds no traceback and no error."""
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        yield
    assert [entry for entry in logs if entry["log_level"] in {"error", "critical"}] == []
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno > logging.WARNING
    ] == []


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("nonsense",)])
async def test_only_the_one_protocol_is_spoken(api: Api, quiet: None, protocols: tuple[str, ...]) -> None:
    async with api.client.ws_connect("/graphql", protocols=protocols) as socket:
        assert socket.protocol is None
        assert await closing(socket) == (4406, "Subprotocol not acceptable")
    async with api.client.ws_connect("/graphql", protocols=[*protocols, PROTOCOL]) as socket:
        assert socket.protocol == PROTOCOL


NOT_JSON = "WebSocket message must be valid JSON"
NO_ID = "`id` is text, and not empty"
NO_PAYLOAD = "`payload` is an object or null"
ANY: list[object] = ["x", 0, [], False]
MALFORMED: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("{", NOT_JSON),
    "nothing": ("", NOT_JSON),
    "list": ("[]", "a message is a JSON object"),
    "text": ('"ping"', NOT_JSON),
    "number": ("5", NOT_JSON),
    "null": ("null", NOT_JSON),
    "more than a number can be": ('{"type": "ping", "payload": {"a": 1e999}}', NOT_JSON),
    "NaN": ('{"type": "ping", "payload": NaN}', NOT_JSON),
    "digits": ('{"type": "ping", "payload": ' + "9" * 5000 + "}", NOT_JSON),
    "arrays": ("[" * 60_000, NOT_JSON),
    "objects": ('{"a":' * 12_000, NOT_JSON),
    "no type": ('{"id": "1"}', "a message has a `type`, which is text"),
    "type of a wrong type": ('{"type": ["subscribe"]}', "a message has a `type`, which is text"),
    "unknown type": ('{"type": "start"}', "a client sends no message of the type start"),
    "message of a server": ('{"type": "connection_ack"}', "a client sends no message of the type connection_ack"),
    "result of a client": (
        '{"id": "1", "type": "next", "payload": {"data": null}}',
        "a client sends no message of the type next",
    ),
    "endless type": (json.dumps({"type": "ü" * 5000}), "a client sends no message of the type " + "ü" * 42),
    "half a letter": ('{"type": "\\ud800"}', "a client sends no message of the type \\ud800"),
    "no id": (json.dumps({"type": "subscribe", "payload": VIEWER}), f"subscribe: {NO_ID}"),
    "numeric id": (subscribe(1), f"subscribe: {NO_ID}"),
    "empty id": (subscribe(""), f"subscribe: {NO_ID}"),
    "null id": (subscribe(None), f"subscribe: {NO_ID}"),
    "complete without id": ('{"type": "complete"}', f"complete: {NO_ID}"),
    "complete with an empty id": ('{"type": "complete", "id": ""}', f"complete: {NO_ID}"),
    "no payload": ('{"type": "subscribe", "id": "1"}', "subscribe: `payload` is an object"),
    "payload as text": (
        '{"type": "subscribe", "id": "1", "payload": "{ viewer { name } }"}',
        "subscribe: `payload` is an object",
    ),
    "no query": (subscribe(variables={}), "subscribe: `query` is text"),
    "query of a wrong type": (subscribe(query=["{ viewer { name } }"]), "subscribe: `query` is text"),
    "query of null": (subscribe(query=None), "subscribe: `query` is text"),
    "variables as list": (subscribe(**VIEWER, variables=[1]), "subscribe: `variables` is an object or null"),
    "variables as text": (subscribe(**VIEWER, variables="{}"), "subscribe: `variables` is an object or null"),
    "extensions as list": (subscribe(**VIEWER, extensions=[]), "subscribe: `extensions` is an object or null"),
    "extensions as number": (subscribe(**VIEWER, extensions=0), "subscribe: `extensions` is an object or null"),
    "numeric operation name": (subscribe(**VIEWER, operationName=5), "subscribe: `operationName` is text or null"),
    "binary": (b'{"type": "ping"}', "WebSocket message type must be text"),
    **{
        f"{kind} with {payload!r}": (json.dumps({"type": kind, "payload": payload}), f"{kind}: {NO_PAYLOAD}")
        for kind, payload in itertools.product(("connection_init", "ping", "pong"), ANY)
    },
}


@pytest.mark.parametrize(("message", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_messages(api: Api, quiet: None, data_dir: Path, message: str | bytes, reason: str) -> None:
    async with api.socket() as socket:
        await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
        assert await closing(socket) == (4400, reason)
    await still_works(api)
    await assert_untouched(data_dir)


async def test_a_message_too_large(api: Api, quiet: None) -> None:
    async with api.socket() as socket:
        await socket.send_str(json.dumps({"type": "ping", "payload": {"a": "x" * 64 * 1024}}))
        assert (await closing(socket))[0] == 1009
    await still_works(api)


async def test_order_of_the_protocol(api: Api, quiet: None) -> None:
    async with api.client.ws_connect("/graphql", protocols=[PROTOCOL]) as socket:
        await socket.send_str(subscribe())
        assert await closing(socket) == (4401, "Unauthorized")
    async with api.socket() as socket:
        await socket.send_str(INIT)
        assert await closing(socket) == (4429, "Too many initialisation requests")
    for id_, told in (("7", "7"), ("\ud800", "\\ud800"), ("i" * 500, "i" * 108)):
        async with api.socket() as socket:
            for _ in range(2):
                await socket.send_str(subscribe(id_, query=UPDATES))
            code, reason = await closing(socket)
            assert (code, reason) == (4409, f"Subscriber for {told} already exists"[:123])


async def test_who_never_introduces_itself_is_let_go(
    start_app: StartApp, quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playcast.routes.graphql_socket.INIT_SECONDS", 0.1)
    api = await start_app()
    async with api.client.ws_connect("/graphql", protocols=[PROTOCOL]) as socket:
        assert await closing(socket) == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", "http://localhost:1"])
async def test_pages_of_other_sites_are_refused(api: Api, origin: str) -> None:
    with pytest.raises(WSServerHandshakeError) as refusal:
        await api.client.ws_connect("/graphql", protocols=[PROTOCOL], headers={"Origin": origin})
    assert refusal.value.status == 403
    own = str(api.client.make_url("/")).rstrip("/")
    async with api.client.ws_connect("/graphql", protocols=[PROTOCOL], headers={"Origin": own}) as socket:
        assert socket.protocol == PROTOCOL


async def test_malformed_subscriptions_leave_the_socket_open(api: Api, quiet: None) -> None:
    await ProvisionJob.create(
        recipe="base", revision="r", status="SUCCESS", tags=[], skip_tags=[], timeout_seconds=1, requested_by="x"
    )
    no_id = "is not a valid id: use an `id` that this API gave you, or the bare number"
    no_cursor = "is not a valid log cursor: use a `cursor` that this API gave you, or none to start"
    many = "1001 ids are too many: watch at most 1000, or leave ids out to watch all"
    cases: list[tuple[str, JSON, str]] = [
        (LOG, {"id": "x"}, f'"x" {no_id}'),
        (LOG, {"id": "\ud800"}, f'"\\ud800" {no_id}'),
        (LOG, {"id": "2"}, "there is no job 2"),
        (
            LOG,
            {"id": global_id("Server", 1)},
            f'"{global_id("Server", 1)}" is the id of a "Server", not of a ProvisionJob',
        ),
        (LOG, {"id": "1", "after": "abc"}, f'"abc" {no_cursor}'),
        (LOG, {"id": "1", "after": "-1"}, f'"-1" {no_cursor}'),
        (LOG, {"id": "1", "after": "1"}, "cursor 1 is past the end of the log of job 1, which has 0 bytes"),
        (UPDATES, {"ids": ["1", "x"]}, f'"x" {no_id}'),
        (UPDATES, {"ids": ["1"] * 1001}, many),
    ]
    async with api.socket() as socket:
        for query, variables, message in cases:
            await socket.send_str(subscribe("1", query=query, variables=variables))
            answer = await socket.receive_json(timeout=30)
            errors = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
            told = [(error["message"], error["extensions"]["code"]) for error in errors]
            assert (answer["id"], told) == ("1", [(message, "BAD_USER_INPUT")])
            if answer["type"] == "next":
                assert await socket.receive_json(timeout=30) == {"id": "1", "type": "complete"}
        await socket.send_str(subscribe("2", query=JOB, variables={"id": "1"}))
        assert (await socket.receive_json(timeout=30))["payload"]["data"]["job"]["status"] == "SUCCESS"


@pytest.mark.parametrize("by_id", [True, False])
async def test_states_arrive_from_the_current_to_the_final(
    *,
    buses: list[LocalBus],
    api: Api,
    quiet: None,
    add_recipe: Callable[[str, str], None],
    tmp_path: Path,
    by_id: bool,
) -> None:
    go = tmp_path / "go"
    add_recipe("slow", SLOW.format(go=go))
    job = await api.run("slow", await api.create_server())
    variables = {"ids": [job["id"], "1", job["id"]]} if by_id else {}
    async with api.subscribe(UPDATES, **variables) as updates:
        seen = [(await anext(updates))["jobUpdated"]]
        go.touch()
        while seen[-1]["status"] not in {"SUCCESS", "ERROR"}:
            seen.append((await anext(updates))["jobUpdated"])
    assert {update["number"] for update in seen} == {1}
    # A job that runs is told again as its events come.
    states = list(dict.fromkeys(update["status"] for update in seen))
    assert states in (["PENDING", "RUNNING", "SUCCESS"], ["RUNNING", "SUCCESS"])
    await until(lambda: not buses[0]._listeners, 30)


async def test_a_finished_job_is_told_once_and_only_to_who_asks_for_it(buses: list[LocalBus], api: Api) -> None:
    columns: dict[str, Any] = {"recipe": "base", "revision": "r", "tags": [], "skip_tags": [], "requested_by": "x"}
    columns["timeout_seconds"] = 1
    await ProvisionJob.create(status=JobStatus.SUCCESS, **columns)
    async with api.subscribe(UPDATES, ids=["1", "9"]) as updates:
        assert await anext(updates) == {"jobUpdated": {"number": 1, "status": "SUCCESS"}}
    async with api.subscribe(UPDATES) as updates:
        await until(lambda: (Topic.JOB, None) in buses[0]._listeners, 30)
        await ProvisionJob.create(status=JobStatus.CANCELED, **columns)
        buses[0].publish(Topic.JOB, 2)
        assert await anext(updates) == {"jobUpdated": {"number": 2, "status": "CANCELED"}}


async def test_a_server_that_stops_says_goodbye(api: Api, quiet: None) -> None:
    async with api.socket() as socket:
        await socket.send_str(subscribe(query=UPDATES))
        stopping = asyncio.create_task(api.client.server.close())
        assert await closing(socket) == (1001, "server stops")
        await stopping


async def test_who_vanishes_leaves_nothing_behind(
    buses: list[LocalBus], api: Api, quiet: None, add_recipe: Callable[[str, str], None], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    add_recipe("slow", SLOW.format(go=go))
    job = await api.run("slow", await api.create_server())
    try:
        for gentle in (True, False):
            async with api.subscribe(LOG, id=job["id"]) as chunks:
                text = ""
                while "printed early" not in text:
                    text += (await anext(chunks))["jobLog"]["text"]
                assert readers(buses[0]) == [(Topic.LOG, job["number"])]
                assert len(operations()) == 1
                if not gentle:
                    cut(api)
            await until(lambda: readers(buses[0]) == [] and operations() == [], 30)
    finally:
        go.touch()
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    await until(lambda: (buses[0]._listeners, operations()) == ({}, []), 30)


def readers(bus: LocalBus) -> list[Key]:
    """Whose logs are being read; the worker itself listens to its jobs as long as they run."""
    return [key for key in bus._listeners if key[0] is Topic.LOG]


def operations() -> list[asyncio.Task[Any]]:
    """The tasks of subscriptions that the server still serves."""
    return [task for task in asyncio.all_tasks() if "run_operation" in repr(task.get_coro())]


def cut(api: Api) -> None:
    """End every connection without a goodbye, as a cable does."""
    runner = api.client.server.runner
    assert runner is not None
    assert runner.server is not None
    for handler in runner.server.connections:
        assert isinstance(handler, RequestHandler)
        assert handler.transport is not None
        handler.transport.abort()


async def test_a_peer_that_answers_no_ping_is_let_go(start_app: StartApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playcast.routes.graphql_socket.HEARTBEAT_SECONDS", 0.5)
    api = await start_app()
    async with api.client.ws_connect("/graphql", protocols=[PROTOCOL], autoping=False) as socket:
        await socket.send_str(INIT)
        assert (await socket.receive(timeout=30)).type is WSMsgType.TEXT
        assert (await socket.receive(timeout=30)).type is WSMsgType.PING
        while (await socket.receive(timeout=30)).type is WSMsgType.PING:
            pass
        assert socket.closed


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"Sec-WebSocket-Version": "12"}, 426, "UPGRADE_REQUIRED"),
        ({"Sec-WebSocket-Version": None}, 426, "UPGRADE_REQUIRED"),
        ({"Sec-WebSocket-Key": "short"}, 400, "BAD_REQUEST"),
        ({"Sec-WebSocket-Key": None}, 400, "BAD_REQUEST"),
        ({"Connection": "close"}, 400, "BAD_REQUEST"),
    ],
)
async def test_what_is_no_handshake(api: Api, changed: dict[str, str | None], status: int, code: str) -> None:
    handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": PROTOCOL}  # fmt: skip
    headers = {name: value for name, value in {**handshake, **changed}.items() if value is not None}
    async with api.client.get("/graphql", headers=headers) as response:
        told = (await response.json())["errors"][0]["extensions"]
        assert (response.status, told) == (status, {"code": code})
        if status == 426:
            assert response.headers["Sec-WebSocket-Version"] == "13"
