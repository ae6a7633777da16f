"""Input that is right in form but large: it is refused before anything takes time over it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gql.documents import MAX_FAULTS, MAX_LINES
from gql.json_text import MAX_VALUES
from gql.variables import MAX_LIST, MAX_NAME, MAX_UNKNOWN, MAX_WORDS
from runner import checks
from runner.errors import Refused
from tests.support.api import CREATE, Api
from tests.support.door import ASK, BEARER, server

JOBS = "query($f: JobFilter) { jobs(filter: $f) { nodes { id } } }"
RUN = "mutation($input: RunProvisionInput!) { runProvision(input: $input) { userErrors { message } } }"


async def fault(api: Api, query: str, **variables: Any) -> tuple[str, str]:
    (error,) = (await api.raw(query, **variables))["errors"]
    return error["message"], error["extensions"]["code"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\r"])
async def test_a_document_of_many_lines(api: Api, end: str) -> None:
    refused = (f"the document has too many lines: send at most {MAX_LINES}", "GRAPHQL_PARSE_FAILED")
    lines = (MAX_LINES + 1) // len(end)
    assert await fault(api, end * lines + end + "{ viewer { name nothing } }") == refused
    (error,) = (await api.raw(end * (lines - 1) + "{ viewer { name nothing } }"))["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert error["locations"][0]["column"] == 17


@pytest.mark.parametrize(
    "query",
    [
        "{" + " ".join(f"n{number}" for number in range(500)) + "}",
        "{ jobs(filter: {" + " ".join(f"n{number}: 1" for number in range(60)) + "}) { totalCount } }",
        "{ jobs(filter: {" + " ".join(f"n{number}: 1" for number in range(600)) + "}) { totalCount } }",
        "query(" + " ".join(f"$v{number}: Int" for number in range(300)) + ") { viewer { name } }",
    ],
)
async def test_some_of_many_faults_are_told(api: Api, query: str) -> None:
    errors = (await api.raw(query))["errors"]
    assert len(errors) == MAX_FAULTS + 1
    assert errors[-1]["message"].startswith("Too many validation errors")
    assert {error["extensions"]["code"] for error in errors} == {"GRAPHQL_VALIDATION_FAILED"}


async def test_fields_that_nobody_knows(api: Api) -> None:
    few = {f"n{number}": 1 for number in range(MAX_UNKNOWN)}
    assert len((await api.raw(JOBS, f=few))["errors"]) == MAX_UNKNOWN
    assert await fault(api, JOBS, f={**few, "more": 1}) == ('$f: "more" is not a field of JobFilter', "BAD_USER_INPUT")
    message, code = await fault(api, JOBS, f={"n" * (MAX_NAME + 1): 1})
    assert (code, message.endswith("is not a field of JobFilter")) == ("BAD_USER_INPUT", True)
    message, _ = await fault(api, CREATE, input={"credential": {f"n{number}": 1 for number in range(9000)}})
    assert message == '$input.credential: "n0" is not a field of CredentialInput'


@pytest.mark.parametrize(
    ("query", "given", "most", "path"),
    [
        ("query($ids: [JobStatus!]) { jobs(filter: {status: $ids}) { nodes { id } } }", "ids", MAX_WORDS, "$ids"),
        (JOBS, "f.status", MAX_WORDS, "$f.status"),
        (RUN, "input.serverIds", MAX_LIST, "$input.serverIds"),
        (RUN, "input.tags", MAX_LIST, "$input.tags"),
    ],
)
async def test_a_list_that_is_too_long(api: Api, query: str, given: str, most: int, path: str) -> None:
    values: Any = ["ERROR"] * (most + 1)
    name, _, field = given.partition(".")
    variables = {name: {field: values} if field else values}
    message = f"{path}: {most + 1} values are too many: no such list here takes more than {most}"
    assert await fault(api, query, **variables) == (message, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "host",
    [
        "".join(map(chr, range(0x4E00, 0x9000))) * 10,
        "é" * 300_000,
        "é." * 150_000,
        "1.1.1.1%" + "h" * 300_000,
        "h" * 300_000,
        "\u0301" * 300_000,
    ],
    ids=["letters", "letter", "labels", "zone", "name", "accents"],
)
def test_a_host_of_any_length(host: str) -> None:
    with pytest.raises(Refused, match="is not a valid host: use an IP address or a host name"):
        checks.host(host, "host")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({f"k{number}": 1 for number in range(9000)}, "variables are too large: keep them under 64 KiB of JSON"),
        ({"k": [[]] * 18_000}, "variables are too large: keep them under 64 KiB of JSON"),
        ({"k": "x" * 70_000}, "variables are too large: keep them under 64 KiB of JSON"),
        ({"k": json.loads("[" * 400 + "]" * 400)}, "variables are nested too deep: use at most 16 levels"),
    ],
    ids=["keys", "lists", "text", "deep"],
)
async def test_the_size_of_variables_counts_first(api: Api, variables: dict[str, Any], message: str) -> None:
    given = {"recipe": "base", "serverIds": ["1"], "extraVars": variables}
    answer = await api.raw(RUN, input=given)
    assert answer["data"]["runProvision"]["userErrors"] == [{"message": message}]


@pytest.mark.parametrize(
    "value",
    [[{}] * MAX_VALUES, list(range(MAX_VALUES + 9)), {f"k{n}": n for n in range(MAX_VALUES + 9)}, "," * MAX_VALUES],
    ids=["objects", "numbers", "keys", "text"],
)
async def test_a_body_of_many_values_is_refused(api: Api, value: object) -> None:
    answer = await api.raw("{ viewer { name } }", v=value)
    ((error),) = answer["errors"]
    assert error["message"].startswith(f"the body is not JSON: it has more than {MAX_VALUES} values")


async def test_a_list_of_a_plain_route(api: Api) -> None:
    given = {"recipe": "base", "serverIds": [1] * (MAX_LIST + 1)}
    async with api.client.post("/ansible/run", json=given) as response:
        assert (response.status, (await response.json())["error"]) == (
            400,
            f"serverIds: {MAX_LIST + 1} values are too many: no such list here takes more than {MAX_LIST}",
        )


SIZES = [20_000, 33_000, 40_000, 60_000, 65_000, 65_536, 100_000, 131_072, 500_000, 1_000_000, 1_048_000]


async def test_a_body_of_any_size_is_answered(data_dir: Path, ansible_dir: Path) -> None:
    """What ends a body belongs to it, however much of it comes in one piece."""
    async with server(data_dir, ansible_dir) as door:
        kept = await door.connect()
        for size in SIZES * 4:
            body = json.dumps({"query": "{ viewer { name } }", "variables": {"v": "x" * (size - 58)}}).encode()
            head = f"POST /graphql HTTP/1.1\r\nHost: x\r\n{BEARER}\r\nContent-Type: application/json\r\n"
            request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            kept.send(request)
            assert await kept.status() == 200
            fresh = await door.connect(request)
            assert await fresh.status() == 200
        assert (await door.refused())["malformed"] == 0


async def test_a_body_in_two_pieces_with_what_follows_it(data_dir: Path, ansible_dir: Path) -> None:
    async with server(data_dir, ansible_dir) as door:
        body = json.dumps({"query": "{ viewer { name } }", "variables": {"v": "x" * 60_000}}).encode()
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\n{BEARER}\r\nContent-Type: application/json\r\n"
        client = await door.connect(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:20_000])
        await asyncio.sleep(0.2)
        client.send(body[20_000:] + ASK)
        assert [await client.status(), await client.status()] == [200, 200]
