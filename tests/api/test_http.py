"""Plain HTTP: what is no request, the routes for curl and old clients, and ranges of the log."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gql.ids import global_id
from tests.support.api import JSON, Api
from tests.support.playbooks import SLOW
from tests.support.untouched import assert_untouched

JSON_TYPE = {"Content-Type": "application/json"}


async def send(api: Api, method: str, path: str, **given: Any) -> tuple[int, str, str]:
    async with api.client.request(method, path, **given) as response:
        return response.status, response.content_type, (await response.read()).decode()


NO_JSON = {
    "empty": b"",
    "cut": b'{"query": "{ viewer',
    "arrays": b"[" * 200_000,
    "objects": b'{"a":' * 100_000,
    "digits": b'{"query": "{ viewer { name } }", "variables": {"a": ' + b"9" * 5000 + b"}}",
    "more than a number can be": b'{"query": "{ viewer { name } }", "variables": {"a": 1e999}}',
    "NaN": b'{"query": "{ viewer { name } }", "variables": {"a": NaN}}',
    "infinity": b'{"query": "{ viewer { name } }", "variables": {"a": -Infinity}}',
    "no UTF-8": b'{"query": "\xff"}',
    "number": b"5",
    "null": b"null",
    "text": b'"{ viewer { name } }"',
}


def refused(text: str, *, graphql: bool) -> tuple[str, str]:
    """Code and message of an answer that holds one error and nothing else, in the form of its path."""
    answer = json.loads(text)
    if not graphql:
        assert sorted(answer) == ["code", "error"]
        return answer["code"], answer["error"]
    assert list(answer) == ["errors"]
    (error,) = answer["errors"]
    assert sorted(error) == ["extensions", "message"]
    return error["extensions"]["code"], error["message"]


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream", "/ansible/run", "/session"])
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON.keys())
async def test_a_body_that_is_no_request(api: Api, data_dir: Path, body: bytes, path: str) -> None:
    with capture_logs() as logs:
        status, kind, text = await send(api, "POST", path, data=body, headers=JSON_TYPE)
    code, message = refused(text, graphql="graphql" in path)
    large = path == "/session" and len(body) > 4096
    assert (status, kind, code) == (
        (413, "application/json", "PAYLOAD_TOO_LARGE") if large else (400, "application/json", "BAD_REQUEST")
    )
    assert message.startswith("the body is too large: " if large else "the body is not JSON: ")
    assert logs == []
    await assert_untouched(data_dir)


async def pieces(count: int) -> AsyncIterator[bytes]:
    """A body whose length is not announced."""
    for start in range(0, count, 1000):
        yield b" " * min(1000, count - start)


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream", "/ansible/run", "/session"])
async def test_only_small_json_in_utf_8_by_post_is_taken(api: Api, data_dir: Path, path: str) -> None:
    query = b'{"query": "mutation { deleteServer(input: {id: 1}) { deletedId } }"}'
    most = 4096 if path == "/session" else 1024 * 1024
    json_only, utf_8 = "send JSON, with Content-Type: application/json", "send JSON as UTF-8, with no other charset"
    cases: list[tuple[str | None, Any, int, str, str]] = [
        (None, query, 415, "UNSUPPORTED_MEDIA_TYPE", json_only),
        *((kind, query, 415, "UNSUPPORTED_MEDIA_TYPE", json_only)
          for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                       "application/graphql", "application/json-seq", "text/json; application/json")),
        *((f"application/json; charset={charset}", query, 415, "UNSUPPORTED_MEDIA_TYPE", utf_8)
          for charset in ("nonsense", "iso-8859-1", "utf-16", "utf-7", "ascii-8")),
        ("application/json", query.decode().encode("utf-16"), 400, "BAD_REQUEST", "the body is not JSON: "),
        ("application/json", pieces(most + 1), 413, "PAYLOAD_TOO_LARGE", "the body is too large: send at most "),
        ("application/json",
         io.BytesIO(b" " * (most + 1)), 413, "PAYLOAD_TOO_LARGE", f"the body is too large: send at most {most} "),
    ]  # fmt: skip
    for kind, body, status, code, message in cases:
        headers = {"Content-Type": kind} if kind else {}
        found, _, text = await send(api, "POST", path, data=body, headers=headers, skip_auto_headers=["Content-Type"])
        told = refused(text, graphql="graphql" in path)
        assert (kind, found, told[0], told[1].startswith(message)) == (kind, status, code, True)
    for charset in ("utf-8", "UTF-8", '"utf-8"', "us-ascii"):
        kind = f"application/json; charset={charset}"
        assert (await send(api, "POST", path, data=b"{}", headers={"Content-Type": kind}))[0] == 400
    await assert_untouched(data_dir)


METHODS = {
    "/graphql": "GET,HEAD,POST",
    "/graphql/stream": "GET,POST",
    "/ansible/run": "POST",
    "/ansible/jobs/1": "GET,HEAD",
    "/ansible/jobs/1/log": "GET,HEAD",
    "/healthz": "GET,HEAD",
    "/readyz": "GET,HEAD",
    "/metrics": "GET,HEAD",
    "/session": "DELETE,POST",
    "/": "GET,HEAD",
    "/assets/x.js": "GET,HEAD",
    "/graphiql/x.js": "GET,HEAD",
}


@pytest.mark.parametrize(("path", "allowed"), METHODS.items())
async def test_other_methods_are_told_which_work(api: Api, data_dir: Path, path: str, allowed: str) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - {
        *allowed.split(",")
    }:
        async with api.client.request(method, path, json={}) as response:
            assert (method, response.status, response.headers.get("Allow")) == (method, 405, allowed)
            if method != "HEAD":
                told = refused(await response.text(), graphql="graphql" in path and "graphiql" not in path)
                assert told == ("METHOD_NOT_ALLOWED", f'"{method}" does not work here: use {allowed}')
    await assert_untouched(data_dir)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/graphql/", "/graphql/x", "/ansible", "/ansible/jobs", "/assets/none.js", "/graphiql/none.js",
             "/ansible/jobs/1/x", "/%00", "/healthz/x", "/../x"]
)  # fmt: skip
async def test_paths_that_are_not_there(api: Api, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        if method == "GET" or not path.endswith(".js"):
            status, kind, text = await send(api, method, path)
            assert (status, kind, refused(text, graphql=False)[0]) == (404, "application/json", "NOT_FOUND")


async def test_operations_by_get(api: Api, data_dir: Path) -> None:
    """The specification asks for 405 where a mutation comes by GET. Here no operation does."""
    for query in ("{ viewer { name } }", "mutation { deleteServer(input: {id: 1}) { deletedId } }", "{", ""):
        for accept in ("*/*", "application/json", "text/html", "application/graphql-response+json"):
            async with api.client.get("/graphql", params={"query": query}, headers={"Accept": accept}) as response:
                assert (response.status, response.headers["Allow"]) == (405, "POST")
                told = refused(await response.text(), graphql=True)
                assert told == ("METHOD_NOT_ALLOWED", "operations are taken by POST alone")
    async with api.client.get("/graphql", headers={"Accept": "application/json"}) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert refused(await response.text(), graphql=True)[0] == "METHOD_NOT_ALLOWED"
    await assert_untouched(data_dir)


async def test_bad_runs(api: Api, data_dir: Path) -> None:
    await api.create_server()
    recipe, ids = (
        "recipe: give the name of a recipe, such as base",
        "serverIds: give a list of server ids, such as [1, 2]",
    )
    known = "not known here; use runProvision of /graphql for more than a plain run"
    none = '"x" is not a recipe; the recipes here are: base, demo'
    no_id = "is not a valid id: use an `id` that this API gave you, or the bare number"
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
        code = path[0] if path is not None else "BAD_REQUEST"
        expected: JSON = {"error": message, "code": code}
        if path is not None:
            expected["problems"] = [{"code": path[0], "message": message, "field": path[1:]}]
        assert (found, json.loads(text)) == (status, expected)
    await assert_untouched(data_dir, servers=1)


async def test_jobs_that_are_not_there(api: Api) -> None:
    missing = (404, "application/json", '{"error":"there is no such job","code":"NOT_FOUND"}')
    for number in ("1", "x", "0", "-1", "9" * 30, "%00", "%ed%a0%80", global_id("Server", 1)):
        assert await send(api, "GET", f"/ansible/jobs/{number}") == missing
        assert await send(api, "GET", f"/ansible/jobs/{number}/log") == missing


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
