"""What readers of one log share: each chunk is read once, whoever asks; what is kept is bounded, and for somebody."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from models import JobStatus, LogChunk, ProvisionJob
from models.chunk import MAX_BYTES, LogAppend, Run
from playcast.storage.database import migrate, opened
from runner.bus import LocalBus, Topic
from runner.engine import Engine
from runner.log.piece import Piece
from runner.log.shelf import Shelf
from runner.verbs.read_log import follow_log
from runner.viewer import LOCAL_VIEWER
from tests.support.postgres import fresh_database

HOSTILE = [b"line\n", "Grüße 😀\n".encode(), b"\xff\xfe \xe2\x82", b"\0\n", b"\n", b"x" * 3000, b"\xf0\x9f", b"\r\n"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[None]:
    """A database of its own, of each kind."""
    if request.param == "sqlite":
        url = f"sqlite://{tmp_path / 'db.sqlite3'}"
        await migrate(url)
        async with opened(url):
            yield
    else:
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
        await migrate(url)
        async with opened(url):
            yield


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where each read of the chunks began."""
    found: list[int] = []
    between = LogChunk.between

    async def count(job_id: int, start: int, stop: int) -> list[Run]:
        found.append(start)
        return await between(job_id, start, stop)

    monkeypatch.setattr(LogChunk, "between", count)
    return found


async def a_job(content: bytes = b"", cuts: list[int] | None = None, **columns: Any) -> ProvisionJob:
    """A job with `content` as its log, cut into chunks at `cuts`."""
    given: dict[str, Any] = {"status": JobStatus.SUCCESS, "ended_at": datetime.now(UTC), **columns}
    job = await ProvisionJob.create(
        recipe="base", revision="1", tags=[], skip_tags=[], timeout_seconds=60, requested_by="test",
        log_size=len(content), line_count=content.count(b"\n"), **given,
    )  # fmt: skip
    for start, stop in pairwise(sorted({0, *(cuts or []), len(content)})):
        line = content[:start].count(b"\n") + 1
        now = datetime.now(UTC)
        await LogChunk.create(job_id=job.id, start=start, first_line=line, data=content[start:stop], emitted_at=now)
    return job


class Room:
    """A bus and a shelf, and readers of one job."""

    def __init__(self, job: ProvisionJob, shelf: Shelf | None = None) -> None:
        self.job, self.bus, self.shelf = job, LocalBus(), shelf or Shelf()
        self.engine = cast("Engine", SimpleNamespace(bus=self.bus, shelf=self.shelf))

    def reader(self, after: int = 0) -> AsyncIterator[Piece]:
        return follow_log(self.engine, LOCAL_VIEWER, self.job, str(after))

    async def read(self, after: int = 0) -> list[Piece]:
        return [piece async for piece in self.reader(after)]

    async def write(self, data: bytes) -> None:
        """Store as the tail does."""
        job = self.job
        run = Run(job.log_size, job.line_count + 1, data, datetime.now(UTC))
        job.log_size, job.line_count = job.log_size + len(data), job.line_count + data.count(b"\n")
        await LogChunk.create(job_id=job.id, **run._asdict())
        await ProvisionJob.filter(id=job.id).update(log_size=job.log_size, line_count=job.line_count)
        self.shelf.stored(job.id, [run])
        self.bus.publish(Topic.LOG, job.id)

    async def finish(self) -> None:
        await ProvisionJob.filter(id=self.job.id).update(status=JobStatus.SUCCESS, ended_at=datetime.now(UTC))
        self.bus.publish(Topic.JOB, self.job.id)


def joined(pieces: list[Piece], content: bytes, after: int = 0) -> bytes:
    """The bytes of pieces, each of which says the truth and follows the one before."""
    at = after
    for piece in pieces:
        assert (piece.start, piece.data) == (at, content[at : piece.stop])
        assert piece.first_line == content[:at].count(b"\n") + 1
        assert len(piece.data) <= MAX_BYTES
        at = piece.stop
    assert [piece.end for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return b"".join(piece.data for piece in pieces)


async def test_chunks_and_offset_are_stored_together_or_not_at_all(empty: None) -> None:
    job = await a_job(status=JobStatus.RUNNING)
    now = datetime.now(UTC)
    runs = [Run(0, 1, b"\0one\n", now), Run(5, 2, b"\xfftwo\n", now)]

    other = await a_job(status=JobStatus.RUNNING)
    both = [LogAppend(job, runs, 10, 2), LogAppend(other, [Run(0, 1, b"other\n", now)], 6, 1)]

    assert await LogChunk.append(both) == {job.id, other.id}
    # The same once more, as after a commit whose answer was lost; and with a claim that is no longer ours.
    assert await LogChunk.append(both) == set()
    stale = await ProvisionJob.get(id=job.id)
    other.log_size = 6
    await ProvisionJob.filter(id=job.id).update(fence=job.fence + 1)
    late = LogAppend(stale, [Run(10, 3, b"late\n", now)], 15, 3)
    assert await LogChunk.append([late, LogAppend(other, [Run(6, 2, b"more\n", now)], 11, 2)]) == {other.id}

    assert [run.data for run in await LogChunk.between(other.id, 0, 100)] == [b"other\n", b"more\n"]
    assert await LogChunk.between(job.id, 0, 100) == runs
    assert await LogChunk.between(job.id, 7, 100) == runs[1:]
    stored = await ProvisionJob.get(id=job.id)
    assert (stored.log_size, stored.line_count) == (10, 2)


async def test_many_readers_read_each_chunk_once(empty: None, reads: list[int]) -> None:
    lines = b"".join(b"%05d %s\n" % (number, b"x" * 57) for number in range(8192))
    # As a tail cuts a flood: each chunk full of whole lines.
    job = await a_job(lines, list(range(0, len(lines), MAX_BYTES)))

    found = await asyncio.gather(*[Room(job).read()], *[room.read() for room in [Room(job)] * 100])

    assert {joined(pieces, lines) for pieces in found} == {lines}
    # One reader that was alone, and a hundred that share.
    assert sorted(reads) == sorted(list(range(0, len(lines), MAX_BYTES)) * 2)


async def test_readers_that_come_at_different_cursors_meet(empty: None, reads: list[int]) -> None:
    content = b"0123456789abcde\n" * 16384
    job = await a_job(content, list(range(0, len(content), 1024)))
    room = Room(job)
    cursors = [1024 * number for number in range(40)]

    found = await asyncio.gather(*(room.read(cursor) for cursor in cursors))

    for cursor, pieces in zip(cursors, found, strict=True):
        assert joined(pieces, content, cursor) == content[cursor:]
    # Each its own way to the first border, then the same pieces for all.
    borders = range(MAX_BYTES, len(content), MAX_BYTES)
    assert sorted(reads) == sorted([*cursors, *borders])


@pytest.mark.parametrize("seed", range(5))
async def test_who_comes_and_goes_gets_every_byte_once(empty: None, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (a test)
    job = await a_job(status=JobStatus.RUNNING)
    room = Room(job, Shelf(20_000))
    content, got = b"", []

    async def watch() -> None:
        """Read on from any byte so far, and come back at the last cursor after leaving."""
        at = start = chance.randint(0, int(job.log_size))
        data, ended = b"", False
        while not ended:
            stay, reader = chance.randint(1, 6), room.reader(at)
            async for piece in reader:
                assert piece.start == at
                data, at, ended, stay = data + piece.data, piece.stop, piece.end, stay - 1
                if not stay:
                    break
            await reader.aclose()  # type: ignore[attr-defined]  # it is a generator
            await asyncio.sleep(chance.random() / 100)
        got.append((start, data))

    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(watch())
            for _ in range(chance.randint(0, 4)):
                data = b"".join(chance.choices(HOSTILE, k=chance.randint(1, 30)))
                content += data
                await room.write(data)
            assert room.shelf.size <= 20_000
        await room.finish()

    assert len(got) == 30
    for start, data in got:
        assert data == content[start:]
    assert (room.shelf.size, room.bus._listeners) == (0, {})


async def test_what_was_just_stored_is_not_read_again(empty: None, reads: list[int]) -> None:
    job = await a_job(status=JobStatus.RUNNING)
    room = Room(job)
    readers = [room.reader() for _ in range(20)]
    waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
    for number in range(3):
        await asyncio.sleep(0.05)
        await room.write(b"line %d\n" % number)
        pieces = await asyncio.gather(*waiting)
        assert {(piece.start, piece.data) for piece in pieces} == {(7 * number, b"line %d\n" % number)}
        waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
    await room.finish()

    assert {(piece.data, piece.end) for piece in await asyncio.gather(*waiting)} == {(b"", True)}
    assert reads == []


async def test_a_late_reader_gets_lines_together_that_came_one_by_one(empty: None, reads: list[int]) -> None:
    job = await a_job(status=JobStatus.RUNNING)
    room = Room(job)
    early = room.reader()
    first = asyncio.ensure_future(anext(early))
    await asyncio.sleep(0.05)
    for number in range(10):
        await room.write(b"line %d\n" % number)
    assert (await first).data == b"line 0\n"

    late = [await anext(reader) for reader in (room.reader(), room.reader())]

    assert {piece.data for piece in late} == {b"".join(b"line %d\n" % number for number in range(10))}
    assert reads == [0]


async def test_nothing_is_kept_for_nobody(empty: None) -> None:
    job = await a_job(status=JobStatus.RUNNING)
    room = Room(job)
    await room.write(b"line\n")
    assert room.shelf.size == 0
    reader = room.reader()
    assert (await anext(reader)).data == b"line\n"
    assert room.shelf.size == 5
    await reader.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert (room.shelf.size, room.shelf._heads, room.shelf._followers) == (0, {}, {})


async def test_a_reader_that_stops_holds_nobody_up_and_misses_nothing(empty: None, reads: list[int]) -> None:
    job = await a_job(status=JobStatus.RUNNING)
    room = Room(job, Shelf(2 * MAX_BYTES))
    stopped, moving = room.reader(), room.reader()
    await room.write(b"first\n")
    assert (await anext(stopped)).data == (await anext(moving)).data == b"first\n"
    content = b"first\n"
    for number in range(10):
        data = b"%d" % number * 40_000 + b"\n"
        await room.write(data)
        content += data
        assert (await anext(moving)).data == data
        assert room.shelf.size <= 2 * MAX_BYTES
    assert reads == [0]
    await room.finish()

    rest = [piece async for piece in stopped]

    assert b"first\n" + b"".join(piece.data for piece in rest) == content
    # It has fallen off the shelf, and reads what is no longer there.
    assert reads[1] == 6


async def test_a_first_reader_that_is_cancelled_fails_nobody(monkeypatch: pytest.MonkeyPatch, empty: None) -> None:
    job = await a_job(b"some\nlines\n")
    room = Room(job)
    between, held = LogChunk.between, asyncio.Event()
    begun, reading = list[int](), asyncio.Event()

    async def slow(job_id: int, start: int, stop: int) -> list[Run]:
        begun.append(start)
        reading.set()
        await held.wait()
        return await between(job_id, start, stop)

    monkeypatch.setattr(LogChunk, "between", slow)
    readers = [asyncio.create_task(room.read()) for _ in range(5)]
    await reading.wait()
    await asyncio.sleep(0.05)
    readers[0].cancel()
    held.set()

    found = await asyncio.gather(*readers, return_exceptions=True)

    assert isinstance(found[0], asyncio.CancelledError)
    assert [joined(cast("list[Piece]", pieces), b"some\nlines\n") for pieces in found[1:]] == [b"some\nlines\n"] * 4
    assert begun == [0, 0]


@pytest.mark.postgres
@pytest.mark.parametrize("empty", ["postgres"], indirect=True)
async def test_what_other_processes_stored_is_taken_by_one_statement(
    empty: None, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server does that is told of logs of a worker: nobody reads the table for himself then."""
    shelf, jobs, now = Shelf(), [await a_job(b"one\n", status=JobStatus.RUNNING) for _ in range(3)], datetime.now(UTC)
    long = b"x" * MAX_BYTES
    with shelf.followed(jobs[0].id), shelf.followed(jobs[1].id):
        for job in jobs:
            assert await shelf.job(job.id) is not None
        stored = [LogAppend(job, [Run(4, 2, b"two\n", now), Run(8, 3, b"three\n", now)], 14, 4) for job in jobs]
        assert await LogChunk.append(stored) == {job.id for job in jobs}
        asked, after = [], LogChunk.after

        async def count(places: Mapping[int, int], size: int) -> dict[int, list[Run]]:
            asked.append(dict(places))
            return await after(places, size)

        monkeypatch.setattr(LogChunk, "after", count)
        await shelf.moved({job.id for job in jobs})
        for job in jobs[:2]:
            piece = await shelf.piece(job.id, 4)
            assert piece is not None
            assert (piece.start, piece.data, piece.first_line) == (4, b"two\nthree\n", 2)
            assert await shelf.piece(job.id, 14) is None
        # Nobody follows the third.
        assert asked == [{jobs[0].id: 4, jobs[1].id: 4}]
        assert reads == []
        # More than one look takes: whoever reads on finds all of it.
        jobs[0].log_size = 14
        far = [Run(14, 5, long, now), Run(14 + MAX_BYTES, 5, b"end\n", now)]
        assert await LogChunk.append([LogAppend(jobs[0], far, 18 + MAX_BYTES, 5)])
        await shelf.moved({jobs[0].id})
        piece = await shelf.piece(jobs[0].id, 14 + MAX_BYTES)
        assert piece is not None
        assert piece.data == b"end\n"


@pytest.mark.postgres
@pytest.mark.parametrize("empty", ["postgres"], indirect=True)
async def test_readers_look_for_themselves_if_nothing_could_be_taken(
    empty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, job, now = Shelf(), await a_job(b"one\n", status=JobStatus.RUNNING), datetime.now(UTC)

    async def away(places: object, size: int) -> dict[int, list[Run]]:
        raise OSError("the database is away")

    monkeypatch.setattr(LogChunk, "after", away)
    with shelf.followed(job.id):
        assert await shelf.job(job.id) is not None
        assert await LogChunk.append([LogAppend(job, [Run(4, 2, b"two\n", now)], 8, 2)])
        assert await shelf.piece(job.id, 4) is None
        with pytest.raises(OSError, match="away"):
            await shelf.moved({job.id})
        piece = await shelf.piece(job.id, 4)
        assert piece is not None
        assert piece.data == b"two\n"
