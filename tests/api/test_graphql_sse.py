"""GraphQL over server-sent events, statement by statement of PROTOCOL.md of the npm package graphql-sse.

Distinct connections are offered. A single connection for all operations is not: that needs a server that remembers
which stream belongs to which client, and with a WebSocket or HTTP/2 nobody needs it.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from models import JobStatus, ProvisionJob, Server
from runner.bus import LocalBus, Topic
from tests.api.test_event_source import parse
from tests.support.api import JSON, Api
from tests.support.launchers import until
from tests.support.nodejs import run
from tests.support.protocols import Statements

PATH = "/graphql/stream"
VIEWER = "{ viewer { name } }"
SAID = {"data": {"viewer": {"name": "local"}}}
UPDATES = "subscription { jobUpdated(ids: [1]) { number status } }"
MUTATION = (
    'mutation { createServer(input: {name: "a", host: "b", user: "c", credential: {local: true}}) { server { name } } }'
)
STREAM = {"Accept": "text/event-stream"}
ALLOWED = (405, "GET,POST")
Check = Callable[[Api, LocalBus], Awaitable[None]]
# They are numbered in the order of PROTOCOL.md.
STATEMENTS: Statements[Check] = Statements()
states = STATEMENTS.states


async def job(status: JobStatus = JobStatus.SUCCESS) -> ProvisionJob:
    return await ProvisionJob.create(
        recipe="base", revision="r", status=status, tags=[], skip_tags=[], timeout_seconds=1, requested_by="x"
    )


async def streamed(api: Api, payload: JSON, **headers: str) -> list[tuple[str, Any]]:
    """The events of one operation: name and data."""
    async with api.client.post(PATH, json=payload, headers={**STREAM, **headers}) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        return [(kind, data) for kind, _, data in parse(await response.read())]


@states("the content type is always text/event-stream")
async def _type(api: Api, bus: LocalBus) -> None:
    for accept in ("text/event-stream", "*/*", "text/*", "application/json, text/event-stream;q=0.1"):
        assert await streamed(api, {"query": VIEWER}, Accept=accept) == [("next", SAID), ("complete", None)]


@states("what is found before the execution is an event of an accepted stream")
async def _validation(api: Api, bus: LocalBus) -> None:
    for payload in (
        {"query": "{"},
        {"query": ""},
        {"query": "{ nothing }"},
        {"query": "fragment F on Query { viewer { name } }"},
        {"query": f"query A {VIEWER} query B {VIEWER}"},
        {"query": VIEWER, "operationName": "X"},
        {"query": "query($id: ID!) { job(id: $id) { id } }"},
        {"query": "subscription($ids: [ID!]) { jobUpdated(ids: $ids) { id } }", "variables": {"ids": [None]}},
    ):
        (first, told), last = await streamed(api, payload)
        assert (first, list(told), last) == ("next", ["errors"], ("complete", None))
        assert all(error["message"] and error["extensions"]["code"] for error in told["errors"])


@states("the client ends an operation by closing the connection")
async def _closing(api: Api, bus: LocalBus) -> None:
    await job(JobStatus.RUNNING)
    async with api.client.get(PATH, params={"query": UPDATES}, headers=STREAM) as response:
        await response.content.readuntil(b"}\n\n")
        assert (Topic.JOB, 1) in bus._listeners
    await until(lambda: bus._listeners == {}, 30)


@states("a next event carries a result, and complete follows the last one")
async def _events(api: Api, bus: LocalBus) -> None:
    await job()
    seen = await streamed(api, {"query": "subscription { jobEvents(jobId: 1) { end } }"})
    assert seen == [("next", {"data": {"jobEvents": {"end": True}}}), ("complete", None)]
    ((kind, told), last) = await streamed(api, {"query": '{ job(id: "x") { id } viewer { name } }'})
    assert (kind, told["data"], last) == ("next", {"job": None, **SAID["data"]}, ("complete", None))
    assert [error["path"] for error in told["errors"]] == [["job"]]


@states("the complete event has a data field that is empty")
async def _empty(api: Api, bus: LocalBus) -> None:
    async with api.client.post(PATH, json={"query": VIEWER}) as response:
        assert (await response.read()).endswith(b"\n\nevent: complete\ndata:\n\n")


@states("requests are those of GraphQL over HTTP")
async def _http(api: Api, bus: LocalBus) -> None:
    await job()
    once = "subscription($id: ID!) { jobEvents(jobId: $id) { end } }"
    said = [("next", {"data": {"jobEvents": {"end": True}}}), ("complete", None)]
    assert await streamed(api, {"query": once, "variables": {"id": "1"}, "operationName": None}) == said
    params = {"query": once, "variables": '{"id": "1"}', "operationName": "", "extensions": "{}"}
    async with api.client.get(PATH, params=params, headers=STREAM) as response:
        assert [(kind, data) for kind, _, data in parse(await response.read())] == said
    assert (await streamed(api, {"query": MUTATION}))[0][1]["data"]["createServer"]["server"] == {"name": "a"}


@states("by GET no mutation is executed")
async def _safe(api: Api, bus: LocalBus) -> None:
    async with api.client.get(PATH, params={"query": MUTATION}, headers=STREAM) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")
    assert await Server.all().count() == 0


@states("the answer agrees with the Accept header, or there is none")
async def _accept(api: Api, bus: LocalBus) -> None:
    for accept in ("application/json", "gibberish", "text/event-stream;q=0"):
        async with api.client.post(PATH, json={"query": MUTATION}, headers={"Accept": accept}) as response:
            assert response.status == 406
    assert await Server.all().count() == 0


@states("single connection mode is not offered: nothing is reserved by PUT")
async def _reserve(api: Api, bus: LocalBus) -> None:
    for accept in ("text/plain", "*/*", "text/event-stream"):
        async with api.client.put(PATH, headers={"Accept": accept}) as response:
            assert (response.status, response.headers["Allow"]) == ALLOWED
            assert (await response.json())["errors"][0]["extensions"] == {"code": "METHOD_NOT_ALLOWED"}


@states("single connection mode is not offered: nothing is stopped by DELETE")
async def _stop(api: Api, bus: LocalBus) -> None:
    async with api.client.delete(PATH, params={"operationId": "1"}) as response:
        assert (response.status, response.headers["Allow"]) == ALLOWED


@states("single connection mode is not offered: with a token each operation still has its own stream")
async def _token(api: Api, bus: LocalBus) -> None:
    payload = {"query": VIEWER, "extensions": {"operationId": "1"}}
    seen = await streamed(api, payload, **{"X-GraphQL-Event-Stream-Token": "x"})
    assert seen == [("next", SAID), ("complete", None)]
    once = {"query": "subscription { jobEvents(jobId: 9) { end } }", "token": "x"}
    async with api.client.get(PATH, params=once, headers=STREAM) as response:
        assert [kind for kind, _, _ in parse(await response.read())] == ["next", "complete"]


@states("single connection mode is not offered: no operation is accepted for another stream")
async def _elsewhere(api: Api, bus: LocalBus) -> None:
    headers = {"Accept": "application/json", "X-GraphQL-Event-Stream-Token": "x"}
    payload = {"query": MUTATION, "extensions": {"operationId": "1"}}
    async with api.client.post(PATH, json=payload, headers=headers) as response:
        assert response.status == 406
    assert await Server.all().count() == 0


def test_the_statements_are_all_there() -> None:
    assert len(STATEMENTS) == 12


@pytest.mark.parametrize(
    "number", range(1, len(STATEMENTS) + 1), ids=[f"{at} {said}" for at, (said, _) in enumerate(STATEMENTS, 1)]
)
async def test_protocol(buses: list[LocalBus], api: Api, number: int) -> None:
    await STATEMENTS[number - 1][1](api, buses[0])


@pytest.mark.parametrize(
    ("query", "mode", "told"),
    [
        (VIEWER, "distinct", [{"next": SAID}, {"complete": True}]),
        ("subscription { jobEvents(jobId: 1) { end } }", "distinct",
         [{"next": {"data": {"jobEvents": {"end": True}}}}, {"complete": True}]),
        # It tells its user instead of waiting for ever.
        (VIEWER, "single", [{"error": 405}]),
    ],
)  # fmt: skip
async def test_the_package_reads_it(api: Api, query: str, mode: str, told: list[JSON]) -> None:
    await job()
    assert json.loads(await run("stream.mjs", str(api.client.make_url(PATH)), query, mode)) == told


async def test_the_package_reads_what_is_refused(api: Api) -> None:
    ((first), last) = json.loads(await run("stream.mjs", str(api.client.make_url(PATH)), "{ nothing }", "distinct"))
    assert (list(first["next"]), last) == (["errors"], {"complete": True})
    assert first["next"]["errors"][0]["extensions"] == {"code": "GRAPHQL_VALIDATION_FAILED"}
