"""graphql-transport-ws, statement by statement of PROTOCOL.md of the npm package graphql-ws.

That package has tests of its own server alone, so each statement has one here. What a message may look like is asked of
the package itself.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType

from models import JobStatus, ProvisionJob
from playcast.routes.socket_protocol import MAX_AT_ONCE, MAX_QUERIES, MAX_SUBSCRIPTIONS, fault_of
from runner.bus import LocalBus, Topic
from tests.conftest import StartApp
from tests.support.api import JSON, Api
from tests.support.launchers import until
from tests.support.nodejs import run
from tests.support.protocols import Statements

PROTOCOL = "graphql-transport-ws"
TOKEN = "correct-horse"
VIEWER: JSON = {"query": "{ viewer { name } }"}
SAID = {"data": {"viewer": {"name": "local"}}}
UPDATES: JSON = {"query": "subscription { jobUpdated { number } }"}
Check = Callable[["World"], Awaitable[None]]


class World:
    """An app, its bus, and everything that its sockets have sent."""

    def __init__(self, api: Api, bus: LocalBus) -> None:
        self.api = api
        self.bus = bus
        self.sent: list[JSON] = []
        self.jobs = 0

    @asynccontextmanager
    async def raw(self, *protocols: str) -> AsyncIterator["Talk"]:
        async with self.api.client.ws_connect("/graphql", protocols=protocols or (PROTOCOL,)) as socket:
            yield Talk(self, socket)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Talk"]:
        async with self.raw() as talk:
            await talk.send(type="connection_init")
            assert await talk.next() == {"type": "connection_ack"}
            yield talk

    async def publish(self, watchers: int = 1) -> int:
        """Let every `jobUpdated` send one result, as soon as so many watch."""
        key = (Topic.JOB, None)
        # Each listens for states and events together, and for states alone.
        await until(lambda: len(self.bus._listeners.get(key, ())) == 2 * watchers, 30)
        self.jobs += 1
        await ProvisionJob.create(
            recipe="base", revision="r", status=JobStatus.CANCELED, tags=[], skip_tags=[], timeout_seconds=1,
            requested_by="x",
        )  # fmt: skip
        self.bus.publish(Topic.JOB, self.jobs)
        return self.jobs

    async def nobody_watches(self) -> None:
        await until(lambda: (Topic.JOB, None) not in self.bus._listeners, 30)


class Talk:
    """One socket."""

    def __init__(self, world: World, socket: ClientWebSocketResponse) -> None:
        self.world = world
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def subscribe(self, name: str, payload: JSON) -> None:
        await self.send(type="subscribe", id=name, payload=payload)

    async def next(self) -> JSON:
        answer: JSON = await self.socket.receive_json(timeout=30)
        self.world.sent.append(answer)
        return answer

    async def closed(self) -> tuple[int, str]:
        message = await self.socket.receive(timeout=30)
        assert message.type is WSMsgType.CLOSE, message
        return message.data, message.extra or ""

    async def alive(self) -> None:
        """Nothing else was sent, and a query is answered."""
        await self.subscribe("alive", VIEWER)
        assert await self.next() == {"id": "alive", "type": "next", "payload": SAID}
        assert await self.next() == {"id": "alive", "type": "complete"}


# They are numbered in the order of PROTOCOL.md.
STATEMENTS: Statements[Check] = Statements()
states = STATEMENTS.states


@states("the sub-protocol is graphql-transport-ws")
async def _subprotocol(world: World) -> None:
    async with world.raw("other", PROTOCOL) as talk:
        assert talk.socket.protocol == PROTOCOL
    async with world.raw("other") as talk:
        assert (talk.socket.protocol, await talk.closed()) == (None, (4406, "Subprotocol not acceptable"))


@states("messages are JSON, as text")
async def _json(world: World) -> None:
    for message in ("{", "", "nonsense"):
        async with world.open() as talk:
            await talk.socket.send_str(message)
            assert (await talk.closed())[0] == 4400
    async with world.open() as talk:
        await talk.socket.send_bytes(b'{"type": "ping"}')
        assert (await talk.closed())[0] == 4400


@states("all messages contain the type field")
async def _type(world: World) -> None:
    for message in ({}, {"id": "1"}, {"type": None}, {"type": 1}):
        async with world.open() as talk:
            await talk.send(**message)
            assert (await talk.closed())[0] == 4400


@states("messages of an operation contain its id")
async def _ids(world: World) -> None:
    async with world.open() as talk:
        for name in ("1", "ü", "x" * 1000, "connection_init"):
            await talk.subscribe(name, VIEWER)
            assert [(await talk.next())["id"], (await talk.next())["id"]] == [name, name]


@states("several operations can be active, and their messages interleaved")
async def _interleaved(world: World) -> None:
    async with world.open() as talk:
        await talk.subscribe("a", UPDATES)
        await talk.subscribe("b", UPDATES)
        for _ in range(3):
            number = await world.publish(2)
            got = [await talk.next(), await talk.next()]
            assert sorted(answer["id"] for answer in got) == ["a", "b"]
            assert {answer["payload"]["data"]["jobUpdated"]["number"] for answer in got} == {number}


@states("the server can close at any time, and says why")
async def _goodbye(world: World) -> None:
    async with world.open() as talk:
        await talk.subscribe("a", UPDATES)
        await world.publish()
        await talk.next()
        stopping = asyncio.create_task(world.api.client.server.close())
        assert await talk.closed() == (1001, "server stops")
        await stopping


@states("the client closes with 1000")
async def _normal(world: World) -> None:
    async with world.open() as talk:
        await talk.subscribe("a", UPDATES)
        await world.publish()
        await talk.next()
        await talk.socket.close(code=WSCloseCode.OK)
        assert talk.socket.close_code == 1000
    await world.nobody_watches()


@states("connection_init comes within a time, else 4408")
async def _late(world: World) -> None:
    async with world.raw() as talk:
        await talk.send(type="ping")
        assert await talk.next() == {"type": "pong"}
        assert await talk.closed() == (4408, "Connection initialisation timeout")


@states("a second connection_init is refused with 4429")
async def _second(world: World) -> None:
    async with world.open() as talk:
        await talk.send(type="connection_init")
        assert await talk.closed() == (4429, "Too many initialisation requests")
    async with world.raw() as talk:
        for _ in range(2):
            await talk.send(type="connection_init")
        assert await talk.next() == {"type": "connection_ack"}
        assert await talk.closed() == (4429, "Too many initialisation requests")


@states("the payload of connection_init is an object, null or missing")
async def _init(world: World) -> None:
    cases: list[JSON] = [{}, {"payload": None}, {"payload": {}}, {"payload": {"any": ["thing"]}}]
    for given in cases:
        async with world.raw() as talk:
            await talk.send(type="connection_init", **given)
            assert await talk.next() == {"type": "connection_ack"}
            await talk.alive()


@states("connection_ack answers connection_init")
async def _ack(world: World) -> None:
    async with world.raw() as talk:
        await talk.send(type="connection_init")
        assert await talk.next() == {"type": "connection_ack"}


@states("a pong is sent for a ping, at any time")
async def _ping(world: World) -> None:
    async with world.raw() as talk:
        await talk.send(type="ping")
        assert await talk.next() == {"type": "pong"}
        await talk.send(type="connection_init")
        assert await talk.next() == {"type": "connection_ack"}
        await talk.subscribe("a", UPDATES)
        await talk.send(type="ping")
        assert await talk.next() == {"type": "pong"}


@states("the payload of a ping is an object, null or missing, and comes back")
async def _ping_payload(world: World) -> None:
    async with world.open() as talk:
        await talk.send(type="ping", payload=None)
        assert await talk.next() == {"type": "pong"}
        for payload in ({}, {"a": [1, None]}):
            await talk.send(type="ping", payload=payload)
            assert await talk.next() == {"type": "pong", "payload": payload}


@states("a pong may come unasked, at any time")
async def _pong(world: World) -> None:
    async with world.raw() as talk:
        for given in ({}, {"payload": None}, {"payload": {"a": 1}}):
            await talk.send(type="pong", **given)
        await talk.send(type="connection_init")
        assert await talk.next() == {"type": "connection_ack"}
        await talk.send(type="pong")
        await talk.alive()


@states("an id in use is refused with 4409, whatever the kind of its operation")
async def _duplicate(world: World) -> None:
    for payload in (UPDATES, VIEWER, {"query": "{"}):
        async with world.open() as talk:
            await talk.subscribe("a", UPDATES)
            await talk.subscribe("a", payload)
            assert await talk.closed() == (4409, "Subscriber for a already exists")
        await world.nobody_watches()


@states("an id can be used again when its operation is complete")
async def _again(world: World) -> None:
    async with world.open() as talk:
        for payload, kind in ((VIEWER, "complete"), ({"query": "{"}, "error"), (VIEWER, "complete")):
            await talk.subscribe("a", payload)
            while (await talk.next())["type"] != kind:
                pass
        for _ in range(2):
            await talk.subscribe("a", UPDATES)
            await world.publish()
            assert (await talk.next())["type"] == "next"
            await talk.send(type="complete", id="a")
            await world.nobody_watches()


@states("a payload has query, and may have operationName, variables and extensions, each of which may be null")
async def _payload(world: World) -> None:
    async with world.open() as talk:
        named = {"query": "query A { viewer { name } } query B { viewer { role } }"}
        cases: list[JSON] = [{name: None} for name in ("operationName", "variables", "extensions")]
        for more in (*cases, {"variables": {"unused": 1}}, {"extensions": {"any": "thing"}}):
            await talk.subscribe("a", {**VIEWER, **more})
            assert (await talk.next())["payload"] == SAID
            assert await talk.next() == {"id": "a", "type": "complete"}
        await talk.subscribe("a", {**named, "operationName": "A"})
        assert (await talk.next())["payload"] == SAID


@states("subscribe before connection_ack is refused with 4401")
async def _unauthorized(world: World) -> None:
    async with world.raw() as talk:
        await talk.subscribe("a", VIEWER)
        assert await talk.closed() == (4401, "Unauthorized")


@states("next carries a result, and complete follows the last one")
async def _next(world: World) -> None:
    async with world.open() as talk:
        await talk.subscribe("a", VIEWER)
        assert await talk.next() == {"id": "a", "type": "next", "payload": SAID}
        assert await talk.next() == {"id": "a", "type": "complete"}
        await talk.subscribe("b", {"query": '{ job(id: "x") { id } viewer { name } }'})
        answer = await talk.next()
        assert (answer["type"], answer["payload"]["data"]) == ("next", {"job": None, **SAID["data"]})
        assert [error["path"] for error in answer["payload"]["errors"]] == [["job"]]
        assert await talk.next() == {"id": "b", "type": "complete"}


@states("error carries the errors before the execution, and ends the operation without complete")
async def _error(world: World) -> None:
    async with world.open() as talk:
        for query, variables in (
            ("{", {}),
            ("{ nothing }", {}),
            ("fragment F on Query { viewer { name } }", {}),
            ("query($id: ID!) { job(id: $id) { id } }", {}),
            ("subscription($ids: [ID!]) { jobUpdated(ids: $ids) { number } }", {"ids": 5.5}),
            ("subscription { nothing }", {}),
        ):
            await talk.subscribe("a", {"query": query, "variables": variables})
            answer = await talk.next()
            assert (answer["id"], answer["type"]) == ("a", "error")
            assert [sorted(error) for error in answer["payload"] if "message" not in error] == []
            await talk.alive()


@states("after a client's complete nothing more comes")
async def _complete(world: World) -> None:
    async with world.open() as talk:
        await talk.subscribe("a", UPDATES)
        await talk.subscribe("b", UPDATES)
        await world.publish(2)
        assert sorted([(await talk.next())["id"], (await talk.next())["id"]]) == ["a", "b"]
        await talk.send(type="complete", id="a")
        await world.publish(1)
        assert (await talk.next())["id"] == "b"
        await talk.alive()


@states("after a client's complete the result of a query does not come either")
async def _complete_early(world: World) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> None:
        began.set()
        await go.wait()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gql.queries.find_job", slow)
        async with world.open() as talk:
            await talk.subscribe("a", {"query": "{ job(id: 1) { id } }"})
            await asyncio.wait_for(began.wait(), 30)
            await talk.send(type="complete", id="a")
            await talk.alive()
            go.set()
            await talk.alive()


@states("complete of an operation that is unknown or complete is ignored")
async def _complete_late(world: World) -> None:
    async with world.raw() as talk:
        await talk.send(type="complete", id="before")
        await talk.send(type="connection_init")
        assert await talk.next() == {"type": "connection_ack"}
        await talk.send(type="complete", id="never")
        for payload, count in ((VIEWER, 2), ({"query": "{"}, 1)):
            await talk.subscribe("a", payload)
            for _ in range(count):
                await talk.next()
            for _ in range(3):
                await talk.send(type="complete", id="a")
        await talk.alive()


@states("a message of another type or format is refused with 4400 and a reason")
async def _invalid(world: World) -> None:
    cases: list[JSON] = [{"type": "start"}, {"type": "next", "id": "a", "payload": {}}, {"type": "connection_ack"}]
    for message in cases:
        for opened in (world.open, world.raw):
            async with opened() as talk:
                await talk.send(**message)
                code, reason = await talk.closed()
                assert (code, message["type"] in reason) == (4400, True)


@states("queries and mutations send at most one next")
async def _single(world: World) -> None:
    async with world.open() as talk:
        for query in (VIEWER["query"], "mutation { cancelJob(input: {jobId: 1}) { job { id } } }"):
            await talk.subscribe("a", {"query": query})
            assert [(await talk.next())["type"], (await talk.next())["type"]] == ["next", "complete"]
        await talk.alive()


@states("an abrupt end of the socket ends its operations")
async def _abrupt(world: World) -> None:
    async with world.open() as talk:
        for name in "abc":
            await talk.subscribe(name, UPDATES)
        await world.publish(3)
        for _ in "abc":
            await talk.next()
        transport: Any = talk.socket._response.connection.transport  # type: ignore[union-attr]  # it is open
        transport.abort()
    await world.nobody_watches()


def test_the_statements_are_all_there() -> None:
    assert len(STATEMENTS) == 26


@pytest.mark.parametrize(
    "number", range(1, len(STATEMENTS) + 1), ids=[f"{at} {said}" for at, (said, _) in enumerate(STATEMENTS, 1)]
)
async def test_protocol(
    start_app: StartApp, buses: list[LocalBus], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr("playcast.routes.graphql_socket.INIT_SECONDS", 1 if "4408" in STATEMENTS[number - 1][0] else 60)
    api = await start_app()
    world = World(api, buses[0])
    await STATEMENTS[number - 1][1](world)
    verdicts = json.loads(await run("messages.mjs", given=json.dumps(world.sent).encode()))
    assert verdicts == [True] * len(world.sent)


async def test_a_connection_that_is_refused_is_closed_with_4403(start_app: StartApp) -> None:
    api = await start_app(token=TOKEN)
    for payload in (None, {}, {"token": "wrong-horse"}, {"token": None}, {"Authorization": f"Bearer {TOKEN}"}):
        async with api.client.ws_connect("/graphql", protocols=[PROTOCOL]) as socket:
            await socket.send_json({"type": "connection_init", "payload": payload})
            message = await socket.receive(timeout=30)
            assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4403, "Forbidden")


ANY: list[Any] = [None, True, 0, 1.5, "", "x", [], ["x"], {}, {"a": 1}]


def messages() -> list[Any]:
    """Messages of every type that a client may send, with every kind of value in each place."""
    made: list[Any] = [*ANY, *({"type": kind} for kind in ANY)]
    for kind in ("connection_init", "ping", "pong", "complete", "subscribe"):
        made += [{"type": kind}, *({"type": kind, "payload": value} for value in ANY)]
        made += [{"type": kind, "id": value} for value in ANY]
        made += [{"type": kind, "id": "1", "payload": value} for value in ANY]
    for name, value in itertools.product(("query", "variables", "operationName", "extensions", "other"), ANY):
        made.append({"type": "subscribe", "id": "1", "payload": {**VIEWER, name: value}})
    return made


async def test_the_package_and_this_server_take_the_same_messages() -> None:
    made = messages()
    verdicts = json.loads(await run("messages.mjs", given=json.dumps(made).encode()))
    others = [
        message for message, valid in zip(made, verdicts, strict=True) if valid is not (fault_of(message) is None)
    ]
    assert others == []
    assert (len(made), sum(verdicts)) == (225, 83)


async def test_only_subscriptions_count_as_such(api: Api, buses: list[LocalBus]) -> None:
    """300 queries at once are answered beside as many subscriptions as a socket may have."""
    async with api.socket() as socket:
        for number in range(MAX_SUBSCRIPTIONS):
            await socket.send_json({"type": "subscribe", "id": f"s{number}", "payload": UPDATES})
        for number in range(300):
            await socket.send_json({"type": "subscribe", "id": f"q{number}", "payload": VIEWER})
        answers = [await socket.receive_json(timeout=60) for _ in range(600)]
        assert sorted(answer["type"] for answer in answers) == ["complete"] * 300 + ["next"] * 300
        await socket.send_json({"type": "subscribe", "id": "more", "payload": UPDATES})
        answer = await socket.receive_json(timeout=30)
        assert answer == {
            "id": "more",
            "type": "error",
            "payload": [
                {
                    "message": "this socket has 100 subscriptions: complete one, or open another socket",
                    "extensions": {"code": "TOO_MANY_OPERATIONS"},
                }
            ],
        }
        # One that is complete makes room for another.
        await socket.send_json({"type": "complete", "id": "s7"})
        await socket.send_json({"type": "subscribe", "id": "more", "payload": UPDATES})
        await socket.send_json({"type": "ping"})
        assert await socket.receive_json(timeout=30) == {"type": "pong"}


async def test_queries_in_flight_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    go = asyncio.Event()

    async def slow(*_: object) -> None:
        await go.wait()

    monkeypatch.setattr("gql.queries.find_job", slow)
    async with api.socket() as socket:
        for number in range(MAX_QUERIES + 1):
            payload = {"query": "{ job(id: 1) { id } }"}
            await socket.send_json({"type": "subscribe", "id": str(number), "payload": payload})
        answer = await socket.receive_json(timeout=60)
        assert (answer["id"], answer["type"], answer["payload"]) == (
            str(MAX_QUERIES),
            "error",
            [
                {
                    "message": f"{MAX_QUERIES} queries of this socket are not answered yet: wait for some of them",
                    "extensions": {"code": "TOO_MANY_OPERATIONS"},
                }
            ],
        )
        await socket.send_json({"type": "subscribe", "id": "s", "payload": UPDATES})
        go.set()
        answers = [await socket.receive_json(timeout=60) for _ in range(2 * MAX_QUERIES)]
        assert {answer["payload"]["data"]["job"] for answer in answers if answer["type"] == "next"} == {None}


async def test_of_many_queries_some_are_executed_at_a_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    go, running = asyncio.Event(), 0

    async def slow(*_: object) -> None:
        nonlocal running
        running += 1
        await go.wait()

    monkeypatch.setattr("gql.queries.find_job", slow)
    async with api.socket() as socket:
        payload = {"query": "{ job(id: 1) { id } }"}
        for number in range(MAX_AT_ONCE + 1):
            await socket.send_json({"type": "subscribe", "id": str(number), "payload": payload})
        await until(lambda: running == MAX_AT_ONCE, 30)
        # Subscriptions do not wait for queries.
        await socket.send_json({"type": "subscribe", "id": "s", "payload": {"query": "subscription { nothing }"}})
        assert (await socket.receive_json(timeout=30))["type"] == "error"
        assert running == MAX_AT_ONCE
        go.set()
        answers = [await socket.receive_json(timeout=30) for _ in range(2 * (MAX_AT_ONCE + 1))]
        assert [answer["type"] for answer in answers].count("complete") == MAX_AT_ONCE + 1
