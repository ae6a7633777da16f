"""Which operation a request means, and how a request is refused of which nothing is executed: alike on every way."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse
from structlog.testing import capture_logs

from models import JobStatus, ProvisionJob, Server
from runner.bus import LocalBus, Topic
from tests.support.api import CREATE, JSON, Api
from tests.support.launchers import until
from tests.support.untouched import assert_untouched

VIEWER = "{ viewer { name } }"
NEW = (
    'createServer(input: {name: "%s", host: "localhost", user: "root", credential: {local: true}}) { server { name } }'
)
UPDATES = "subscription { jobUpdated { number } }"
BOTH = f"mutation A {{ {NEW % 'a'} }} mutation B {{ {NEW % 'b'} }}"
FRAGMENTS = "fragment F on Query { viewer { name } }"
ID = "query($id: ID!) { job(id: $id) { number } }"
INPUT = "query($f: JobFilter) { jobs(filter: $f) { nodes { number } } }"
PARSE, VALID, RESOLVE, INPUTS = (
    *("GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "OPERATION_RESOLUTION_FAILURE", "BAD_USER_INPUT"),
)
REFUSED: dict[str, tuple[JSON, str, str]] = {
    "two mutations": ({"query": BOTH}, RESOLVE,
                      "the document has 2 operations: name one of them in operationName (A, B)"),
    "null name": ({"query": BOTH, "operationName": None}, RESOLVE, "the document has 2 operations: name one of them"),
    "no names": ({"query": f"{VIEWER} {VIEWER}"}, RESOLVE,
                 "the document has 2 operations: one without a name must be alone, so give each a name"),
    "a name and none": ({"query": f"query A {VIEWER} {VIEWER} {VIEWER}", "operationName": None}, RESOLVE,
                        "the document has 3 operations: one without a name must be alone, so give each a name"),
    "unknown name": ({"query": BOTH, "operationName": "C"}, RESOLVE,
                     'the document has no operation called "C"; it has A, B'),
    "name in another case": ({"query": BOTH, "operationName": "a"}, RESOLVE,
                             'the document has no operation called "a"'),
    "name of a fragment": ({"query": f"{VIEWER} {FRAGMENTS}", "operationName": "F"}, RESOLVE,
                           'the document has no operation called "F"'),
    "empty name": ({"query": VIEWER, "operationName": ""}, RESOLVE, 'the document has no operation called ""'),
    "name of an anonymous one": ({"query": VIEWER, "operationName": "X"}, RESOLVE,
                                 'the document has no operation called "X"'),
    "half a letter": ({"query": VIEWER, "operationName": "\ud800"}, RESOLVE,
                      'the document has no operation called "\\ud800"'),
    "query and mutation": ({"query": f"query A {VIEWER} mutation B {{ {NEW % 'b'} }}"}, RESOLVE,
                           "the document has 2 operations: name one of them in operationName (A, B)"),
    "many": ({"query": " ".join(f"query Q{n} {VIEWER}" for n in range(20))}, RESOLVE,
             ("the document has 20 operations: name one of them in operationName "
              "(Q0, Q1, Q2, Q3, Q4, Q5, Q6, Q7, Q8, Q9, …)")),
    "two without a name": ({"query": f"{VIEWER} {VIEWER}"}, RESOLVE, "the document has 2 operations"),
    "the same name twice": ({"query": f"query A {VIEWER} query A {VIEWER}", "operationName": "A"}, RESOLVE,
                            'the document has several operations called "A": give each a name of its own'),
    "fragment alone": ({"query": FRAGMENTS}, RESOLVE,
                       "the document has no operation, only definitions of other kinds"),
    "type alone": ({"query": "type A { b: Int }"}, RESOLVE,
                   "the document has no operation, only definitions of other kinds"),
    "empty": ({"query": ""}, PARSE, "the query is empty: send an operation"),
    "blank": ({"query": " \n\t"}, PARSE, "the query is empty: send an operation"),
    "comment": ({"query": "# nothing"}, PARSE, "Syntax Error: Unexpected <EOF>."),
    "syntax": ({"query": "{"}, PARSE, "Syntax Error: Expected Name, found <EOF>."),
    "no GraphQL": ({"query": "SELECT 1"}, PARSE, "Syntax Error: Unexpected Name 'SELECT'."),
    "NUL": ({"query": "{ \0 }"}, PARSE, "Syntax Error: Unexpected character: U+0000."),
    "tokens": ({"query": "{ " + "a " * 2001 + "}"}, PARSE,
               "Syntax Error: Document contains more than 2000 tokens. Parsing aborted."),
    "depth of braces": ({"query": "{ a " * 900 + "}" * 900}, PARSE, "Syntax Error: "),
    "unknown field": ({"query": "{ nothing }"}, VALID, "Cannot query field 'nothing' on type 'Query'."),
    "unknown fragment": ({"query": "{ ...X }"}, VALID, "Unknown fragment 'X'."),
    "unknown directive": ({"query": "{ viewer @defer { name } }"}, VALID, "Unknown directive '@defer'."),
    "wrong literal": ({"query": "{ job(id: 1.5) { number } }"}, VALID, "ID cannot represent "),
    "endless literal": ({"query": f"{{ servers(first: {'9' * 5000}) {{ nodes {{ id }} }} }}"}, INPUTS,
                        "a value in the query cannot be read: is a number too long?"),
    "variable that is missing": ({"query": ID}, INPUTS, "Variable '$id' "),
    "variable of null": ({"query": ID, "variables": {"id": None}}, INPUTS, "Variable '$id' "),
    "variable of a wrong type": ({"query": ID, "variables": {"id": {"a": 1}}}, INPUTS, "Variable '$id' "),
    "variable of a wrong enum": ({"query": INPUT, "variables": {"f": {"status": ["NO"]}}}, INPUTS, "Variable '$f' "),
    "variable of a wrong field": ({"query": INPUT, "variables": {"f": {"x": 1}}}, INPUTS, "Variable '$f' "),
    "variable of a wrong scalar": ({"query": INPUT, "variables": {"f": {"createdAfter": "x"}}}, INPUTS,
                                   "Variable '$f' "),
    "variable of a mutation": ({"query": CREATE, "variables": {"input": {"name": "a"}}}, INPUTS, "Variable '$input' "),
    "variable of a subscription": (
        {"query": "subscription($ids: [ID!]) { jobUpdated(ids: $ids) { number } }", "variables": {"ids": [None]}},
        INPUTS, "Variable '$ids' ",
    ),
}  # fmt: skip


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """Whatever a client sends here, the server's log has no word of it."""
    with capture_logs() as logs:
        yield
    assert logs == []
    assert [record.getMessage() for record in caplog.records if record.levelname not in {"DEBUG", "INFO"}] == []


def errors_of(answer: JSON) -> list[JSON]:
    """The errors of an answer that has nothing else."""
    assert list(answer) == ["errors"]
    errors: list[JSON] = answer["errors"]
    return errors


async def by_post(api: Api, payload: JSON) -> list[JSON]:
    """The errors over HTTP, in the newer type with 400, in the older one with 200 and `data: null`."""
    headers = {"Accept": "application/graphql-response+json"}
    async with api.client.post("/graphql", json=payload, headers=headers) as response:
        assert (response.status, response.content_type) == (400, "application/graphql-response+json")
        errors = errors_of(await response.json())
    async with api.client.post("/graphql", json=payload) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.json() == {"data": None, "errors": errors}
    return errors


async def by_stream(api: Api, payload: JSON) -> list[JSON]:
    """The errors as server-sent events."""
    async with api.client.post("/graphql/stream", json=payload) as response:
        text = await response.text()
    start, end = ":\n\nevent: next\ndata: ", "\n\nevent: complete\ndata:\n\n"
    assert (response.status, text.startswith(start), text.endswith(end)) == (200, True, True)
    return errors_of(json.loads(text.removeprefix(start).removesuffix(end)))


async def by_socket(api: Api, payload: JSON) -> list[JSON]:
    """The errors over a WebSocket, which stays open."""
    async with api.socket() as socket:
        errors = await refused_on(socket, "1", payload)
        await works(socket)
        return errors


async def refused_on(socket: ClientWebSocketResponse, name: str, payload: JSON) -> list[JSON]:
    await socket.send_json({"type": "subscribe", "id": name, "payload": payload})
    answer = await socket.receive_json(timeout=30)
    assert (answer["id"], answer["type"]) == (name, "error")
    errors: list[JSON] = answer["payload"]
    return errors


async def works(socket: ClientWebSocketResponse) -> None:
    await socket.send_json({"type": "subscribe", "id": "ok", "payload": {"query": VIEWER}})
    assert (await socket.receive_json(timeout=30))["payload"] == {"data": {"viewer": {"name": "local"}}}
    assert await socket.receive_json(timeout=30) == {"id": "ok", "type": "complete"}


WAYS: dict[str, Callable[[Api, JSON], Any]] = {"post": by_post, "socket": by_socket, "stream": by_stream}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize(("payload", "code", "message"), REFUSED.values(), ids=REFUSED.keys())
async def test_nothing_is_executed(
    *, api: Api, quiet: None, data_dir: Path, way: Callable[[Api, JSON], Any], payload: JSON, code: str, message: str
) -> None:
    if payload["query"].startswith("subscription") and way is by_post:
        code, message = "OPERATION_NOT_ALLOWED", "a subscription has many results"
    for error in await way(api, payload):
        assert error["extensions"] == {"code": code}
        assert error["message"].startswith(message)
    await assert_untouched(data_dir)


@pytest.mark.parametrize("way", [*WAYS])
async def test_the_named_operation_alone_is_executed(api: Api, way: str) -> None:
    payload = {"query": BOTH, "operationName": "B"}
    cost = {"cost": {"estimated": 1, "limit": 2000}}
    said = {"data": {"createServer": {"server": {"name": "b"}}}, "extensions": cost}
    if way == "socket":
        async with api.socket() as socket:
            await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
            assert (await socket.receive_json())["payload"] == said
    else:
        async with api.client.post("/graphql" if way == "post" else "/graphql/stream", json=payload) as response:
            assert json.dumps(said, separators=(",", ":")) in await response.text()
    assert [server.name for server in await Server.all()] == ["b"]


@pytest.mark.parametrize(
    "query",
    [
        UPDATES,
        "subscription A { jobUpdated { number } }",
        f"query A {VIEWER} subscription B {{ jobUpdated {{ number }} }}",
    ],
)
async def test_a_subscription_is_not_for_post(api: Api, quiet: None, query: str) -> None:
    """As Apollo's HttpLink and urql's fetchSubscriptions send it."""
    name = "B" if " B " in query else None
    (error,) = await by_post(api, {"query": query, "operationName": name})
    assert error == {
        "message": "a subscription has many results: use a WebSocket with graphql-transport-ws at /graphql, "
        "or server-sent events at /graphql/stream",
        "extensions": {"code": "OPERATION_NOT_ALLOWED"},
    }
    async with api.client.post("/graphql", json={"query": query, "operationName": name},
                               headers={"Accept": "text/event-stream"}) as response:  # fmt: skip
        assert (response.status, errors_of(await response.json())[0]["extensions"]["code"]) == (406, "NOT_ACCEPTABLE")


async def test_other_subscriptions_of_the_socket_live_on(buses: list[LocalBus], api: Api, quiet: None) -> None:
    async with api.socket() as socket:
        await socket.send_json({"type": "subscribe", "id": "live", "payload": {"query": UPDATES}})
        await until(lambda: (Topic.JOB, None) in buses[0]._listeners, 30)
        for name, (payload, code, _) in REFUSED.items():
            for error in await refused_on(socket, name, payload):
                assert error["extensions"] == {"code": code}
        job = await ProvisionJob.create(
            recipe="base", revision="r", status=JobStatus.CANCELED, tags=[], skip_tags=[], timeout_seconds=1,
            requested_by="x",
        )  # fmt: skip
        buses[0].publish(Topic.JOB, job.id)
        answer = await socket.receive_json(timeout=30)
        assert answer == {"id": "live", "type": "next", "payload": {"data": {"jobUpdated": {"number": job.id}}}}


@asynccontextmanager
async def posted(api: Api, body: str, accept: str) -> AsyncIterator[tuple[int, str, JSON]]:
    headers = {"Content-Type": "application/json", "Accept": accept}
    async with api.client.post("/graphql", data=body, headers=headers) as response:
        yield response.status, response.content_type, await response.json()


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", "query: send an operation as text"),
        ('{"query": null}', "query: send an operation as text"),
        *((f'{{"query": {wrong}}}', "query: send an operation as text") for wrong in ("5", "[]", "{}", "true")),
        *((f'{{"query": "{{a}}", "variables": {wrong}}}', "variables: send an object, or leave it out")
          for wrong in ("[1]", '"{}"', "0", "false")),
        *((f'{{"query": "{{a}}", "operationName": {wrong}}}', "operationName: send text, or leave it out")
          for wrong in ("[1]", "{}", "0", "false")),
        *((f'{{"query": "{{a}}", "extensions": {wrong}}}', "extensions: send an object, or leave it out")
          for wrong in ("[1]", '"{}"', "0", "false")),
        *((body, "send one operation, as an object with `query`: there are no batches")
          for body in ("[]", '[{"query": "{ viewer { name } }"}]', "[[]]")),
        *((body, "the body is not JSON: ") for body in ("null", "5", '"{a}"', "{", "", "true")),
    ],
)  # fmt: skip
async def test_parameters_of_a_wrong_type(
    api: Api, quiet: None, data_dir: Path, body: str, message: str, accept: str
) -> None:
    async with posted(api, body, accept) as (status, kind, answer):
        (error,) = errors_of(answer)
        assert (status, kind, error["extensions"]) == (400, "application/json", {"code": "BAD_REQUEST"})
        assert error["message"].startswith(message)
    await assert_untouched(data_dir)


async def test_parameters_that_are_left_out(api: Api) -> None:
    for name in ("variables", "operationName", "extensions", "nonsense"):
        async with posted(api, json.dumps({"query": VIEWER, name: None}), "*/*") as answer:
            assert answer == (200, "application/json", {"data": {"viewer": {"name": "local"}}})


async def test_a_client_that_would_send_hashes_learns_that_it_cannot(api: Api) -> None:
    hashed = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    async with posted(api, json.dumps(hashed), "*/*") as (status, _, answer):
        (error,) = errors_of(answer)
        assert (status, error["message"]) == (400, "PersistedQueryNotSupported")
        assert error["extensions"] == {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}
    async with posted(api, json.dumps({**hashed, "query": VIEWER}), "*/*") as (status, _, answer):
        assert (status, answer) == (200, {"data": {"viewer": {"name": "local"}}})


OLD, NEW_TYPE = "application/json", "application/graphql-response+json"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, OLD), ("", OLD), ("*/*", OLD), ("application/*", OLD), ("*/*;q=0.1", OLD), (OLD, OLD),
        ("application/json; charset=utf-8", OLD), ("text/html, */*;q=0.8", OLD), ("APPLICATION/JSON", OLD),
        (NEW_TYPE, NEW_TYPE), (f"{NEW_TYPE}, {OLD}", NEW_TYPE), (f"{OLD}, {NEW_TYPE}", NEW_TYPE),
        (f"{NEW_TYPE},{OLD};q=0.9", NEW_TYPE), (f"{OLD}, {NEW_TYPE};q=0.9", OLD), (f"{NEW_TYPE};q=0, */*", OLD),
        (f"*/*, {NEW_TYPE};q=0.5", OLD), (f"*/*;q=0.5, {NEW_TYPE};q=0.5", NEW_TYPE),
        (f"{NEW_TYPE}, application/graphql+json, {OLD}, text/event-stream, multipart/mixed", NEW_TYPE),
        (f"{NEW_TYPE};charset=utf-8;q=1.000", NEW_TYPE), (f"{OLD};q=0, {NEW_TYPE}", NEW_TYPE),
        ("text/event-stream", None), ("text/html", None), (f"{OLD};q=0", None), ("*/*;q=0", None),
        (f"{OLD};q=0, */*", NEW_TYPE), (f"{NEW_TYPE};q=0.0, text/html", None), (f"{OLD};q=x", None), ("json", None),
    ],
)  # fmt: skip
async def test_the_type_of_an_answer(api: Api, data_dir: Path, accept: str | None, kind: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    for query, data in ((VIEWER, {"viewer": {"name": "local"}}), ('{ job(id: "x") { id } }', {"job": None})):
        async with api.client.post(
            "/graphql", json={"query": query}, headers=headers, skip_auto_headers=["Accept"]
        ) as response:
            answer = await response.json(content_type=None)
            if kind is None:
                assert (response.status, response.content_type) == (406, "application/json")
                assert errors_of(answer)[0]["extensions"] == {"code": "NOT_ACCEPTABLE"}
            else:
                # What fails while it is executed has data, and so a good status.
                assert (response.status, response.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
                assert answer["data"] == data
    await assert_untouched(data_dir)


@pytest.mark.parametrize("accept", ["application/json", "application/*", "text/html", "text/event-stream;q=0"])
async def test_a_stream_is_for_who_takes_one(api: Api, accept: str) -> None:
    for method, given in (("POST", {"json": {"query": VIEWER}}), ("GET", {"params": {"query": UPDATES}})):
        request = api.client.request(method, "/graphql/stream", headers={"Accept": accept}, **given)  # type: ignore[arg-type]  # either of the two
        async with request as response:
            assert response.status == 406
            (error,) = errors_of(await response.json())
            assert error["extensions"] == {"code": "NOT_ACCEPTABLE"}
