"""Many tails store together: each is answered for its own log, whatever becomes of the others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tortoise.exceptions import OperationalError

from models import JobStatus, LogChunk, ProvisionJob
from models.chunk import LogAppend, Run
from playcast.storage.database import migrate, opened
from runner.log.appender import Appender
from tests.support.locking import job_row
from tests.support.postgres import fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Calls = list[list[int]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def calls(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Calls]:
    """Which jobs each transaction was for, on an empty database."""
    url = f"sqlite://{tmp_path}/chunks.sqlite3"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    found: Calls = []
    append = LogChunk.append

    async def count(further: Sequence[LogAppend]) -> set[int]:
        found.append([one.job.id for one in further])
        return await append(further)

    monkeypatch.setattr(LogChunk, "append", count)
    await migrate(url)
    async with opened(url):
        yield found


async def jobs(count: int) -> list[ProvisionJob]:
    return [await job_row(JobStatus.RUNNING, fence=1) for _ in range(count)]


def line(job: ProvisionJob) -> LogAppend:
    """One line at the beginning of a log."""
    return LogAppend(job, [Run(0, 1, b"line\n", NOW)], 5, 1)


async def sizes() -> list[int]:
    return [int(str(size)) for size in await ProvisionJob.all().order_by("id").values_list("log_size", flat=True)]


async def test_what_comes_meanwhile_goes_together(calls: Calls) -> None:
    made, appender = await jobs(30), Appender()

    assert await asyncio.gather(*(appender.append(line(job)) for job in made)) == [True] * 30

    ids = [job.id for job in made]
    assert calls == [ids[:1], ids[1:]]
    assert await sizes() == [5] * 30
    assert await LogChunk.all().count() == 30


async def test_a_lost_claim_and_a_row_that_does_not_fit_stop_nobody_else(calls: Calls) -> None:
    first, lost, broken, last = await jobs(4)
    await ProvisionJob.filter(id=lost.id).update(fence=2)
    await LogChunk.create(job_id=broken.id, start=0, first_line=1, data=b"?", emitted_at=NOW)
    appender = Appender()

    told = await asyncio.gather(
        *(appender.append(line(job)) for job in (first, lost, broken, last)), return_exceptions=True
    )

    assert (told[0], told[1], told[3]) == (True, False, True)
    assert isinstance(told[2], Exception)
    assert await sizes() == [5, 0, 0, 5]
    assert calls == [[first.id], [lost.id, broken.id, last.id], [lost.id], [broken.id], [last.id]]


async def test_a_failure_is_told_to_all_who_went_together(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    made, appender, append = await jobs(3), Appender(), LogChunk.append

    async def away(further: Sequence[LogAppend]) -> set[int]:
        raise OperationalError("the database is away")

    monkeypatch.setattr(LogChunk, "append", away)
    told = await asyncio.gather(*(appender.append(line(job)) for job in made), return_exceptions=True)
    assert [str(error) for error in told] == ["the database is away"] * 3
    monkeypatch.setattr(LogChunk, "append", append)
    assert await asyncio.gather(*(appender.append(line(job)) for job in made)) == [True] * 3


async def test_a_tail_that_is_stopped_while_it_stores_for_others_takes_none_along(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, appender, append = await jobs(4), Appender(), LogChunk.append
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(further: Sequence[LogAppend]) -> set[int]:
        begun.set()
        await go.wait()
        return await append(further)

    monkeypatch.setattr(LogChunk, "append", slow)
    asking = [asyncio.create_task(appender.append(line(job))) for job in made]
    await begun.wait()
    asking[0].cancel()
    await asyncio.sleep(0)
    asking[3].cancel()
    go.set()
    told = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(told[0], asyncio.CancelledError)
    assert isinstance(told[3], asyncio.CancelledError)
    assert told[1:3] == [True, True]
    assert (await sizes())[1:3] == [5, 5]
