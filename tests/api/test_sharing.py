"""Sharing one encoded chunk: word for word what GraphQL says, written once for the same selection, for nobody else."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType
from graphql import ExecutionResult, OperationDefinitionNode, parse
from hypothesis import example, given
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gql.json_text import encode, encode_text
from gql.schema import make_schema
from gql.shared_payloads import Encoded, Shape, make_payloads, shape_of, written
from gql.types.log import JobLogChunk
from models import JobStatus, LogChunk, ProvisionJob
from models.chunk import MAX_BYTES
from tests.conftest import StartApp
from tests.log.test_resume import CONTENT, store
from tests.support.api import LOG, Api

SHARED = [
    LOG,
    "subscription($id: ID!) { jobLog(jobId: $id) { text } }",
    "subscription($id: ID!) { jobLog(jobId: $id) { text text line: firstLine } }",
    "subscription($id: ID!, $after: String) { log: jobLog(jobId: $id, after: $after) { t: text cursor: after end } }",
    "subscription A($id: ID!) { jobLog(jobId: $id) { __typename emittedAt } } query B { viewer { name } }",
    'subscription { jobLog(jobId: "1", after: "7") { cursor text end } }',
]
ALONE = [
    "subscription($id: ID!) { jobLog(jobId: $id) { ...F } } fragment F on JobLogChunk { text end }",
    "subscription($id: ID!) { jobLog(jobId: $id) { ... on JobLogChunk { text } end } }",
    "subscription($id: ID!) { jobLog(jobId: $id) { text @skip(if: true) cursor } }",
    "subscription($id: ID!) { jobLog(jobId: $id) @include(if: true) { text } }",
    "subscription($id: ID!) { ...R } fragment R on Subscription { jobLog(jobId: $id) { cursor } }",
    "subscription($id: ID!) { jobUpdated(ids: [$id]) { number } }",
]
WRONG = [
    "subscription($id: ID!) { jobLog(jobId: $id) { text nothing } }",
    "subscription($id: ID!) { jobLog(jobId: $id) }",
    "subscription($id: ID!) { jobLog(jobId: $id) { text } jobEvents(jobId: $id) { cursor } }",
    'subscription { jobLog(jobId: "99") { text } }',
    'subscription { jobLog(jobId: "1", after: "x") { text } }',
]


@pytest.fixture
def written_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where each chunk began that was written, as often as it was."""
    found: list[str] = []

    def counted(shape: Shape, chunk: JobLogChunk) -> bytes:
        found.append(chunk.after)
        return written(shape, chunk)

    monkeypatch.setattr("gql.shared_payloads.written", counted)
    return found


async def frames(api: Api, query: str, **variables: Any) -> list[str]:
    """Each message of one operation, as the bytes that came."""
    async with api.socket() as socket:
        payload = {"query": query, "variables": variables, "operationName": "A" if "subscription A" in query else None}
        await socket.send_json({"type": "subscribe", "id": 'i"d é', "payload": payload})
        found: list[str] = []
        # What never ends is left after its first answer.
        while not found or ("jobUpdated" not in query and json.loads(found[-1])["type"] == "next"):
            message = await socket.receive(timeout=30)
            assert message.type is WSMsgType.TEXT, message
            found.append(message.data)
        return found


@pytest.mark.parametrize("query", [*SHARED, *ALONE, *WRONG])
async def test_frames_are_what_they_are_without_sharing(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    sharing = await start_app()
    job = await store(CONTENT, random.Random(6).sample(range(1, len(CONTENT)), 40))  # noqa: S311 (a test)
    variables = {"id": str(job.id)} if "$id" in query else {}
    first, second = await frames(sharing, query, **variables), await frames(sharing, query, **variables)
    await sharing.client.close()
    monkeypatch.setattr("gql.schema.sharing_executor", lambda _make, _rows: StrawberryGraphQLCoreExecutionContext)
    # A schema of its own: the tests of a process share one.
    monkeypatch.setattr("tests.conftest._schema", make_schema)

    plain = await frames(await start_app(), query, **variables)

    assert first == second == plain
    assert len(plain) >= 1


async def test_servers_with_one_schema_share_nothing(start_app: StartApp, tmp_path: Path) -> None:
    """Each numbers its jobs from 1."""
    for content in (b"of the first\n", b"of the other\n"):
        api = await start_app(data_dir=tmp_path / content.split()[-1].decode())
        job = await store(content, [])
        assert job.id == 1
        query = "subscription($id: ID!) { jobLog(jobId: $id) { text } }"
        async with api.subscribe(query, id="1") as chunks:
            assert "".join([chunk["jobLog"]["text"] async for chunk in chunks]) == content.decode()
        await api.client.close()


async def test_a_chunk_is_written_at_once_for_all_who_select_the_same(api: Api, written_at: list[str]) -> None:
    content = b"".join(b"%05d %s\n" % (number, b"x" * 57) for number in range(4096))
    starts = list(range(0, len(content), MAX_BYTES))
    job = await store(content, starts)
    one = "subscription($id: ID!) { jobLog(jobId: $id) { text end } }"
    same = "subscription Named($job: ID!, $at: String) { jobLog(after: $at, jobId: $job) { text end } }"
    other = "subscription($id: ID!) { jobLog(jobId: $id) { end text } }"

    async def texts(query: str, **variables: str) -> str:
        async with api.subscribe(query, **variables) as chunks:
            return "".join([chunk["jobLog"]["text"] async for chunk in chunks])

    found = await asyncio.gather(
        *(texts(one, id=str(job.id)) for _ in range(10)),
        *(texts(same, job=str(job.id)) for _ in range(10)),
        *(texts(other, id=str(job.id)) for _ in range(10)),
    )

    assert set(found) == {content.decode()}
    # Once for the two that select the same, and once for the one that has its fields in another order.
    assert sorted(written_at) == sorted([str(start) for start in starts] * 2)


async def test_who_may_not_watch_gets_nothing_beside_those_who_may(start_app: StartApp, written_at: list[str]) -> None:
    api = await start_app(token="right" * 8)
    job = await store(b"secret\n", [])
    watched = [chunk async for chunk in api.log(str(job.id))]
    assert [chunk["text"] for chunk in watched] == ["secret\n"]
    assert written_at == ["0"]

    async with api.client.ws_connect("/graphql", protocols=["graphql-transport-ws"]) as socket:
        await socket.send_json({"type": "connection_init", "payload": {"token": "wrong"}})
        closed = await socket.receive(timeout=30)
        assert (closed.type, closed.data) == (WSMsgType.CLOSE, 4403)
    async with api.client.ws_connect("/graphql", protocols=["graphql-transport-ws"]) as socket:
        payload = {"query": LOG, "variables": {"id": str(job.id)}}
        await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
        closed = await socket.receive(timeout=30)
        assert (closed.type, closed.data) == (WSMsgType.CLOSE, 4401)
    told = json.loads((await frames(api, LOG, id="99"))[0])
    assert (told["type"], told["payload"]["data"]) == ("next", None)
    assert [error["message"] for error in told["payload"]["errors"]] == ["there is no job 99"]
    assert written_at == ["0"]


async def test_the_end_is_not_told_before_it_is_there(api: Api) -> None:
    job = await store(b"line\n", [])
    await ProvisionJob.filter(id=job.id).update(status=JobStatus.RUNNING)
    async with api.subscribe(LOG, id=str(job.id)) as chunks:
        first = (await anext(chunks))["jobLog"]
        assert (first["text"], first["end"]) == ("line\n", False)
        await ProvisionJob.filter(id=job.id).update(status=JobStatus.SUCCESS)

        assert [(chunk["text"], chunk["end"]) async for chunk in api.log(str(job.id))] == [("line\n", True)]


async def test_a_log_that_was_pruned_is_told_from_no_memory(api: Api) -> None:
    job = await store(b"line\n", [])
    assert [chunk["text"] async for chunk in api.log(str(job.id))] == ["line\n"]
    await LogChunk.filter(job_id=job.id).delete()
    await ProvisionJob.filter(id=job.id).update(log_pruned_at=job.ended_at)

    assert [(chunk["after"], chunk["text"]) async for chunk in api.log(str(job.id))] == [("5", "")]


def test_what_is_kept_is_bounded() -> None:
    payloads = make_payloads(100)
    for number in range(10):
        payloads.put((("", ()), number, 0, 0, False), ExecutionResult(Encoded(b"x" * 30), None))  # type: ignore[arg-type]  # as sharing does
        assert payloads.size <= 100
    assert (len(payloads), payloads.size) == (3, 90)


@given(st.text(st.characters(exclude_categories=["Cs"])).map(str.encode) | st.binary())
@example(bytes(range(0x80)))
@example("".join(map(chr, range(0x200))).encode())
def test_text_is_written_as_json_writes_it(data: bytes) -> None:
    assert encode_text(data) == encode(data.decode(errors="replace"))


@pytest.mark.parametrize(("queries", "shared"), [(SHARED, True), (ALONE, False)])
def test_what_is_shared(queries: list[str], shared: bool) -> None:
    for query in queries:
        operation = parse(query).definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        assert (shape_of(operation) is not None) is shared, query
