"""Plain HTTP: what is no request, the routes for curl and old clients, and ranges of the log."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gql.ids import global_id
from models import LogChunk, ProvisionJob
from tests.api import JSON, Api
from tests.playbooks import SLOW
from tests.untouched import assert_untouched

JSON_TYPE = {"Content-Type": "application/json"}
TEXT = b"PLAY [all]\nok: \xc3\xbc\n" + b"z" * 70_000 + b"\n"


async def send(api: Api, method: str, path: str, **given: Any) -> tuple[int, str, str]:
    async with api.client.request(method, path, **given) as response:
        return response.status, response.content_type, (await response.read()).decode()


async def get(api: Api, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    async with api.client.request(method, path, headers=headers) as response:
        return response.status, dict(response.headers), await response.read()


async def stored_log(text: bytes = TEXT) -> None:
    """Job 1, ended, its log in chunks of 30,000 bytes."""
    job = await ProvisionJob.create(
        recipe="base", revision="r", status="SUCCESS", tags=[], skip_tags=[], timeout_seconds=1, requested_by="x",
        log_size=len(text), line_count=text.count(b"\n"),
    )  # fmt: skip
    for start in range(0, len(text), 30_000):
        line = text[:start].count(b"\n") + 1
        data = text[start : start + 30_000]
        await LogChunk.create(job=job, start=start, first_line=line, data=data, emitted_at=job.created_at)


NO_JSON = {
    "empty": b"",
    "cut": b'{"query": "{ viewer',
    "arrays": b"[" * 200_000,
    "objects": b'{"a":' * 100_000,
    "digits": b'{"query": "{ viewer { name } }", "variables": {"a": ' + b"9" * 5000 + b"}}",
    "NaN": b'{"query": "{ viewer { name } }", "variables": {"a": NaN}}',
    "infinity": b'{"query": "{ viewer { name } }", "variables": {"a": -Infinity}}',
    "no UTF-8": b'{"query": "\xff"}',
    "number": b"5",
    "null": b"null",
    "text": b'"{ viewer { name } }"',
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON.keys())
async def test_a_body_that_is_no_request(api: Api, data_dir: Path, body: bytes) -> None:
    refusal = (400, "text/plain", "Unable to parse request body as JSON")
    assert await send(api, "POST", "/graphql", data=body, headers=JSON_TYPE) == refusal
    status, kind, text = await send(api, "POST", "/ansible/run", data=body, headers=JSON_TYPE)
    assert (status, kind, list(json.loads(text))) == (400, "application/json", ["error"])
    assert "Traceback" not in text
    await assert_untouched(data_dir)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", "Batching is not enabled"),
        ("{}", "No GraphQL query found in the request"),
        ('{"query": 5}', "The GraphQL operation's `query` must be a string or null, if provided."),
        (
            '{"query": "{a}", "variables": [1]}',
            "The GraphQL operation's `variables` must be an object or null, if provided.",
        ),
        ('{"query": "{ viewer { name } }", "operationName": "X"}', 'Unknown operation named "X".'),
        ('{"query": "{ viewer { name } }", "operationName": [1]}', 'Unknown operation named "[1]".'),
    ],
)
async def test_json_that_is_no_request(api: Api, body: str, message: str) -> None:
    assert await send(api, "POST", "/graphql", data=body, headers=JSON_TYPE) == (400, "text/plain", message)


async def test_only_small_json_by_post_is_taken(api: Api, data_dir: Path) -> None:
    query = '{"query": "mutation { deleteServer(input: {id: 1}) { deletedId } }"}'
    for path, refusal in (("/graphql", 400), ("/ansible/run", 415)):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            sent = await send(api, "POST", path, data=query, headers={"Content-Type": kind})
            assert (kind, sent[0]) == (kind, refusal)
        large = await send(api, "POST", path, data=io.BytesIO(b" " * (1024 * 1024 + 1)), headers=JSON_TYPE)
        assert large == (413, "text/plain", "Maximum request body size 1048576 exceeded.")
    refused = (400, "text/plain", "queries are not allowed when using GET")
    assert await send(api, "GET", "/graphql", params={"query": "{ viewer { name } }"}) == refused
    assert (await send(api, "PUT", "/graphql", data=query, headers=JSON_TYPE))[0] == 405
    assert (await send(api, "GET", "/ansible/run"))[0] == 405
    await assert_untouched(data_dir)


async def test_bad_runs(api: Api, data_dir: Path) -> None:
    await api.create_server()
    recipe, ids = (
        "recipe: give the name of a recipe, such as base",
        "serverIds: give a list of server ids, such as [1, 2]",
    )
    known = "not known here; use runProvision of /graphql for more than a plain run"
    none = '"x" is not a recipe; the recipes here are: base, demo'
    no_id = "is no id: use an `id` that this API gave you, or the bare number"
    cases: list[tuple[Any, int, str, list[str] | None]] = [
        ([], 400, 'the body must be an object, such as {"recipe": "base", "serverIds": [1]}', None),
        ({"serverIds": [1]}, 400, recipe, None),
        ({"recipe": 1, "serverIds": [1]}, 400, recipe, None),
        ({"recipe": "base"}, 400, ids, None),
        *(({"recipe": "base", "serverIds": bad}, 400, ids, None) for bad in (1, "1", [1.0], [True], [None], {"1": 1})),
        ({"recipe": "base", "serverIds": [1], "extraVars": {}}, 400, f"extraVars: {known}", None),
        ({"recipe": "base", "serverIds": [1], "\ud800": {}}, 400, f"\ud800: {known}", None),
        ({"recipe": "base", "serverIds": []}, 422, "name at least one server", ["SERVERS_EMPTY", "serverIds"]),
        ({"recipe": "x", "serverIds": [1]}, 422, none, ["RECIPE_NOT_ALLOWED", "recipe"]),
        ({"recipe": "base", "serverIds": [9]}, 404, "there is no server 9", ["NOT_FOUND", "serverIds", "0"]),
        ({"recipe": "base", "serverIds": [-1]}, 422, f'"-1" {no_id}', ["INVALID", "serverIds", "0"]),
        ({"recipe": "base", "serverIds": ["\ud800"]}, 422, f'"\\ud800" {no_id}', ["INVALID", "serverIds", "0"]),
        ({"recipe": "base", "serverIds": [1, "1"]}, 422, "server 1 is named twice: name each server once",
         ["INVALID", "serverIds"]),
    ]  # fmt: skip
    for body, status, message, path in cases:
        found, _, text = await send(api, "POST", "/ansible/run", data=json.dumps(body), headers=JSON_TYPE)
        expected: JSON = {"error": message}
        if path is not None:
            expected["problems"] = [{"code": path[0], "message": message, "field": path[1:]}]
        assert (found, json.loads(text)) == (status, expected)
    odd = {"Content-Type": "application/json; charset=nonsense"}
    assert (await send(api, "POST", "/ansible/run", data="{}", headers=odd))[0] == 400
    await assert_untouched(data_dir, servers=1)


async def test_jobs_that_are_not_there(api: Api) -> None:
    missing = (404, "application/json", '{"error": "there is no such job"}')
    for number in ("1", "x", "0", "-1", "9" * 30, "%00", "%ed%a0%80", global_id("Server", 1)):
        assert await send(api, "GET", f"/ansible/jobs/{number}") == missing
        assert await send(api, "GET", f"/ansible/jobs/{number}/log") == missing


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5-", 5, len(TEXT)),
        ("bytes=-7", len(TEXT) - 7, len(TEXT)),
        ("bytes=29999-60001", 29999, 60002),
        ("bytes=5-99999999", 5, len(TEXT)),
        (f"bytes=-{len(TEXT) + 1}", 0, len(TEXT)),
    ],
)
async def test_ranges(api: Api, asked: str, start: int, stop: int) -> None:
    await stored_log()
    for method, body in (("GET", TEXT[start:stop]), ("HEAD", b"")):
        status, headers, found = await get(api, "/ansible/jobs/1/log", method, Range=asked)
        assert (status, found) == (206, body)
        assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(TEXT)}"
        assert headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize(
    "asked",
    [None, "bytes=", "bytes=-", "bytes=x-", "bytes=9-5", "bytes=0-1,5-6", "lines=0-1", "bytes=1 - 2",
     "bytes=\uff11-\uff12", "bytes=" + "9" * 30 + "-"],
)  # fmt: skip
async def test_what_is_no_range_means_the_whole(api: Api, asked: str | None) -> None:
    await stored_log()
    headers = {"Range": asked} if asked is not None else {}
    for method, body in (("GET", TEXT), ("HEAD", b"")):
        status, answer, found = await get(api, "/ansible/jobs/1/log", method, **headers)
        assert (status, found) == (200, body)
        assert "Content-Range" not in answer
        assert (answer["Content-Length"], answer["Accept-Ranges"]) == (str(len(TEXT)), "bytes")
        assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("text/plain; charset=utf-8", "nosniff")


@pytest.mark.parametrize("asked", [f"bytes={len(TEXT)}-", "bytes=999999-", "bytes=-0"])
async def test_ranges_outside(api: Api, asked: str) -> None:
    await stored_log()
    status, headers, body = await get(api, "/ansible/jobs/1/log", Range=asked)
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(TEXT)}")
    assert json.loads(body) == {"error": f"the log has {len(TEXT)} bytes so far"}


async def curl(api: Api, path: str, *options: str) -> tuple[int, str]:
    command = ["curl", "-sS", "-w", "\n%{http_code}", *options, str(api.client.make_url(path))]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    body, _, status = out.decode().rpartition("\n")
    return int(status), body


async def test_curl_runs_a_recipe_and_reads_its_log_while_it_grows(
    api: Api, add_recipe: Callable[[str, str], None], tmp_path: Path, data_dir: Path
) -> None:
    go = tmp_path / "go"
    add_recipe("slow", SLOW.format(go=go))
    await api.create_server()
    try:
        order = ["-H", "Content-Type: application/json", "-d", '{"recipe": "slow.yml", "serverIds": [1]}']
        assert await curl(api, "/ansible/run", *order) == (201, '{"jobId": 1}')
        early = ""
        while "printed early" not in early:
            await asyncio.sleep(0.05)
            status, early = await curl(api, "/ansible/jobs/1/log")
            assert status == 200
        state = json.loads((await curl(api, "/ansible/jobs/1"))[1])
        assert (state["status"], state["endedAt"]) == ("RUNNING", None)
    finally:
        go.touch()
    await api.finished("1")
    log = (data_dir / "jobs/1/ansible.log").read_text()
    assert await curl(api, "/ansible/jobs/1/log") == (200, log)
    assert log.startswith(early)
    rest = await curl(api, "/ansible/jobs/1/log", "-r", f"{len(early.encode())}-")
    assert rest == (206, log[len(early) :])
    state = json.loads((await curl(api, "/ansible/jobs/1"))[1])
    assert (state["jobId"], state["recipe"], state["status"], state["exitCode"]) == (1, "slow", "SUCCESS", 0)
    assert (state["logPath"], state["logSize"]) == ("jobs/1/ansible.log", len(log.encode()))


async def test_health_and_figures(api: Api) -> None:
    assert await send(api, "GET", "/healthz") == (200, "text/plain", "ok\n")
    assert await send(api, "GET", "/readyz") == (200, "text/plain", "ready\n")
    status, kind, text = await send(api, "GET", "/metrics")
    assert (status, kind) == (200, "text/plain")
    lines = text.splitlines()
    for line in ("playcast_jobs_running 0.0", "playcast_slots 4.0"):
        assert line in lines
