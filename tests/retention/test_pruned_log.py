"""What readers see of a log that was pruned, before they came or while they read; and the pruner inside a server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientPayloadError

from models import JobStatus, LogChunk, ProvisionJob
from runner.bus import LocalBus
from runner.engine import Engine
from runner.errors import BadInput
from runner.log.piece import Piece
from runner.log.shelf import Shelf
from runner.retention import pruner
from runner.retention.pruner import Pruner
from runner.retention.rules import JOB_BYTES, Retention
from runner.verbs.read_log import follow_log, read_page
from runner.viewer import LOCAL_VIEWER
from tests.conftest import StartApp
from tests.support.api import JSON, Api
from tests.support.ended import database, ended_job

CHUNK = 65536
LOG = b"".join(b"%c" % letter * (CHUNK - 1) + b"\n" for letter in b"abcd")
SIZE = len(LOG)
PAGE = """
query Page($id: ID!, $after: String, $last: Boolean) {
  job(id: $id) {
    logPrunedAt logSize lineCount
    log(after: $after, last: $last) { chunks { text } cursor hasMore }
  }
}
"""
KEEP_NO_LOG, KEEP_NO_JOB = Retention(logs_bytes=1), Retention(jobs_bytes=1)
BOTH = pytest.mark.parametrize("keep", [KEEP_NO_LOG, KEEP_NO_JOB], ids=["the log", "the job"])


@pytest.fixture
async def chunked(stored: None, data_dir: Path) -> ProvisionJob:
    """A job with a log of four chunks, in a database that no server uses."""
    return await four_chunks(data_dir)


async def four_chunks(data_dir: Path, **columns: Any) -> ProvisionJob:
    return await ended_job(data_dir, LOG, cut=CHUNK, **columns)


async def prune_all(data_dir: Path, keep: Retention) -> None:
    ran = await Pruner(keep, data_dir / "jobs").run()
    assert ran is not None
    done, stuck = ran
    assert (done.logs, stuck) == (1, 0)


def reader(job: ProvisionJob, bus: LocalBus, after: str | None = None) -> AsyncIterator[Piece]:
    engine = cast("Engine", SimpleNamespace(bus=bus, shelf=Shelf()))
    return follow_log(engine, LOCAL_VIEWER, job, after)


def end_of(piece: Piece) -> tuple[int, bytes, int, bool]:
    return piece.start, piece.data, piece.first_line, piece.end


THE_END = (SIZE, b"", 5, True)


@pytest.mark.parametrize("after", [None, "0", "7", str(SIZE)])
async def test_a_log_that_was_pruned_before_is_empty(api: Api, data_dir: Path, after: str | None) -> None:
    job = await four_chunks(data_dir)
    await prune_all(data_dir, KEEP_NO_LOG)
    pruned_at = (await ProvisionJob.get(id=job.id)).log_pruned_at
    assert pruned_at is not None

    for last in (False, True):
        answer = (await api.ask(PAGE, id=str(job.id), after=after, last=last))["job"]
        assert answer["log"] == {"chunks": [], "cursor": str(SIZE), "hasMore": False}
    assert (answer["logSize"], answer["lineCount"]) == (SIZE, 4)
    assert answer["logPrunedAt"] == pruned_at.isoformat()
    ended_at = (await api.job(str(job.id)))["endedAt"]
    assert [chunk async for chunk in api.log(str(job.id), after)] == [
        {"after": str(SIZE), "cursor": str(SIZE), "firstLine": 5, "text": "", "emittedAt": ended_at, "end": True}
    ]


async def test_a_log_that_is_kept_has_no_date(api: Api, data_dir: Path) -> None:
    job = await four_chunks(data_dir)
    assert (await api.ask(PAGE, id=str(job.id)))["job"]["logPrunedAt"] is None


async def test_a_wrong_cursor_is_still_refused(chunked: ProvisionJob, data_dir: Path) -> None:
    await prune_all(data_dir, KEEP_NO_LOG)
    job = await ProvisionJob.get(id=chunked.id)
    for cursor in ("x", str(SIZE + 1)):
        with pytest.raises(BadInput):
            await read_page(LOCAL_VIEWER, job, after=cursor, max_bytes=10, last=False)


async def test_http_says_gone(api: Api, data_dir: Path) -> None:
    job = await four_chunks(data_dir)
    await prune_all(data_dir, KEEP_NO_LOG)
    pruned_at = (await ProvisionJob.get(id=job.id)).log_pruned_at
    assert pruned_at is not None
    told = {
        "error": f"the log of job {job.id} was removed at {pruned_at.isoformat()} to save space",
        "code": "LOG_PRUNED",
    }
    for headers in ({}, {"Range": "bytes=-10"}, {"Range": "bytes=999999999-"}):
        async with api.client.get(f"/ansible/jobs/{job.id}/log", headers=headers) as response:
            assert (response.status, await response.json()) == (410, told)
    async with api.client.head(f"/ansible/jobs/{job.id}/log") as response:
        assert (response.status, await response.read()) == (410, b"")
    async with api.client.get(f"/ansible/jobs/{job.id}") as response:
        assert (response.status, (await response.json())["logSize"]) == (200, SIZE)


@BOTH
@pytest.mark.parametrize("read", [1, 2, 4])
async def test_a_reader_in_the_middle_ends_with_the_gap(
    chunked: ProvisionJob, data_dir: Path, keep: Retention, read: int
) -> None:
    pieces = reader(chunked, LocalBus())
    seen = [await anext(pieces) for _ in range(read)]
    await prune_all(data_dir, keep)

    async with asyncio.timeout(30):
        seen += [piece async for piece in pieces]

    assert b"".join(piece.data for piece in seen) == LOG[: read * CHUNK]
    assert [piece.start for piece in seen[:read]] == [at * CHUNK for at in range(read)]
    assert [piece.end for piece in seen].count(True) == 1
    if read < 4:
        assert [end_of(piece) for piece in seen[read:]] == [THE_END]


async def test_a_reader_of_a_half_pruned_log_repeats_nothing(
    chunked: ProvisionJob, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, late = reader(chunked, LocalBus()), reader(chunked, LocalBus())
    first, seen = await anext(early), [await anext(late) for _ in range(3)]
    monkeypatch.setattr(pruner, "CHUNKS", 2)

    async def stop(keep: int = 0) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(pruner, "give_space_back", stop)
        with pytest.raises(InterruptedError):
            await prune_all(data_dir, KEEP_NO_LOG)
    assert await LogChunk.filter(job_id=chunked.id).count() == 2

    # The next chunk of the one is gone, that of the other still there.
    assert [end_of(piece) for piece in [piece async for piece in early]] == [THE_END]
    seen += [piece async for piece in late]
    assert (first.data, b"".join(piece.data for piece in seen)) == (LOG[:CHUNK], LOG)
    # Who comes only now gets nothing of what is left.
    newcomer = reader(chunked, LocalBus(), str(3 * CHUNK))
    assert [end_of(piece) for piece in [piece async for piece in newcomer]] == [THE_END]


@BOTH
async def test_a_reader_that_waited_while_all_happened_ends(
    chunked: ProvisionJob, data_dir: Path, monkeypatch: pytest.MonkeyPatch, keep: Retention
) -> None:
    monkeypatch.setattr("runner.verbs.read_log.RELOOK_SECONDS", 0.1)
    await ProvisionJob.filter(id=chunked.id).update(status=JobStatus.RUNNING)
    pieces = reader(chunked, LocalBus(), str(SIZE))
    waiting = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0.05)
    await ProvisionJob.filter(id=chunked.id).update(status=JobStatus.SUCCESS)
    await prune_all(data_dir, keep)

    async with asyncio.timeout(30):
        assert end_of(await waiting) == THE_END
        assert [piece async for piece in pieces] == []


@BOTH
async def test_a_page_asked_for_just_before_is_empty(chunked: ProvisionJob, data_dir: Path, keep: Retention) -> None:
    await prune_all(data_dir, keep)
    for after in (None, "7"):
        for last in (False, True):
            page = await read_page(LOCAL_VIEWER, chunked, after=after, max_bytes=100, last=last)
            assert (page.pieces, page.cursor, page.has_more) == ([], SIZE, False)


@BOTH
async def test_a_download_in_the_middle_is_cut(api: Api, data_dir: Path, keep: Retention) -> None:
    """A short answer that looked whole would be worse: here the client knows."""
    chunks = 1024
    job = await ended_job(data_dir, bytes(CHUNK) * chunks, cut=CHUNK)
    # Compressed, its length would not be known.
    async with api.client.get(f"/ansible/jobs/{job.id}/log", headers={"Accept-Encoding": "identity"}) as response:
        assert (response.status, response.content_length) == (200, CHUNK * chunks)
        await response.content.readexactly(CHUNK)
        await prune_all(data_dir, keep)
        with pytest.raises(ClientPayloadError):
            await response.content.read()


async def test_the_server_prunes_at_its_start_and_again(
    start_app: StartApp, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with database(data_dir):
        first = await four_chunks(data_dir, days=31)
    monkeypatch.setattr(pruner, "EVERY_SECONDS", 0.05)
    api = await start_app(keep_jobs_days=30)
    await gone(first)
    with monkeypatch.context() as patch:

        async def fail(keep: int = 0) -> None:
            raise OSError("no space left on device")

        patch.setattr(pruner, "give_space_back", fail)
        said = ""
        async with asyncio.timeout(60):
            while "pruning failed, it is tried again later" not in said:
                await asyncio.sleep(0.05)
                said += "".join(capsys.readouterr())
    second = await four_chunks(data_dir, days=31, status=JobStatus.RUNNING)
    await ProvisionJob.filter(id=second.id).update(status=JobStatus.SUCCESS)
    await gone(second)
    assert await figures(api) == {"jobs": 2, "logs": 2, "bytes": 2 * (SIZE + JOB_BYTES)}


async def test_a_server_without_limits_keeps_all(
    start_app: StartApp, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database(data_dir):
        job = await four_chunks(data_dir, days=9999)
    monkeypatch.setattr(pruner, "EVERY_SECONDS", 0.01)
    api = await start_app()
    await asyncio.sleep(0.1)
    assert [chunk["after"] async for chunk in api.log(str(job.id))] == [str(at * CHUNK) for at in range(4)]
    assert await figures(api) == {"jobs": 0, "logs": 0, "bytes": 0}


async def gone(job: ProvisionJob) -> None:
    async with asyncio.timeout(60):
        while await ProvisionJob.exists(id=job.id):  # noqa: ASYNC110 (nothing tells that a row is gone)
            await asyncio.sleep(0.02)


async def figures(api: Api) -> JSON:
    """What the metrics say about pruning."""
    async with api.client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if "_pruned_total" in line and line[0] != "#")
    return {name: float(found[f"playcast_{name}_pruned_total"]) for name in ("jobs", "logs", "bytes")}
