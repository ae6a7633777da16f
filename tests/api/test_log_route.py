"""The log over plain HTTP: ranges, conditions, compression, and following a job to its end, by RFC 9110."""

import asyncio
import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from models import JobStatus, LogChunk, ProvisionJob
from playcast.settings import shipped_ansible_dir
from tests.support.api import Api
from tests.support.launchers import until
from tests.support.playbooks import SLOW
from tests.support.serving import serving

TEXT = b"PLAY [all]\nok: \xc3\xbc\n" + b"z" * 70_000 + b"\n"
SIZE = len(TEXT)
PATH = "/ansible/jobs/1/log"
ENDED = datetime(2026, 11, 23, 9, 31, 3, 131455, tzinfo=UTC)
TAG = f'"1-{SIZE}-{int(ENDED.timestamp() * 1_000_000):x}"'
ZIPPED = TAG[:-1] + '-gzip"'


async def stored_log(text: bytes = TEXT, status: JobStatus = JobStatus.SUCCESS) -> ProvisionJob:
    """A job that has ended, or has another status, its log in chunks of 30,000 bytes."""
    ended = ENDED if status is JobStatus.SUCCESS else None
    job = await ProvisionJob.create(
        recipe="base", revision="r", status=status, tags=[], skip_tags=[], timeout_seconds=1, requested_by="x",
        log_size=len(text), line_count=text.count(b"\n"), ended_at=ended,
    )  # fmt: skip
    for start in range(0, len(text), 30_000):
        line = text[:start].count(b"\n") + 1
        data = text[start : start + 30_000]
        await LogChunk.create(job=job, start=start, first_line=line, data=data, emitted_at=job.created_at)
    return job


async def get(api: Api, method: str = "GET", path: str = PATH, **headers: str) -> tuple[int, CIMultiDict[str], bytes]:
    """Status, headers and body as they came; the test's client asks for no compression by itself."""
    async with api.client.request(
        method, path, headers=headers, skip_auto_headers=["Accept-Encoding"], auto_decompress=False
    ) as response:
        return response.status, response.headers.copy(), await response.read()


RANGES = [
    ("bytes=0-9", 0, 10),
    ("Bytes=0-9", 0, 10),
    ("bytes=5-", 5, SIZE),
    ("bytes=-7", SIZE - 7, SIZE),
    ("bytes=29999-60001", 29999, 60002),
    ("bytes=5-99999999", 5, SIZE),
    (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
    (f"bytes=-{SIZE + 1}", 0, SIZE),
]


@pytest.mark.parametrize("status", [JobStatus.SUCCESS, JobStatus.RUNNING])
@pytest.mark.parametrize(("asked", "start", "stop"), RANGES)
async def test_ranges(api: Api, asked: str, start: int, stop: int, status: JobStatus) -> None:
    await stored_log(status=status)
    found, headers, body = await get(api, Range=asked)
    assert (found, body) == (206, TEXT[start:stop])
    assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert headers["Content-Length"] == str(stop - start)
    assert headers.get("ETag") == (TAG if status is JobStatus.SUCCESS else None)


@pytest.mark.parametrize(
    "asked",
    [None, "bytes=", "bytes=-", "bytes=x-", "bytes=9-5", "bytes=0-1,5-6", "lines=0-1", "bytes=1 - 2",
     "bytes=\uff11-\uff12", "bytes=" + "9" * 5000 + "-", ""],
)  # fmt: skip
async def test_what_is_no_range_means_the_whole(api: Api, asked: str | None) -> None:
    await stored_log()
    status, answer, found = await get(api, **({"Range": asked} if asked is not None else {}))
    assert (status, found) == (200, TEXT)
    assert "Content-Range" not in answer
    assert (answer["Content-Length"], answer["Accept-Ranges"]) == (str(SIZE), "bytes")
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("text/plain; charset=utf-8", "nosniff")


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=999999-", "bytes=-0", "bytes=" + "9" * 30 + "-"])
async def test_ranges_outside(api: Api, asked: str) -> None:
    await stored_log()
    status, headers, body = await get(api, Range=asked)
    assert (status, headers["Content-Range"]) == (416, f"bytes */{SIZE}")
    told = {"error": f"the log has {SIZE} bytes so far", "code": "RANGE_NOT_SATISFIABLE"}
    assert json.loads(body) == told


@pytest.mark.parametrize("asked", [*(asked for asked, _, _ in RANGES), "bytes=-0", f"bytes={SIZE}-"])
async def test_only_get_has_ranges(api: Api, asked: str) -> None:
    """RFC 9110, 14.2: GET is the only method for which range handling is defined."""
    await stored_log()
    status, headers, body = await get(api, "HEAD", Range=asked)
    assert (status, headers["Content-Length"], body) == (200, str(SIZE), b"")
    assert (headers["ETag"], headers["Accept-Ranges"], "Content-Range" in headers) == (TAG, "bytes", False)


@pytest.mark.parametrize(
    ("held", "whole"),
    [(TAG, False), (ZIPPED, True), (f"W/{TAG}", True), ('"1"', True), (TAG.strip('"'), True), ("*", True), ("", True),
     ("Mon, 23 Nov 2026 09:31:03 GMT", True), ("Fri, 01 Jan 2100 00:00:00 GMT", True)],
)  # fmt: skip
async def test_if_range(api: Api, held: str, *, whole: bool) -> None:
    """Only the strong validator of these very bytes makes a part of them fit to what the client holds."""
    await stored_log()
    status, _, body = await get(api, **{"Range": "bytes=5-9", "If-Range": held})
    assert (status, body) == ((200, TEXT) if whole else (206, TEXT[5:10]))
    # Also where the range lies outside: the client holds another log.
    status, _, body = await get(api, **{"Range": f"bytes={SIZE}-", "If-Range": held})
    assert (status, body == TEXT) == ((200, True) if whole else (416, False))


@pytest.mark.parametrize("held", [TAG, '"x"', "*"])
async def test_a_log_that_grows_has_no_validator(api: Api, held: str) -> None:
    await stored_log(status=JobStatus.RUNNING)
    status, headers, body = await get(api, **{"Range": "bytes=5-9", "If-Range": held})
    assert (status, body, "ETag" in headers) == (200, TEXT, False)
    status, _, _ = await get(api, **{"If-None-Match": held})
    assert status == (304 if held == "*" else 200)
    status, _, body = await get(api, **{"If-Match": held})
    assert (status, body == TEXT) == ((200, True) if held == "*" else (412, False))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("header", "held", "status"),
    [
        *(("If-None-Match", held, 304) for held in (TAG, f"W/{TAG}", f'"a", {TAG}', "*")),
        *(("If-None-Match", held, 200) for held in ('"1"', ZIPPED, TAG.strip('"'), f'"a", {ZIPPED}')),
        *(("If-Match", held, 200) for held in (TAG, f'"a", {TAG}', "*")),
        *(("If-Match", held, 412) for held in ('"1"', f"W/{TAG}", ZIPPED)),
    ],
)
async def test_conditions(api: Api, header: str, held: str, status: int, method: str) -> None:
    await stored_log()
    found, headers, body = await get(api, method, **{header: held})
    assert found == status
    if status == 304:
        assert (headers["ETag"], headers["Vary"], body) == (TAG, "Accept-Encoding", b"")
    if status == 200:
        assert body == (b"" if method == "HEAD" else TEXT)
    if status == 412 and method == "GET":
        assert json.loads(body)["code"] == "PRECONDITION_FAILED"


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [("gzip", True), ("GZIP", True), ("gzip, deflate, br", True), ("gzip;q=0.5", True), ("*", True), ("x-gzip", True),
     ("deflate, gzip;q=0.1, identity;q=0", True), ("identity;q=0.5, *;q=0.5", True), ("gzip; q=1.000", True),
     ("gzip;q=0", False), ("*;q=0", False), ("identity", False), ("deflate, br", False), ("", False),
     ("gzip;q=0.5, identity", False), ("gzip;q=0.5, *;q=0.7", False), ("gzip;q=x", False), ("gzip;q=2", False),
     ("*;q=0.5, gzip;q=0", False), ("gzipped", False), (",,;", False)],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_gzip_when_it_is_asked_for(api: Api, accepted: str, method: str, *, zipped: bool) -> None:
    await stored_log()
    status, headers, body = await get(api, method, **{"Accept-Encoding": accepted})
    assert (status, headers.get("Content-Encoding"), headers["Vary"]) == (
        200,
        "gzip" if zipped else None,
        "Accept-Encoding",
    )
    assert headers["ETag"] == (ZIPPED if zipped else TAG)
    assert (headers.get("Content-Length"), headers.get("Accept-Ranges")) == (
        (None, None) if zipped else (str(SIZE), "bytes")
    )
    if method == "GET":
        assert (gzip.decompress(body) if zipped else body) == TEXT
        assert len(body) < 2000 or not zipped


async def test_ranges_are_of_the_plain_bytes(api: Api) -> None:
    await stored_log()
    status, headers, body = await get(api, **{"Range": "bytes=5-9", "Accept-Encoding": "gzip"})
    assert (status, body, headers.get("Content-Encoding"), headers["ETag"]) == (206, TEXT[5:10], None, TAG)
    status, headers, body = await get(api, **{"Range": "bytes=5-9", "Accept-Encoding": "gzip", "If-Range": ZIPPED})
    assert (status, body, headers["ETag"]) == (200, TEXT, TAG)
    # What the client holds is compared with what it would get.
    status, headers, _ = await get(api, **{"Accept-Encoding": "gzip", "If-None-Match": ZIPPED})
    assert (status, headers["ETag"]) == (304, ZIPPED)


@pytest.mark.parametrize("follow", ["", "2", "true", "yes", "-1"])
async def test_follow_is_0_or_1(api: Api, follow: str) -> None:
    await stored_log()
    status, _, body = await get(api, path=f"{PATH}?follow={follow}")
    assert (status, json.loads(body)) == (
        400,
        {"error": "follow: use follow=1, or leave it out", "code": "BAD_REQUEST"},
    )


@pytest.mark.parametrize(("asked", "start", "stop"), RANGES)
async def test_following_what_has_ended_is_reading_it(api: Api, asked: str, start: int, stop: int) -> None:
    await stored_log()
    assert (await get(api, path=f"{PATH}?follow=1"))[::2] == (200, TEXT)
    status, headers, body = await get(api, path=f"{PATH}?follow=1", Range=asked)
    assert (status, body, headers["Content-Range"]) == (206, TEXT[start:stop], f"bytes {start}-{stop - 1}/{SIZE}")


async def curl(*options: str) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec("curl", "-sSN", *options, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, out


async def test_curl_follows_a_job_to_its_end(
    api: Api, add_recipe: Callable[[str, str], None], data_dir: Path, go: Path, tmp_path: Path
) -> None:
    add_recipe("slow", SLOW.format(go=go))
    job = await api.run("slow", await api.create_server())
    url = str(api.client.make_url(f"{PATH}?follow=1"))
    whole = asyncio.create_task(curl("-o", str(tmp_path / "whole"), url))
    # It is there before the job has ended, and a late follower with a range gets only what it has not.
    await until(lambda: (tmp_path / "whole").exists() and b"printed early" in (tmp_path / "whole").read_bytes(), 120)
    held = (tmp_path / "whole").read_bytes()
    (tmp_path / "rest").write_bytes(held)
    rest = asyncio.create_task(curl("-C", "-", "-o", str(tmp_path / "rest"), "-D", str(tmp_path / "head"), url))
    last = asyncio.create_task(curl("-r", "-5", url))
    bounded = await curl("-r", "0-9", url)
    await until(lambda: (tmp_path / "head").exists() and b"\r\n\r\n" in (tmp_path / "head").read_bytes(), 120)
    assert not whole.done()
    assert not rest.done()
    go.touch()
    assert await whole == (0, b"")
    assert await rest == (0, b"")
    log = (data_dir / job["logPath"]).read_bytes()
    assert log.count(b"\n") > held.count(b"\n") > 0
    assert (tmp_path / "whole").read_bytes() == log
    assert (tmp_path / "rest").read_bytes() == log
    head = (tmp_path / "head").read_text()
    assert head.startswith("HTTP/1.1 206 ")
    # RFC 8673: the end is not known yet.
    assert f"Content-Range: bytes {len(held)}-{2**53 - 1}/*\n" in head
    code, end = await last
    assert (code, log.endswith(end), len(end) > 5) == (0, True, True)
    assert bounded == (0, log[:10])
    assert (await api.job(job["id"]))["status"] == "SUCCESS"


@pytest.mark.parametrize(("asked", "status"), [(f"bytes={SIZE}-", 206), (f"bytes={SIZE + 1}-", 416), ("bytes=-0", 416)])
async def test_following_from_the_end_waits_for_more(api: Api, asked: str, status: int) -> None:
    job = await stored_log(status=JobStatus.RUNNING)
    async with api.client.get(f"{PATH}?follow=1", headers={"Range": asked}) as response:
        assert response.status == status
        if status == 206:
            await ProvisionJob.filter(id=job.id).update(status=JobStatus.SUCCESS, ended_at=ENDED)
            assert await response.read() == b""


async def test_a_job_that_waits_is_followed_from_its_start(api: Api) -> None:
    job = await stored_log(b"", JobStatus.PENDING)
    async with api.client.get(f"{PATH}?follow=1") as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        await LogChunk.create(job=job, start=0, first_line=1, data=b"late\n", emitted_at=job.created_at)
        await ProvisionJob.filter(id=job.id).update(status=JobStatus.CANCELED, log_size=5, ended_at=ENDED)
        assert await response.read() == b"late\n"


async def test_a_log_that_is_pruned_meanwhile_breaks_off(api: Api) -> None:
    await stored_log(status=JobStatus.RUNNING)
    async with api.client.get(f"{PATH}?follow=1") as response:
        assert await response.content.readexactly(SIZE) == TEXT
        await LogChunk.filter(job_id=1).delete()
        await ProvisionJob.filter(id=1).update(
            status=JobStatus.SUCCESS, log_size=SIZE + 5, ended_at=ENDED, log_pruned_at=ENDED
        )
        with pytest.raises(Exception, match=r"Response payload is not completed|Connection"):
            await response.read()
    status, _, body = await get(api)
    assert (status, json.loads(body)["code"]) == (410, "LOG_PRUNED")


async def test_a_server_that_stops_cuts_it_off_for_a_range(
    data_dir: Path, ansible_dir: Path, add_recipe: Callable[[str, str], None], go: Path, tmp_path: Path
) -> None:
    add_recipe("slow", SLOW.format(go=go))
    assert ansible_dir != shipped_ansible_dir()
    file = tmp_path / "log"
    async with serving(data_dir, ansible_dir) as server:
        job = await server.api.run("slow", await server.api.create_server())
        follower = asyncio.create_task(curl("-o", str(file), f"{server.url}{PATH}?follow=1"))
        await until(lambda: file.exists() and b"printed early" in file.read_bytes(), 120)
        server.process.terminate()
        assert await asyncio.wait_for(server.process.wait(), 60) == 0
        # 18: the transfer was shorter than announced. So nobody takes it for the end.
        assert (await follower)[0] == 18
    held = file.read_bytes()
    go.touch()
    async with serving(data_dir, ansible_dir) as server:
        assert (await curl("-C", "-", "-o", str(file), f"{server.url}{PATH}?follow=1"))[0] == 0
        await server.api.finished(job["id"])
    log = (data_dir / job["logPath"]).read_bytes()
    assert (file.read_bytes(), log.startswith(held), len(held) < len(log)) == (log, True, True)


async def test_who_takes_nothing_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playcast.http.send_timeout.SEND_SECONDS", 0.5)
    line = b"x" * 999 + b"\n"
    text = line * 20_000
    await stored_log(text)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port, limit=1)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    got = 0
    transport: Any = writer.transport
    transport.pause_reading()
    runner = api.client.server.runner
    assert runner is not None
    server = runner.server
    assert server is not None
    await until(lambda: len(server.connections) > 0, 30)
    await until(lambda: not server.connections, 60)
    transport.resume_reading()
    try:
        while piece := await asyncio.wait_for(reader.read(65536), 30):
            got += len(piece)
    except ConnectionError:
        pass
    assert got < len(text)
    writer.close()


async def run(api: Api, body: dict[str, Any], *keys: str) -> tuple[int, dict[str, Any]]:
    headers = [("Idempotency-Key", key) for key in keys]
    async with api.client.post(
        "/ansible/run", json={"recipe": "base", "serverIds": [1], **body}, headers=headers
    ) as response:
        return response.status, await response.json()


async def test_the_same_key_starts_one_job(api: Api) -> None:
    await api.create_server()
    for body, keys in (
        ({}, ["order 1"]),
        ({}, ['"order 1"']),
        ({}, [' "order 1" ']),
        ({"idempotencyKey": "order 1"}, []),
        ({"idempotencyKey": "order 1"}, ["order 1"]),
        ({}, ["order 1", '"order 1"']),
    ):
        assert await run(api, body, *keys) == (201, {"jobId": 1})
    assert await run(api, {}, r'"a \"quoted\" \\ key"') == (201, {"jobId": 2})
    assert await run(api, {"idempotencyKey": r'a "quoted" \ key'}) == (201, {"jobId": 2})
    assert [row.idempotency_key for row in await ProvisionJob.all().order_by("id")] == [
        "local:order 1",
        r'local:a "quoted" \ key',
    ]
    for number in ("1", "2"):
        await api.finished(number)


@pytest.mark.parametrize(
    ("body", "keys", "message"),
    [
        ({"idempotencyKey": "a"}, ["b"], "the header Idempotency-Key and the body give different keys"),
        ({}, ["a", "b"], "the header Idempotency-Key and the body give different keys"),
        ({"idempotencyKey": "A"}, ["a"], "the header Idempotency-Key and the body give different keys"),
        ({"idempotencyKey": 5}, [], "idempotencyKey: give text, or leave it out"),
        ({"idempotencyKey": None}, ["a"], "idempotencyKey: give text, or leave it out"),
        ({}, [""], "the header is empty"),
        ({}, ['""'], "the header is empty"),
        ({}, ["x" * 129], "128"),
    ],
)
async def test_keys_that_cannot_be_taken(api: Api, body: dict[str, Any], keys: list[str], message: str) -> None:
    await api.create_server()
    status, told = await run(api, body, *keys)
    assert status in {400, 422}
    assert re.search(message, told["error"])
    assert await ProvisionJob.all().count() == 0
