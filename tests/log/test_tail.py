"""Cutting and copying the log: every byte once, no sequence split, nothing written for a claim that was lost."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import FenceLost, JobStatus, LogChunk, ProvisionJob
from models.chunk import MAX_BYTES
from runner.bus import LocalBus, Topic
from runner.job_dir import JobDir
from runner.log import growth_watch
from runner.log.appender import Appender
from runner.log.cutting import lines_end, text_end
from runner.log.read_buffer import ReadBuffer
from runner.log.shelf import Shelf
from runner.log.tail import READ_BYTES, Tail
from tests.support.locking import job_row

TEXT = st.text(st.sampled_from("aé€😀\n"))
# By name, since hypothesis shows what it tries.
PARTS = {"xs": "x" * 70_000, "é": "é" * 40_000, "line": "line\n", "é1": "é", "end": "\n", "wide": "€😀"}
BYTES = st.binary() | TEXT.map(str.encode)


@given(TEXT, st.integers(0, 200))
def test_a_cut_never_splits_a_sequence_of_valid_text(text: str, most: int) -> None:
    data = text.encode()

    end = text_end(data, most)

    data[:end].decode()
    assert end <= most
    # Not more is held back than the beginning of one sequence.
    assert min(most, len(data)) - end <= 3


@given(st.binary(), st.integers(0, 200))
def test_bytes_that_are_no_text_are_not_held_back(data: bytes, most: int) -> None:
    cut = text_end(data, most)

    held = data[cut:most]

    assert cut <= most
    assert held == b"" or (held[0] >= 0xC0 and all(0x80 <= byte < 0xC0 for byte in held[1:]))
    assert len(held) <= 3


@given(BYTES, st.integers(0, 200), st.binary(max_size=20))
def test_whole_lines_end_after_the_last_line_end(data: bytes, most: int, before: bytes) -> None:
    end = lines_end(before + data, most, len(before))

    assert data[:most][end:].count(b"\n") == 0
    assert end == 0 or data[end - 1 : end] == b"\n"
    assert end <= most


def a_tail(tmp_path: Path, job: ProvisionJob) -> Tail:
    return Tail(job, JobDir(tmp_path, job.id), LocalBus(), Shelf(), Appender())


def read(held: ReadBuffer, data: bytes) -> None:
    """Put bytes into the buffer as a read of the file does."""
    held.room[: len(data)] = data
    held.filled(len(data))


@given(st.lists(st.tuples(st.sampled_from(sorted(PARTS)), st.booleans(), st.booleans())))
def test_chunks_are_bounded_and_joined_are_the_log(pieces: list[tuple[str, bool, bool]]) -> None:
    held, chunks = ReadBuffer(READ_BYTES), list[bytes]()

    for name, late, more in pieces:
        text = PARTS[name]
        for part in (text.encode()[:1], text.encode()[1:]):
            read(held, part)
            chunks += held.take(whole=False, late=late, more=more)
            # What is kept back while more waits is no full chunk.
            assert len(held) < MAX_BYTES
    chunks += held.take(whole=True, late=True, more=False)

    assert len(held) == 0
    assert b"".join(chunks).decode() == "".join(PARTS[name] for name, _, _ in pieces)
    assert all(0 < len(chunk) <= MAX_BYTES for chunk in chunks)
    assert all(chunk.decode() for chunk in chunks)


@given(st.lists(st.binary(), max_size=20), st.data())
def test_bytes_that_are_no_text_are_kept_as_they_are(pieces: list[bytes], data: st.DataObject) -> None:
    held, chunks = ReadBuffer(READ_BYTES), list[bytes]()

    for piece in pieces:
        read(held, piece)
        chunks += held.take(whole=False, late=data.draw(st.booleans()), more=data.draw(st.booleans()))
    chunks += held.take(whole=True, late=True, more=False)

    assert b"".join(chunks) == b"".join(pieces)


@pytest.fixture
async def running(stored: None, tmp_path: Path) -> ProvisionJob:
    """A job that was claimed, with an empty log."""
    job = await job_row(JobStatus.PENDING)
    job_dir = JobDir(tmp_path, job.id)
    job_dir.make()
    job_dir.log.touch()
    claimed = await ProvisionJob.claim(job.id, "test", datetime.now(UTC))
    assert claimed is not None
    return claimed


@asynccontextmanager
async def following(tmp_path: Path, job: ProvisionJob) -> AsyncIterator[Callable[[str | bytes], None]]:
    """A tail that follows the job's log; what the context gives appends to it."""
    end = asyncio.Event()
    task = asyncio.create_task(a_tail(tmp_path, job).follow(end.is_set, end))
    with JobDir(tmp_path, job.id).log.open("ab", buffering=0) as log:
        yield lambda data: _append(log.fileno(), data)
    end.set()
    await asyncio.wait_for(task, 30)


def _append(fd: int, data: str | bytes) -> None:
    os.write(fd, data if isinstance(data, bytes) else data.encode())


async def chunks_of(count: int) -> tuple[list[bytes], float]:
    """The chunks once there are `count`, and how many seconds that took."""
    begin = time.monotonic()
    while await LogChunk.all().count() < count:
        assert time.monotonic() - begin < 60, "nothing is stored"
        await asyncio.sleep(0.002)
    took = time.monotonic() - begin
    return [bytes(chunk.data) for chunk in await LogChunk.all().order_by("start")], took


@pytest.mark.alone("measures how soon it is stored")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_first_line_after_a_silence_goes_at_once(running: ProvisionJob, tmp_path: Path) -> None:
    async with following(tmp_path, running) as write:
        for number in range(1, 4):
            await asyncio.sleep(0.1)
            write(f"line {number}\n")
            chunks, took = await chunks_of(number)
            assert chunks[-1] == f"line {number}\n".encode()
            # Well before the next timed look: the write itself woke the tail.
            assert took < 0.5


async def test_without_notifications_the_log_still_comes(
    running: ProvisionJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoMoreInstances:
        def inotify_init1(self, _flags: int) -> int:
            return -1

    monkeypatch.setattr(growth_watch, "_libc", NoMoreInstances())
    async with following(tmp_path, running) as write:
        await asyncio.sleep(0.1)
        write("line\n")
        assert (await chunks_of(1))[0] == [b"line\n"]


async def test_a_part_of_a_line_goes_after_a_wait_and_a_part_of_a_character_never(
    running: ProvisionJob, tmp_path: Path
) -> None:
    async with following(tmp_path, running) as write:
        await asyncio.sleep(0.1)
        write(b"done\nwait" + "€".encode()[:2])
        chunks, _ = await chunks_of(2)
        assert chunks == [b"done\n", b"wait"]
        write("€".encode()[2:] + b"\n")
        chunks, _ = await chunks_of(3)
        assert chunks == [b"done\n", b"wait", "€\n".encode()]
        write("end €".encode()[:-1])
    assert (await chunks_of(5))[0][3:] == [b"end ", b"\xe2\x82"]


async def test_rows_and_columns_tell_the_same(running: ProvisionJob, tmp_path: Path) -> None:
    content = b"".join(b"line %d\n" % number for number in range(30_000)) + b"x" * 200_000 + b"\nlast"
    async with following(tmp_path, running) as write:
        write(content)

    rows = await LogChunk.all().order_by("start")
    assert b"".join(bytes(row.data) for row in rows) == content
    assert max(len(row.data) for row in rows) == MAX_BYTES
    # Each as full as its last line end allows; one more where the long line starts, and where each read ended.
    assert len(rows) <= 4 + len(content) // (MAX_BYTES - 100)
    for row in rows:
        assert row.first_line == content[: row.start].count(b"\n") + 1
    job = await ProvisionJob.get(id=running.id)
    assert (job.log_size, job.line_count) == (len(content), 30_001)


async def test_a_flood_is_cut_into_full_chunks(running: ProvisionJob, tmp_path: Path) -> None:
    content = b"x" * 63 + b"\n"
    JobDir(tmp_path, running.id).log.write_bytes(content * (4 * READ_BYTES // len(content)) + b"last\n")
    ended = asyncio.Event()
    ended.set()

    await a_tail(tmp_path, running).follow(ended.is_set, ended)

    sizes = [len(chunk) for chunk in (await chunks_of(65))[0]]
    assert sizes == [MAX_BYTES] * 64 + [5]


async def test_a_lost_claim_writes_nothing_more(running: ProvisionJob, tmp_path: Path) -> None:
    with pytest.raises(FenceLost):  # noqa: PT012 (the context's end is what raises)
        async with following(tmp_path, running) as write:
            write("mine\n")
            await chunks_of(1)
            await ProvisionJob.filter(id=running.id).update(fence=running.fence + 1)
            write("no longer mine\n")
            await asyncio.sleep(0.2)

    assert (await chunks_of(1))[0] == [b"mine\n"]
    job = await ProvisionJob.get(id=running.id)
    assert (job.log_size, job.line_count, job.fence) == (5, 1, 2)
    assert not await running.finish(
        status=JobStatus.SUCCESS, reason=None, message=None, exit_code=0, at=datetime.now(UTC)
    )


async def test_a_commit_whose_answer_was_lost_counts_once(running: ProvisionJob, tmp_path: Path) -> None:
    tail = a_tail(tmp_path, running)
    await tail._store([b"one\n", b"two\n"])
    # As if the connection had broken after the commit: the tail tries the same again.
    running.log_size = running.line_count = 0

    await tail._store([b"one\n", b"two\n"])

    assert (running.log_size, running.line_count) == (8, 2)
    assert (await chunks_of(2))[0] == [b"one\n", b"two\n"]


async def test_a_new_tail_goes_on_where_the_table_stands(running: ProvisionJob, tmp_path: Path) -> None:
    async with following(tmp_path, running) as write:
        write("one\ntwo\nthr")
    assert (await chunks_of(2))[0] == [b"one\ntwo\n", b"thr"]

    async with following(tmp_path, await ProvisionJob.get(id=running.id)) as write:
        write("ee\n")

    assert b"".join((await chunks_of(3))[0]) == b"one\ntwo\nthree\n"


async def test_readers_are_woken_only_when_there_is_something(running: ProvisionJob, tmp_path: Path) -> None:
    bus = LocalBus()
    tail = Tail(running, JobDir(tmp_path, running.id), bus, Shelf(), Appender())
    ended = asyncio.Event()
    with bus.listen((Topic.LOG, running.id)) as listener:
        ended.set()
        await tail.follow(ended.is_set, ended)
        assert await listener.wait(0.01) == set()
        JobDir(tmp_path, running.id).log.write_bytes(b"line\n")
        await tail.follow(ended.is_set, ended)
        assert await listener.wait(0.01) == {(Topic.LOG, running.id)}
