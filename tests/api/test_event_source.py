"""Server-sent events: the same bytes as the socket sends, resumed by the id of the last event, for nobody else."""

import asyncio
import json
import random
import re
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import JobEvent, JobStatus, LogChunk, ProvisionJob
from models.chunk import MAX_BYTES
from playcast.http import send_timeout
from playcast.routes import event_stream
from runner.bus import LocalBus
from tests.api.test_session import FOREIGN, cookie_of
from tests.conftest import StartApp
from tests.log.test_resume import CONTENT, store
from tests.support.api import JSON, RUN, Api
from tests.support.playbooks import SLOW
from tests.support.serving import serving
from tests.support.untouched import assert_untouched

PATH = "/graphql/stream"
TOKEN = "correct-horse"
# It asks for no cursor, and has no argument that could be moved.
TEXT = "subscription($id: ID!) { jobLog(jobId: $id) { text } }"
UPDATES = "subscription { jobUpdated { number } }"
EVENTS = "subscription($id: ID!, $after: String) { jobEvents(jobId: $id, after: $after) { events { seq } end } }"
RUNNING = '{"status": "RUNNING", "reason": null}'
EVENT = re.compile(rb"event: (next|complete)\n(?:id: (\d+)\n)?data:(?: (.*))?\n\n|:\n\n")
OPENED = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


def parse(data: bytes) -> Iterator[tuple[str, str | None, Any]]:
    """Whole events: their kind, id and data; comments are passed over, and the beginning of one at the end."""
    at = 0
    while match := EVENT.match(data, at):
        at = match.end()
        if match[1]:
            mark = match[2].decode() if match[2] else None
            yield match[1].decode(), mark, json.loads(match[3]) if match[3] else None


async def post(api: Api, query: str, variables: JSON | None = None, last: str | None = None) -> bytes:
    """Everything that is sent until the stream ends; `last` is the id of the last event that was seen."""
    body = {"query": query, "variables": variables}
    headers = {} if last is None else {"Last-Event-ID": last}
    async with api.client.post(PATH, json=body, headers=headers) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        return await response.read()


async def test_each_event_word_for_word(api: Api) -> None:
    job = await store(b'one\n"two" \xc3\xbc\r\n\xff\n', [4])
    query = "subscription L($id: ID!) { log: jobLog(jobId: $id) { after text end } }"
    text = '"one\\n\\"two\\" ü\\r\\n�\\n"'
    said = f'{{"data":{{"log":{{"after":"0","text":{text},"end":true}}}}}}'
    assert await post(api, query, {"id": str(job.id)}) == (
        OPENED + b"event: next\nid: 16\ndata: " + said.encode() + b"\n\n" + COMPLETE
    )
    # A fragment is executed for each watcher, and says the same.
    spread = (
        "subscription L($id: ID!) { ...F } fragment F on Subscription { log: jobLog(jobId: $id) { after text end } }"
    )
    assert await post(api, spread, {"id": str(job.id)}) == await post(api, query, {"id": str(job.id)})


async def test_headers(api: Api) -> None:
    async with api.client.post(PATH, json={"query": "{ viewer { name } }"}) as response:
        names = ("Cache-Control", "X-Accel-Buffering", "X-Content-Type-Options")
        assert [response.headers[name] for name in names] == ["no-store, no-transform", "no", "nosniff"]
        assert "Content-Encoding" not in response.headers
        said = b'event: next\ndata: {"data":{"viewer":{"name":"local"}}}\n\n'
        assert await response.read() == OPENED + said + COMPLETE


@pytest.mark.parametrize("seed", range(4))
async def test_cut_anywhere_it_goes_on_after_the_last_whole_event(api: Api, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 (to choose where to cut)
    content = CONTENT * 40
    job = await store(content, draw.sample(range(1, len(content)), 300))
    params = {"query": TEXT, "variables": json.dumps({"id": str(job.id)})}
    text, last, cuts, done = "", "", 0, False
    while not done:
        headers = {"Last-Event-ID": last} if last else {}
        async with api.client.get(PATH, params=params, headers=headers) as response:
            # The first one reads on, so that it comes to an end.
            got = await response.content.read(-1) if cuts > 12 else await read_some(response, draw.randint(1, 40_000))
        cuts += 1
        for kind, mark, payload in parse(got):
            done = kind == "complete"
            if not done:
                assert mark is not None
                last = mark
                text += payload["data"]["jobLog"]["text"]
    assert cuts > 5
    assert last == str(len(content))
    # What is cut inside of a letter is replaced on both sides, as over the socket.
    assert text.replace("�", "") == content.decode(errors="ignore").replace("�", "")


async def read_some(response: Any, count: int) -> bytes:
    """At least so many bytes, then the connection is cut."""
    got = b""
    while len(got) < count and (more := await response.content.read(count - len(got))):
        got += more
    response.connection.transport.abort()
    return got


async def test_a_job_is_followed_to_its_end(
    api: Api, add_recipe: Callable[[str, str], None], data_dir: Path, go: Path
) -> None:
    add_recipe("slow", SLOW.format(go=go))
    job = await api.run("slow", await api.create_server())
    got = b""
    params = {"query": TEXT, "variables": json.dumps({"id": job["id"]})}
    async with api.client.get(PATH, params=params) as response:
        while b"printed early" not in got:
            got += await response.content.readany()
        assert COMPLETE not in got
        go.touch()
        got += await response.read()
    assert got.endswith(COMPLETE)
    texts = [payload["data"]["jobLog"]["text"] for kind, _, payload in parse(got) if kind == "next"]
    assert "".join(texts).encode() == await asyncio.to_thread((data_dir / job["logPath"]).read_bytes)
    assert (await api.job(job["id"]))["status"] == "SUCCESS"


async def test_events_have_ids_too(api: Api) -> None:
    job = await store(b"", [])
    for seq in range(1, 251):
        await JobEvent.create(job_id=job.id, seq=seq, kind="status", at=job.created_at, payload=RUNNING)
    await ProvisionJob.filter(id=job.id).update(event_count=250)
    whole = list(parse(await post(api, EVENTS, {"id": str(job.id)})))
    assert [mark for _, mark, _ in whole] == ["100", "200", "250", None]
    rest = list(parse(await post(api, EVENTS, {"id": str(job.id), "after": "7"}, last="200")))
    found = [event["seq"] for _, _, payload in rest[:-1] for event in payload["data"]["jobEvents"]["events"]]
    assert found == list(range(201, 251))


async def test_the_header_goes_before_the_argument_of_those_two_alone(api: Api) -> None:
    job = await store(b"one\ntwo\n", [4])
    query = 'subscription { jobLog(jobId: "1", after: "0") { after text } }'
    for mark, text in (("4", "two\n"), ("0", "one\ntwo\n"), ("", "one\ntwo\n")):
        ((_, _, payload), _) = parse(await post(api, query, last=mark))
        assert payload == {"data": {"jobLog": {"after": mark or "0", "text": text}}}
    for mark, problem in (
        ("x", '"x" is not a valid log cursor: use a `cursor` that this API gave you, or none to start'),
        ("9", "cursor 9 is past the end of the log of job 1, which has 8 bytes"),
    ):
        ((kind, none, payload), (end, _, _)) = parse(await post(api, query, last=mark))
        assert (kind, none, end) == ("next", None, "complete")
        assert [error["message"] for error in payload["errors"]] == [problem]
        assert payload["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    page = f'{{ job(id: "{job.id}") {{ log(after: "4") {{ chunks {{ text }} }} }} }}'
    ((_, mark_of_page, payload), _) = parse(await post(api, page, last="8"))
    assert mark_of_page is None
    assert payload["data"]["job"]["log"]["chunks"] == [{"text": "two\n"}]


async def test_who_reads_nothing_holds_no_memory_and_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 1024
    job = await store(b"", [])
    now = job.created_at
    piece = b"x" * (MAX_BYTES - 1) + b"\n"
    for start in range(0, count * MAX_BYTES, MAX_BYTES):
        await LogChunk.create(job_id=job.id, start=start, first_line=1, data=piece, emitted_at=now)
    await ProvisionJob.filter(id=job.id).update(log_size=count * MAX_BYTES)
    monkeypatch.setattr(send_timeout, "SEND_SECONDS", 2.0)
    let_go = asyncio.Event()
    send = send_timeout.send_or_abort

    async def noticed(*given: Any) -> None:
        try:
            await send(*given)
        except ConnectionAbortedError:
            let_go.set()
            raise

    monkeypatch.setattr(event_stream, "send_or_abort", noticed)
    before = memory()
    reader, writer = await asyncio.open_connection(api.client.host, api.client.port, limit=1024)
    body = json.dumps({"query": TEXT, "variables": {"id": str(job.id)}}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(head.encode() + b"\r\n\r\n" + body)
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    most = 0
    async with asyncio.timeout(60):
        while not let_go.is_set():
            most = max(most, memory())
            await asyncio.sleep(0.05)
    # 64 MiB wait for it. What the server holds of them is one piece, and what is shared with others.
    assert most - before < 32 * 2**20
    writer.close()


def memory() -> int:
    """What this process has in memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def test_silence_is_filled(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.05)
    async with api.client.get(PATH, params={"query": UPDATES}) as response:
        assert await response.content.readexactly(4 * len(OPENED)) == 4 * OPENED


@pytest.mark.parametrize("query", [UPDATES, TEXT])
async def test_who_vanishes_leaves_nothing_behind(buses: list[LocalBus], api: Api, query: str) -> None:
    job = await store(b"one\n", [])
    await ProvisionJob.filter(id=job.id).update(status=JobStatus.RUNNING)
    params = {"query": query, "variables": json.dumps({"id": str(job.id)})}
    before = dict(buses[0]._listeners)
    async with api.client.get(PATH, params=params) as response:
        assert (await read_some(response, 20)).startswith(OPENED + b"event: next\n")
        assert buses[0]._listeners != before
    async with asyncio.timeout(30):
        while buses[0]._listeners != before:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0.01)


async def test_a_server_that_stops_leaves_it_open_for_more(api: Api) -> None:
    async with api.client.get(PATH, params={"query": UPDATES}) as response:
        assert await response.content.readexactly(len(OPENED)) == OPENED
        stopping = asyncio.create_task(api.client.server.close())
        async with asyncio.timeout(30):
            assert await response.read() == b""
        await stopping


# A server that waits longer for open requests than any test.
PATIENT = """
from playcast import server
server.SHUTDOWN_SECONDS = 250
from playcast.commands.cli import main
main()
"""


async def test_a_server_that_is_ended_ends_at_once(data_dir: Path, ansible_dir: Path) -> None:
    async with (
        serving(data_dir, ansible_dir, program=[sys.executable, "-c", PATIENT]) as server,
        server.api.client.get(PATH, params={"query": UPDATES}) as response,
    ):
        assert await response.content.readexactly(len(OPENED)) == OPENED
        server.process.terminate()
        async with asyncio.timeout(60):
            assert await response.read() == b""
            assert await server.process.wait() == 0


async def test_only_with_the_token_or_its_cookie(start_app: StartApp) -> None:
    api = await start_app(token=TOKEN)
    job = await store(b"secret\n", [])
    params = {"query": TEXT, "variables": json.dumps({"id": str(job.id)})}
    cookie = {"Cookie": await cookie_of(api)}
    cases = [({}, 401), ({"Authorization": "Bearer wrong"}, 401), (api.headers, 200), (cookie, 200)]
    cases += [({**cookie, **foreign}, 401) for foreign in FOREIGN]
    for headers, status in cases:
        for method in ("GET", "POST"):
            given: JSON = {"params": params} if method == "GET" else {"json": {**params, "variables": {"id": "1"}}}
            async with api.client.request(method, PATH, headers=headers, **given) as response:
                assert (headers, response.status, b"secret" in await response.read()) == (
                    headers,
                    status,
                    status == 200,
                )


@pytest.mark.parametrize("foreign", FOREIGN, ids=[str(one) for one in FOREIGN])
async def test_without_a_token_other_sites_get_no_stream(api: Api, foreign: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        given: JSON = {"params": {"query": UPDATES}} if method == "GET" else {"json": {"query": UPDATES}}
        async with api.client.request(method, PATH, headers=foreign, **given) as response:
            assert response.status == 403
            told = refused(await response.json())
            assert told == ("FORBIDDEN", "pages of other sites cannot use this server")


def refused(answer: JSON) -> tuple[str, str]:
    """Code and message of the one error of an answer that holds nothing else."""
    assert list(answer) == ["errors"]
    (error,) = answer["errors"]
    assert sorted(error) == ["extensions", "message"]
    return error["extensions"]["code"], error["message"]


async def test_by_get_there_are_subscriptions_alone(api: Api, data_dir: Path) -> None:
    server = await api.create_server()
    variables = json.dumps({"input": {"recipe": "demo", "serverIds": [server]}})
    for query in (RUN, "{ viewer { name } }", "query A { viewer { name } } fragment F on Query { viewer { name } }"):
        async with api.client.get(PATH, params={"query": query, "variables": variables}) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
            assert refused(await response.json()) == (
                "METHOD_NOT_ALLOWED",
                "by GET only subscriptions are taken: send this by POST",
            )
    assert await ProvisionJob.all().count() == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("subscription {", "Syntax Error"),
        ("subscription { nothing }", "Cannot query field"),
        ("query { " + "job(id: 1) { servers { lastJob { servers { lastJob { servers { lastJob { servers { lastJob { "
         "servers { lastJob { servers { lastJob { number } } } } } } } } } } } } } }", "exceeds maximum"),
        ("query { " + " ".join(f"a{n}: viewer {{ name }}" for n in range(51)) + " }", "51 aliases found. Allowed: 50"),
        ("query { " + "a " * 2001 + "}", "Document contains more than 2000 tokens"),
    ],
    ids=["syntax", "field", "depth", "aliases", "tokens"],
)  # fmt: skip
async def test_what_cannot_run_is_told_and_complete(api: Api, query: str, said: str) -> None:
    ((kind, mark, payload), (end, _, nothing)) = parse(await post(api, query))
    assert (kind, mark, list(payload), end, nothing) == ("next", None, ["errors"], "complete", None)
    assert said in payload["errors"][0]["message"]


MALFORMED: dict[str, tuple[JSON, int, str]] = {
    "no type": ({"data": "{}"}, 415, "send JSON, with Content-Type: application/json"),
    "no JSON": ({"data": "{", "headers": {"Content-Type": "application/json"}}, 400, "the body is not JSON: "),
    "deep": ({"data": "[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400, "the body is not JSON: "),
    "list": (
        {"json": [{"query": UPDATES}]},
        400,
        "send one operation, as an object with `query`: there are no batches",
    ),
    "no query": ({"json": {}}, 400, "query: send an operation as text"),
    "query": ({"json": {"query": [UPDATES]}}, 400, "query: send an operation as text"),
    "variables": ({"json": {"query": UPDATES, "variables": [1]}}, 400, "variables: send an object"),
    "name": ({"json": {"query": UPDATES, "operationName": 1}}, 400, "operationName: send text"),
}


@pytest.mark.parametrize(("given", "status", "said"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_requests(api: Api, data_dir: Path, given: JSON, status: int, said: str) -> None:
    async with api.client.post(PATH, **given) as response:
        assert response.status == status
        code, message = refused(await response.json())
        assert (code, message.startswith(said)) == ("UNSUPPORTED_MEDIA_TYPE" if status == 415 else "BAD_REQUEST", True)
    for params in ({}, {"query": UPDATES, "variables": "{"}, {"query": UPDATES, "variables": "[]"}):
        async with api.client.get(PATH, params=params) as response:
            assert response.status == 400
    await assert_untouched(data_dir)
