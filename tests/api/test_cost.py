"""What an operation may cost, and how large it may be, before anything of it is executed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from gql import schema as schemas
from gql.cost import MAX_ALIASES, MAX_DEPTH, MAX_INTROSPECTION_DEPTH, MAX_SELECTIONS, cost_of
from gql.documents import MAX_TOKENS
from gql.executor import MAX_ANSWER_BYTES
from gql.schema import PlaycastSchema, make_schema
from models import JobHost, ProvisionJob, Server
from runner.limits import MAX_ROWS, MAX_SERVERS_PER_JOB
from tests.support.api import Api
from tests.support.asking import Asking, asking

JOBS = "{ jobs(first: %s) { nodes { id } } }"
WAYS = ["post", "socket", "stream"]


def cost(query: str, **variables: Any) -> int:
    document = parse(query)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return cost_of(make_schema()._schema, document, operation, variables).rows


def chain(size: int, kind: str, link: str, last: str) -> str:
    """Fragments F0 to F<size>, each of which spreads the next one as `link` has it."""
    links = [f"fragment F{number} on {kind} {{ {link.replace('F', f'F{number + 1}')} }}" for number in range(size)]
    return " ".join([*links, f"fragment F{size} on {kind} {{ {last} }}"])


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("{ viewer { name } system { queue { pending workers { name } } } }", 5),
        ("{ recipes { name inputs { name } } }", 5 + 25),
        ('{ job(id: "1") { id } server(id: "1") { id } }', 2),
        (JOBS % 7, 7),
        ("{ jobs { nodes { id } } }", 50),
        ("{ jobs { pageInfo { hasNextPage } totalCount } }", 0),
        ("{ jobs(first: 7) { edges { cursor node { id } } nodes { id } } }", 14),
        ("{ jobs(first: 7) { nodes { hosts { server { id } } } } }", 7 + 35 + 35),
        ("{ jobs(first: 7) { nodes { recipe { name } retryOf { id } } } }", 7 * 3),
        ("{ servers(first: 18) { nodes { jobs(first: 100) { nodes { id } } } } }", 1818),
        ("{ servers(first: 10) { nodes { lastJob { servers { jobs(first: 3) { nodes { id } } } } } } }",
         10 + 10 + 50 + 150),
        ('{ job(id: "1") { events(first: 9) { nodes { seq } } } }', 1 + 9),
        ('{ job(id: "1") { log { chunks { text } } } }', 1 + 16),
        ('{ job(id: "1") { log(maxBytes: 1048576) { cursor } } }', 1 + 256),
        ("{ jobs(first: 100) { nodes { log { cursor } } } }", 100 + 1600),
        # A size that is none is left to the field.
        ("{ jobs(first: 0) { nodes { id } } }", 1),
        ("{ jobs(first: -5) { nodes { id } } }", 1),
        ("{ jobs(first: 1000000) { nodes { id } } }", 100),
        ("{ jobs(first: 99999999999999999999) { nodes { id } } }", 100),
        ("{ jobs(first: null) { nodes { id } } }", 50),
        # The name in the answer says nothing, a fragment is what stands in it, and where it stands counts.
        ("{ a: jobs(first: 3) { b: nodes { id } } c: jobs(first: 4) { nodes { id } } }", 7),
        ("{ ...F } fragment F on Query { jobs(first: 3) { nodes { ...G } } } fragment G on Node { id }", 3),
        ("{ ...F ...F } fragment F on Query { jobs(first: 3) { nodes { id } } }", 3),
        ('{ node(id: "x") { ... on Server { jobs(first: 9) { nodes { id } } } ... on ProvisionJob { hosts { ok } } } }',
         1 + 9 + 5),
        ("{ jobs(first: 3) { nodes { id } } jobs(first: 3) { nodes { number } } }", 3),
        # What is left out by a directive may be asked for all the same.
        ("{ jobs(first: 3) { nodes { servers @skip(if: true) { id } } } }", 3 + 15),
        ("{ jobs(first: 2) { nodes { " + " ".join(f"a{number}: id" for number in range(50)) + " } } }", 2 + 2),
        ("{ __schema { types { name fields { name } } } }", 0),
        ("mutation { deleteServer(input: {id: 1}) { deletedId } }", 0),
        ("mutation { cancelJob(input: {jobId: 1}) { job { hosts { ok } } } }", 1 + 5),
    ],
)  # fmt: skip
def test_rows(query: str, rows: int) -> None:
    assert cost(query) == rows


def test_sizes_in_variables() -> None:
    query = "query($n: Int, $m: Int = 4) { servers(first: $n) { nodes { jobs(first: $m) { nodes { id } } } } }"
    assert cost(query, n=3) == 3 + 12
    assert cost(query, n=3, m=2) == 3 + 6
    assert cost(query) == 50 + 200
    # Whatever is no number is refused later; it is no way around.
    for odd in (None, "3", True, 2.5, [3], {"n": 1}):
        assert cost(query, n=odd, m=2) == 50 + 100
    assert cost(query, n=10**30, m=10**30) == 100 + 10_000
    for odd in (float("inf"), float("nan"), -float("inf")):
        assert cost(query, n=odd, m=2) == 50 + 100


@pytest.mark.parametrize(
    ("written", "counts"),
    [("3.0", 3), ("100.0", 100), ("1e2", 100), ("1E+1", 10), ("2.50e1", 25), ("-0.0", 1), ("-7.0", 1), ("1e300", 100)],
)
async def test_a_whole_number_counts_however_it_is_written(api: Api, written: str, counts: int) -> None:
    query = "query($n: Int) { servers(first: $n) { nodes { id } } }"
    assert cost(query, n=json.loads(written)) == counts
    body = f'{{"query": {json.dumps(query)}, "variables": {{"n": {written}}}}}'
    async with api.client.post("/graphql", data=body, headers={"Content-Type": "application/json"}) as response:
        told = await response.json()
    # What is counted for is what is given.
    if "errors" not in told:
        assert told["extensions"]["cost"]["estimated"] == counts


async def test_a_size_written_with_a_point_is_no_way_around(api: Api) -> None:
    query = (
        "query($n: Int, $m: Int) { servers(first: $n) { nodes { jobs(first: $m) { nodes { id } } } } "
        'job(id: "1") { log(maxBytes: $b) { cursor } } }'
    ).replace("$m: Int", "$m: Int, $b: Int")
    for variables in ({"n": 100.0, "m": 1e2, "b": 1}, {"n": 1, "m": 1, "b": float(2**20)}):
        assert cost(query, **variables) == cost(query, **{name: int(value) for name, value in variables.items()})
    told = await api.raw(query, n=100.0, m=100.0, b=1)
    assert (told["errors"][0]["extensions"]["code"], told["data"]) == ("COST_LIMIT_EXCEEDED", None)


def beyond(name: str) -> tuple[str, str]:
    """A document that is one beyond a limit, and what is said."""
    lists = "lastJob { servers { " * (MAX_DEPTH // 2)
    of_type = "ofType { " * MAX_INTROSPECTION_DEPTH
    pairs = "viewer { name } " * 72
    return {
        "tokens": (f"{{ {'a ' * (MAX_TOKENS - 1)}}}", f"Document contains more than {MAX_TOKENS} tokens"),
        "selections": (
            "{ job(id: 1) { ...F0 } } " + chain(10, "ProvisionJob", "retryOf { ...F } waitingFor { ...F }", "id"),
            f"the document has more than {MAX_SELECTIONS} selections",
        ),
        "pairs": (f"{{ {pairs}}}", "too many selections give the same field of the answer, as 'name': ask for it once"),
        "depth": (
            "{ server(id: 1) { " + lists + "id " + "} " * (MAX_DEPTH + 2),
            f"exceeds maximum operation depth of {MAX_DEPTH}",
        ),
        "depth of the introspection": (
            "{ __schema { queryType { " + of_type + "name " + "} " * (MAX_INTROSPECTION_DEPTH + 3),
            f"exceeds maximum operation depth of {MAX_INTROSPECTION_DEPTH}",
        ),
        "aliases": (
            "{ " + " ".join(f"a{number}: viewer {{ name }}" for number in range(MAX_ALIASES + 1)) + " }",
            f"{MAX_ALIASES + 1} aliases found. Allowed: {MAX_ALIASES}",
        ),
        "rows": ("{ servers(first: 20) { nodes { jobs(first: 99) { nodes { id } } } a: nodes { id } } }",
                 f"{MAX_ROWS + 20} rows, and an answer may have {MAX_ROWS}: most are 1980 of servers.nodes.jobs"),
    }[name]  # fmt: skip


LIMITS = ["tokens", "selections", "pairs", "depth", "depth of the introspection", "aliases", "rows"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", LIMITS)
async def test_one_more_than_each_limit_of_an_operation(api: Api, name: str, way: str) -> None:
    query, said = beyond(name)
    (error,) = await errors(api, query, way)
    assert said in error["message"]
    code = {"tokens": "GRAPHQL_PARSE_FAILED", "rows": "COST_LIMIT_EXCEEDED"}.get(name, "GRAPHQL_VALIDATION_FAILED")
    assert error["extensions"]["code"] == code
    if name == "rows":
        assert error["extensions"]["cost"] == {"estimated": MAX_ROWS + 20, "limit": MAX_ROWS}


async def errors(api: Api, query: str, way: str) -> list[dict[str, Any]]:
    """The errors of an operation of which nothing is executed."""
    if way == "post":
        answer = await api.raw(query)
        assert answer["data"] is None
        return answer["errors"]  # type: ignore[no-any-return]  # JSON
    if way == "socket":
        async with api.socket() as socket:
            await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
            message = await socket.receive_json()
        assert (message["id"], message["type"]) == ("1", "error")
        return message["payload"]  # type: ignore[no-any-return]  # JSON
    async with api.client.post("/graphql/stream", json={"query": query}) as response:
        text = await response.text()
    (event,) = [line for line in text.splitlines() if line.startswith("data: {")]
    told = json.loads(event.removeprefix("data: "))
    assert "data" not in told
    return told["errors"]  # type: ignore[no-any-return]  # JSON


async def test_what_costs_is_told(api: Api) -> None:
    async with api.client.post("/graphql", json={"query": JOBS % 7}) as response:
        told = await response.json()
    assert told == {"data": {"jobs": {"nodes": []}}, "extensions": {"cost": {"estimated": 7, "limit": MAX_ROWS}}}
    async with api.socket() as socket:
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": JOBS % 7}})
        assert (await socket.receive_json())["payload"] == told
    async with api.client.post("/graphql/stream", json={"query": JOBS % 7}) as response:
        assert json.loads((await response.text()).splitlines()[3].removeprefix("data: ")) == told
    # What has no rows, or was refused for something else, says nothing of a cost.
    assert await api.raw("{ viewer { name } }") == {"data": {"viewer": {"name": "local"}}}
    assert "extensions" not in await api.raw("{ jobs { nodes { nothing } } }")


@pytest.mark.parametrize("limit", [100, 2000])
async def test_the_limit_is_a_setting(start_app: Any, limit: int) -> None:
    api: Api = await start_app(max_rows=limit)
    lists = "{ servers(first: %d) { nodes { jobs(first: %d) { nodes { id } } } } }"
    assert await api.ask(lists % (limit // 100, 99)) == {"servers": {"nodes": []}}
    (error,) = (await api.raw(lists % (limit // 100, 100)))["errors"]
    assert error["extensions"]["cost"] == {"estimated": limit + limit // 100, "limit": limit}


async def test_an_event_may_cost_an_eighth(api: Api) -> None:
    query = "subscription { jobUpdated { servers { jobs(first: %d) { nodes { id } } } } }"
    assert cost(query % 48) == 1 + 5 + 240
    (error,) = await errors(api, query % 49, "socket")
    assert error["extensions"] == {
        "code": "COST_LIMIT_EXCEEDED",
        "cost": {"estimated": 251, "limit": MAX_ROWS // schemas.EVENT_SHARE},
    }


async def test_too_many_ids_to_watch(api: Api) -> None:
    query = "subscription($ids: [ID!]) { jobUpdated(ids: $ids) { id } }"
    async with api.subscribe(query, ids=["1"] * 1001) as updates:
        with pytest.raises(AssertionError, match="1001 ids are too many: watch at most 1000"):
            await anext(updates)


@pytest.mark.parametrize(
    "query",
    [
        "query($text: String) { servers(filter: {nameContains: $text}) { nodes { id } } }",
        "query($text: String) { servers(filter: {tag: $text}) { nodes { id } } }",
        "query($text: String) { jobs(filter: {recipe: $text}) { nodes { id } } }",
        "query($text: String) { jobs(filter: {requestedBy: $text}) { nodes { id } } }",
    ],
)
async def test_a_text_too_long_to_look_for(api: Api, query: str) -> None:
    most = 32 if "tag:" in query else 64
    for text in ("%" * most, "_%" * (most // 2), "é" * most):
        assert await api.ask(query, text=text) in ({"servers": {"nodes": []}}, {"jobs": {"nodes": []}})
    (error,) = (await api.raw(query, text="%" * (most + 1)))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["message"].endswith(f"is too long to look for: use at most {most} characters")


@pytest.fixture
async def wide(tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Asking]:
    """One job on as many servers as a job may have; server 1 has variables as long as they may be."""
    async with asking(f"sqlite://{tmp_path}/wide.sqlite3", tmp_path, ansible_dir) as found:
        plain = {"host": "h", "port": 22, "user": "u", "auth": "LOCAL"}
        numbers = range(1, MAX_SERVERS_PER_JOB + 1)
        long = {"a": "x" * 65_000}
        await Server.bulk_create(
            [Server(name=f"s{number}", variables=long if number < 5 else {}, **plain) for number in numbers]
        )
        await ProvisionJob.create(recipe="base", revision="r", status="SUCCESS", tags=[], skip_tags=[],
                                  timeout_seconds=1, requested_by="x")  # fmt: skip
        await JobHost.bulk_create(
            [JobHost(job_id=1, server_id=number, host=f"srv-{number}", server_name="s") for number in numbers]
        )
        yield found


async def test_an_answer_ends_where_it_becomes_too_large(wide: Asking) -> None:
    one = "job(id: 1) { hosts { id } }"
    data, _ = await wide.ask(f"{{ {one} }}")
    assert len(data["job"]["hosts"]) == MAX_SERVERS_PER_JOB
    both = f"{{ {' '.join(f'a{number}: {one}' for number in range(5))} }}"
    data, _ = await wide.ask(both)
    assert [len(job["hosts"]) for job in data.values()] == [MAX_SERVERS_PER_JOB] * 5
    small = make_schema(999)
    context = wide.context()
    answer = await small.execute(both, context_value=context)
    assert {job and len(job["hosts"]) for job in (answer.data or {}).values()} == {MAX_SERVERS_PER_JOB, None}
    (error,) = answer.errors or []
    assert error.extensions == {"code": "COST_LIMIT_EXCEEDED"}
    assert error.message == "the answer has more than 4995 rows: ask for less at a time"


async def test_an_answer_ends_where_its_text_becomes_too_long(wide: Asking) -> None:
    some = " ".join(f"v{number}: variables" for number in range(30))
    data, _ = await wide.ask(f"{{ servers(first: 4) {{ nodes {{ {some} }} }} }}")
    assert len(json.dumps(data)) < MAX_ANSWER_BYTES
    query = f"{{ servers(first: 4) {{ nodes {{ {some} {some.replace('v', 'w')} }} }} }}".replace("w29: wariables", "")
    query = query.replace("wariables", "variables")
    context = wide.context()
    (error,) = (await wide.schema.execute(query[: query.index("w19:")] + "} } }", context_value=context)).errors or []
    assert error.extensions == {"code": "COST_LIMIT_EXCEEDED"}
    assert error.message == f"the answer has more than {MAX_ANSWER_BYTES} bytes of text: ask for less at a time"


async def test_few_large_answers_are_made_at_a_time(wide: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, free = 0, 0, asyncio.Event()

    async def slow(*_: object) -> list[Server]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await free.wait()
        running -= 1
        return []

    monkeypatch.setattr("gql.queries.oldest_servers", slow)
    query = "{ servers(first: %d) { nodes { id } } }"
    schema = wide.schema
    assert isinstance(schema, PlaycastSchema)
    large = [
        asyncio.create_task(schema.execute(query % (schemas.HEAVY_ROWS + 1), context_value=wide.context()))
        for _ in range(6)
    ]
    while running < schemas.HEAVY_AT_ONCE:  # noqa: ASYNC110 (what is counted is the server's)
        await asyncio.sleep(0.01)
    # Small ones go by.
    small = asyncio.create_task(schema.execute(query % schemas.HEAVY_ROWS, context_value=wide.context()))
    while running < schemas.HEAVY_AT_ONCE + 1:  # noqa: ASYNC110 (as above)
        await asyncio.sleep(0.01)
    free.set()
    assert {str((await task).data) for task in (*large, small)} == {"{'servers': {'nodes': []}}"}
    assert most == schemas.HEAVY_AT_ONCE + 1
