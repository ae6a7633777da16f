"""Reading a log from anywhere: pages, byte ranges and subscriptions give the same bytes, each once."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models import JobStatus, LogChunk, ProvisionJob
from models.chunk import MAX_BYTES
from runner.job_dir import JobDir
from runner.verbs.read_log import read_page
from runner.viewer import LOCAL_VIEWER
from tests.support.api import JSON, Api

PAGE = """
query Page($id: ID!, $after: String, $maxBytes: Int, $last: Boolean) {
  job(id: $id) {
    log(after: $after, maxBytes: $maxBytes, last: $last) { chunks { after cursor firstLine text end } cursor hasMore }
  }
}
"""
LINES = [
    b"plain line\n",
    b"Windows\r\n",
    b"\x1b[0;32mok: [srv-1]\x1b[0m\n",
    "Grüße, 世界, 😀😀😀\n".encode(),
    b"not text: \xff\xfe \xe2\x82 \xf0\x9f\x98 \xc3\n",
    b"NUL: \0\0\n",
    b"\n",
    b"progress 10 %\rprogress 20 %\r",
]
VALID = "é世😀\n\x1b[0m\r\n".encode()
CONTENT = b"".join(random.Random(5).choices(LINES, k=60)) + "no end é".encode() + b"\xe2\x82"  # noqa: S311
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def store(content: bytes, cuts: list[int]) -> ProvisionJob:
    """A finished job with `content` as its log, cut into chunks at `cuts`."""
    job = await ProvisionJob.create(
        recipe="base",
        revision="1",
        status=JobStatus.SUCCESS,
        tags=[],
        skip_tags=[],
        timeout_seconds=60,
        requested_by="test",
        log_size=len(content),
        line_count=content.count(b"\n"),
        ended_at=datetime.now(UTC),
    )
    edges = sorted({0, *cuts, len(content)})
    for start, stop in pairwise(edges):
        line = content[:start].count(b"\n") + 1
        now = datetime.now(UTC)
        await LogChunk.create(job_id=job.id, start=start, first_line=line, data=content[start:stop], emitted_at=now)
    return job


@pytest.fixture
async def stored(api: Api) -> ProvisionJob:
    """A job whose log is cut anywhere, also where a tail would not."""
    return await store(CONTENT, random.Random(6).sample(range(1, len(CONTENT)), 40))  # noqa: S311


def check(chunks: list[JSON], content: bytes, start: int) -> int:
    """Every chunk says the truth about itself and follows the one before; where the last one ends."""
    for chunk in chunks:
        assert int(chunk["after"]) == start
        stop = int(chunk["cursor"])
        assert chunk["text"] == content[start:stop].decode(errors="replace")
        assert chunk["firstLine"] == content[:start].count(b"\n") + 1
        start = stop
    return start


async def page(api: Api, job: ProvisionJob, after: int, max_bytes: int, *, last: bool = False) -> JSON:
    found = await api.ask(PAGE, id=str(job.id), after=str(after), maxBytes=max_bytes, last=last)
    log: JSON = found["job"]["log"]
    return log


@given(offset=st.integers(0, len(CONTENT)), max_bytes=st.integers(30, len(CONTENT) + 10))
@example(offset=0, max_bytes=len(CONTENT))
@example(offset=len(CONTENT), max_bytes=1)
@FEW
async def test_pages_from_any_offset_are_the_log(api: Api, stored: ProvisionJob, offset: int, max_bytes: int) -> None:
    at, more, ends = offset, True, 0
    while more:
        log = await page(api, stored, at, max_bytes)
        stop = check(log["chunks"], CONTENT, at)
        assert stop - at <= max_bytes
        assert stop > at or at == len(CONTENT)
        assert (log["cursor"], log["hasMore"]) == (str(stop), stop < len(CONTENT))
        ends += [chunk["end"] for chunk in log["chunks"]].count(True)
        at, more = stop, log["hasMore"]

    assert at == len(CONTENT)
    assert ends == (1 if offset < len(CONTENT) else 0)


@given(offset=st.integers(0, len(CONTENT) - 1), length=st.integers(1, 500))
@FEW
async def test_byte_ranges_are_the_log(api: Api, stored: ProvisionJob, offset: int, length: int) -> None:
    stop = min(offset + length, len(CONTENT))
    headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
    async with api.client.get(f"/ansible/jobs/{stored.id}/log", headers=headers) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes {offset}-{stop - 1}/{len(CONTENT)}"
        assert await response.read() == CONTENT[offset:stop]


async def test_the_whole_log_as_bytes(api: Api, stored: ProvisionJob) -> None:
    async with api.client.get(f"/ansible/jobs/{stored.id}/log") as response:
        assert (response.status, await response.read()) == (200, CONTENT)


@given(max_bytes=st.integers(4, 40), cuts=st.lists(st.integers(1, len(VALID * 4) - 1)))
@FEW
async def test_pages_never_split_a_character(api: Api, max_bytes: int, cuts: list[int]) -> None:
    content = VALID * 4
    job = await store(content, [len(content[:cut].decode(errors="ignore").encode()) or 1 for cut in cuts])
    text, after = "", "0"
    while True:
        found = await read_page(LOCAL_VIEWER, job, after=after, max_bytes=max_bytes, last=False)
        text += "".join(piece.data.decode() for piece in found.pieces)
        after = str(found.cursor)
        if not found.has_more:
            break
    assert text.encode() == content


@given(max_bytes=st.integers(1, len(CONTENT) + 10))
@FEW
async def test_the_last_page_holds_the_last_lines(api: Api, stored: ProvisionJob, max_bytes: int) -> None:
    log = await page(api, stored, 0, max_bytes, last=True)

    earliest = max(0, len(CONTENT) - max_bytes)
    line_end = CONTENT.find(b"\n", max(0, earliest - 1))
    begin = 0 if not earliest else line_end + 1 if line_end >= 0 else earliest
    assert log["chunks"][0]["after"] == str(begin)
    assert check(log["chunks"], CONTENT, begin) == len(CONTENT)
    assert (log["cursor"], log["hasMore"], log["chunks"][-1]["end"]) == (str(len(CONTENT)), False, True)


async def test_a_last_line_longer_than_the_page_shows_its_end(api: Api) -> None:
    job = await store(b"one\n" + b"x" * 100 + b"\n", [4])

    log = await page(api, job, 0, 10, last=True)

    assert [chunk["text"] for chunk in log["chunks"]] == ["x" * 9 + "\n"]
    assert [chunk["firstLine"] for chunk in log["chunks"]] == [2]


@given(offset=st.integers(0, len(CONTENT)))
@example(offset=0)
@example(offset=len(CONTENT))
@FEW
async def test_a_subscription_starts_at_any_cursor(api: Api, stored: ProvisionJob, offset: int) -> None:
    chunks = [chunk async for chunk in api.log(str(stored.id), str(offset))]

    assert check(chunks, CONTENT, offset) == len(CONTENT)
    assert [chunk["end"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    if offset == len(CONTENT):
        assert [chunk["text"] for chunk in chunks] == [""]


@pytest.mark.parametrize("size", [0, 1, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, 3 * MAX_BYTES])
async def test_sizes_around_a_chunk(api: Api, size: int) -> None:
    content = b"x" * size
    job = await store(content, list(range(MAX_BYTES, size, MAX_BYTES)))
    for offset in {0, 1, size // 2, max(0, size - 1), size}:
        if offset <= size:
            chunks = [chunk async for chunk in api.log(str(job.id), str(offset))]
            assert check(chunks, content, offset) == size
            assert [chunk["end"] for chunk in chunks].count(True) == 1
            assert max(len(chunk["text"].encode()) for chunk in chunks) <= MAX_BYTES


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "", "٣", "9" * 19, str(len(CONTENT) + 1)])
async def test_a_cursor_that_is_none_is_refused(api: Api, stored: ProvisionJob, after: str) -> None:
    answer = await api.raw(PAGE, id=str(stored.id), after=after)

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert answer["data"] == {"job": None}


async def test_a_late_joiner_gets_what_was_and_what_comes(
    api: Api, data_dir: Path, add_recipe: Callable[[str, str], None], go: Path
) -> None:
    steps = "- hosts: all\n  gather_facts: false\n  tasks:\n"
    steps += "".join(f"    - ansible.builtin.command: echo grüße-{step}\n" for step in range(8))
    steps += f"    - ansible.builtin.shell: while [ ! -e {go} ]; do sleep 0.1; done\n"
    add_recipe("steps", steps)
    job = await api.run("steps", await api.create_server())

    async def watch(chunks: AsyncIterator[JSON], joined: asyncio.Event, after: str) -> str:
        text = ""
        async for chunk in chunks:
            text += chunk["text"]
            if after in text:
                joined.set()
        return text

    joined = [asyncio.Event() for _ in range(3)]
    early = asyncio.create_task(watch(api.log(job["id"]), joined[0], "grüße-0"))
    await joined[0].wait()
    late = asyncio.create_task(watch(api.log(job["id"]), joined[1], "grüße-3"))
    await joined[1].wait()
    assert (await api.job(job["id"]))["status"] == "RUNNING"
    later = asyncio.create_task(watch(api.log(job["id"]), joined[2], "never"))
    go.touch()

    texts = [await early, await late, await later]

    log = JobDir(data_dir / "jobs", job["number"]).log
    whole = (await asyncio.to_thread(log.read_bytes)).decode()
    assert texts == [whole, whole, whole]
    assert "grüße-7" in whole
