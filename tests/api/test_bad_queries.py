"""Malformed questions: BAD_USER_INPUT and a message that says what to send; bugs are masked; limits hold."""

import base64
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError, validate
from structlog.testing import capture_logs

from gql.documents import SHORT
from gql.ids import global_id
from models import LogChunk, ProvisionJob
from runner.errors import quoted
from tests.support.api import Api
from tests.support.untouched import assert_untouched

LOG = 'query($after: String, $max: Int) { job(id: "1") { log(after: $after, maxBytes: $max) { cursor } } }'
JOBS = "query($filter: JobFilter) { jobs(filter: $filter) { nodes { id } } }"
SERVERS = "query($first: Int, $after: String) { servers(first: $first, after: $after) { nodes { id } } }"


async def bad_input(api: Api, query: str, **variables: Any) -> str:
    """The message of the one error, which the client has caused, with no word in the server's log."""
    with capture_logs() as logs:
        answer = await api.raw(query, **variables)
    assert logs == []
    [error] = answer["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    message: str = error["message"]
    return message


async def stored_job(text: bytes) -> None:
    """Job 1, ended, with a log."""
    job = await ProvisionJob.create(
        recipe="base", revision="r", status="SUCCESS", tags=[], skip_tags=[], timeout_seconds=1, requested_by="x",
        log_size=len(text),
    )  # fmt: skip
    await LogChunk.create(job=job, start=0, first_line=1, data=text, emitted_at=job.created_at)


@pytest.mark.parametrize("raw", ["", "x", "-1", "1.0", "\uff11", "\ud800", "2147483648", "9" * 300, "U2VydmVyOg=="])
async def test_malformed_ids(api: Api, data_dir: Path, raw: str) -> None:
    message = f"{quoted(raw)} is not a valid id: use an `id` that this API gave you, or the bare number"
    # A number alone says nothing to `node`, whatever its size.
    if not (raw.isascii() and raw.isdigit()):
        told = await bad_input(api, "query($id: ID!) { node(id: $id) { id } }", id=raw)
        assert told == message.removesuffix(", or the bare number")
    for field in ("server", "job"):
        assert await bad_input(api, f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=raw) == message
    assert await bad_input(api, JOBS, filter={"serverId": raw}) == message
    await assert_untouched(data_dir)


async def test_ids_of_another_type_and_of_nothing(api: Api) -> None:
    server, job = global_id("Server", 7), global_id("ProvisionJob", 7)
    wrong = await bad_input(api, "query($id: ID!) { job(id: $id) { id } }", id=server)
    assert wrong == f'"{server}" is the id of a "Server", not of a ProvisionJob'
    unknown = "{ server(id: %s) { id } job(id: 7) { id } a: node(id: %s) { id } b: node(id: %s) { id } }"
    other = f'"{global_id("Recipe", 1)}"'
    asked = await api.ask(unknown % (f'"{server}"', f'"{job}"', other))
    assert asked == {"server": None, "job": None, "a": None, "b": None}


@pytest.mark.parametrize(
    "cursor", ["", "x", "row:1", "é", "\ud800", "row:", "row:-1", "row:2147483648", "row:" + "9" * 18]
)
async def test_malformed_cursors_of_lists(api: Api, cursor: str) -> None:
    tries = {cursor}
    if cursor.startswith("row:"):
        tries = {base64.b64encode(cursor.encode()).decode()} if cursor != "row:1" else {cursor}
    for after in tries:
        message = f"{quoted(after)} is not a valid cursor: use an `endCursor` that this API gave you, or none to start"
        assert await bad_input(api, SERVERS, after=after) == message


async def test_page_sizes(api: Api) -> None:
    for first in (0, 101, -5):
        assert await bad_input(api, SERVERS, first=first) == "first must be from 1 to 100"
    assert await api.ask(SERVERS, first=100) == {"servers": {"nodes": []}}


async def test_logs_from_nowhere(api: Api) -> None:
    await stored_job(b"ten bytes\n")
    for cursor in ("abc", "-1", "", "\uff11\uff12", "9" * 30, "1.0", " 1", "\ud800"):
        message = f"{quoted(cursor)} is not a valid log cursor: use a `cursor` that this API gave you, or none to start"
        assert await bad_input(api, LOG, after=cursor) == message
    past = "cursor 11 is past the end of the log of job 1, which has 10 bytes"
    assert await bad_input(api, LOG, after="11") == past
    for size in (0, -1, 1048577):
        assert await bad_input(api, LOG, max=size) == "maxBytes must be from 1 to 1048576"
    assert await api.ask(LOG, after="10", max=1048576) == {"job": {"log": {"cursor": "10"}}}
    listed = "query($max: Int) { jobs { nodes { log(maxBytes: $max) { cursor } } } }"
    assert (
        await bad_input(api, listed, max=65537) == "maxBytes must be at most 65536 in a list: ask for more job by job"
    )
    assert await api.ask(listed, max=65536) == {"jobs": {"nodes": [{"log": {"cursor": "10"}}]}}


@pytest.mark.parametrize("text", ["\0", "\ud800"])
async def test_text_that_no_database_takes(api: Api, text: str) -> None:
    message = "text must not contain NUL or half a surrogate pair"
    for field in ("recipe", "requestedBy"):
        assert await bad_input(api, JOBS, filter={field: text}) == message
    for field in ("nameContains", "tag"):
        query = f"query($text: String) {{ servers(filter: {{{field}: $text}}) {{ nodes {{ id }} }} }}"
        assert await bad_input(api, query, text=text) == message


async def test_text_that_utf_8_cannot_hold_comes_back_escaped(api: Api) -> None:
    answer = await api.raw(JOBS, filter={"status": ["\ud800"]})
    assert "\ud800" in answer["errors"][0]["message"]


async def test_instants_and_numbers_out_of_reach(api: Api) -> None:
    reads = "a DateTime is RFC 3339 with an offset, such as 2026-11-23T09:31:03+00:00"
    for instant in ("yesterday", "2026-11-23T09:31:03", "0001-01-01T00:00:00+23:59"):
        query = f'{{ jobs(filter: {{createdAfter: "{instant}"}}) {{ nodes {{ id }} }} }}'
        assert (await api.raw(query))["errors"][0]["message"] == reads
        given = (await api.raw(JOBS, filter={"createdAfter": instant}))["errors"][0]["message"]
        assert given.endswith(reads)
    long = "a value in the query cannot be read: is a number too long?"
    assert await bad_input(api, "{ servers(first: %s) { nodes { id } } }" % ("9" * 5000)) == long


async def test_bugs_are_masked_and_logged(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("gql.queries.find_job", broken)
    with capture_logs() as logs:
        answer = await api.raw('{ job(id: "1") { id } }')
    [error] = answer["errors"]
    assert (error["message"], error["extensions"]) == ("Unexpected error.", {"code": "INTERNAL"})
    assert "hunter2" not in str(answer)
    assert [(entry["event"], entry["log_level"], entry["path"]) for entry in logs] == [
        ("a resolver failed", "error", ["job"])
    ]
    assert "hunter2" in str(logs[0]["exc_info"])


async def test_depth_aliases_and_tokens_are_limited(api: Api) -> None:
    deep = "{ node(id: 1) { ... on Server { lastJob { servers { " + "lastJob { servers { " * 5 + "id" + " }" * 15
    aliases = "{ " + " ".join(f"a{number}: viewer {{ name }}" for number in range(51)) + " }"
    tokens = "{ " + "viewer { name } " * 500 + "}"
    for query, words in (
        (deep, "exceeds maximum operation depth of 12"),
        (aliases, "51 aliases found. Allowed: 50"),
        (tokens, "Document contains more than 2000 tokens"),
        ("{ a " * 900 + "}" * 900, "nested too deeply"),
        ("{ recipe(name: " + "[" * 900, "nested too deeply"),
    ):
        answer = await api.raw(query)
        assert answer["data"] is None
        assert words in answer["errors"][0]["message"]
    assert (await api.ask(aliases.replace("a50: viewer { name }", "")))["a49"] == {"name": "local"}


async def test_a_text_is_prepared_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = []

    def counted(*given: Any, **named: Any) -> list[GraphQLError]:
        prepared.append(given)
        return validate(*given, **named)

    monkeypatch.setattr("gql.documents.validate", counted)
    for query in ("query Once { viewer { name role } }", f"query Long {{ viewer {{ name role }} }} #{'x' * SHORT}"):
        for _ in range(3):
            assert await api.ask(query) == {"viewer": {"name": "local", "role": "ADMIN"}}
    assert len(prepared) == 2
