"""Pruning: what goes is gone everywhere, what stays is untouched, and a crash leaves nothing that stays for ever."""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from models import JobStatus, LogChunk, ProvisionJob, Server, ServerAuthKind, ServerLock
from playcast.storage import wal_checkpoint
from runner.job_dir import JobDir
from runner.retention import pruner as pruning
from runner.retention.pruner import PAGES, Pruner
from runner.retention.rules import GOING, JOB_BYTES, Retention, Totals, Victim, Why
from tests.support.ended import ended_job, files_of, rows_of

LOG = b"".join(b"line %3d\n" % number for number in range(7)) + b"the end"
CHUNKS = 7
WHOLE = {"job": 1, "hosts": 1, "chunks": CHUNKS, "events": 3}
WITHOUT_LOG = {**WHOLE, "chunks": 0}
GONE = {"job": 0, "hosts": 0, "chunks": 0, "events": 0}
FILES = ["ansible.log", "spec.json"]
SIZE = JOB_BYTES + 300 + len(LOG)


async def job_of(data_dir: Path, **columns: Any) -> ProvisionJob:
    return await ended_job(data_dir, LOG, events=3, **columns)


def pruner(data_dir: Path, keep: Retention) -> Pruner:
    return Pruner(keep, data_dir / "jobs")


async def pruned(data_dir: Path, keep: Retention) -> Totals:
    """Prune once: what went."""
    ran = await pruner(data_dir, keep).run()
    assert ran is not None
    return ran[0]


async def test_a_log_goes_and_the_rest_of_its_job_stays(stored: None, data_dir: Path) -> None:
    old, young = await job_of(data_dir, days=31), await job_of(data_dir, days=29)
    was, before = await ProvisionJob.all().order_by("id").values(), datetime.now(UTC)

    assert await pruner(data_dir, Retention(logs_days=30)).run() == (Totals(0, 1, len(LOG)), 0)

    assert (await rows_of(old), files_of(data_dir, old)) == (WITHOUT_LOG, ["spec.json"])
    assert (await rows_of(young), files_of(data_dir, young)) == (WHOLE, FILES)
    now = await ProvisionJob.all().order_by("id").values()
    pruned_at = now[0]["log_pruned_at"]
    assert before <= pruned_at <= datetime.now(UTC)
    # Nothing else has changed: size and lines of the log stay as history.
    assert now == [{**was[0], "log_pruned_at": pruned_at}, was[1]]


async def test_a_job_goes_with_all_it_left(stored: None, data_dir: Path) -> None:
    jobs = [await job_of(data_dir) for _ in range(3)]

    assert await pruner(data_dir, Retention(jobs_bytes=2 * SIZE - 1)).run() == (Totals(2, 2, 2 * SIZE), 0)

    assert [await rows_of(job) for job in jobs] == [GONE, GONE, WHOLE]
    assert sorted(path.name for path in (data_dir / "jobs").iterdir()) == ["3"]
    assert files_of(data_dir, jobs[2]) == FILES
    assert (await job_of(data_dir)).id == 4


async def test_a_number_is_never_used_again(stored: None, data_dir: Path) -> None:
    await job_of(data_dir)
    await pruner(data_dir, Retention(jobs_bytes=1)).run()

    assert await ProvisionJob.all().count() == 0
    assert (await job_of(data_dir)).id == 2


async def test_what_is_not_final_or_held_is_never_touched(stored: None, data_dir: Path) -> None:
    pending = await job_of(data_dir, days=999, status=JobStatus.PENDING)
    running = await job_of(data_dir, days=999, status=JobStatus.RUNNING)
    locked, alive = await job_of(data_dir, days=999), await job_of(data_dir, days=999)
    server = await Server.create(name="a", host="a", port=22, user="u", auth=ServerAuthKind.LOCAL, variables={})
    await ServerLock.create(server_id=server.id, job_id=locked.id, taken_at=datetime.now(UTC))
    claim = os.open(JobDir(data_dir / "jobs", alive.id).claim, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(claim, fcntl.LOCK_EX)
    rows = await ProvisionJob.all().order_by("id").values()
    everything = pruner(data_dir, Retention(0.001, 1, 0.001, 1))

    assert await everything.run() == (Totals(), 0)
    # The statements say it again for themselves, should a job have been chosen wrongly.
    for job in (pending, running, locked):
        for whole in (True, False):
            victim = Victim(job.id, job.created_at, job=whole, log=True, why=Why.AGE, size=0)
            assert await everything._remove(victim) is False
        await pruning._remove_chunks(job.id)
        await pruning._remove_events(job.id)

    assert await ProvisionJob.all().order_by("id").values() == rows
    for job in (pending, running, locked, alive):
        assert await rows_of(job) == WHOLE
        assert set(files_of(data_dir, job)) >= set(FILES)
    os.close(claim)
    assert await everything.run() == (Totals(1, 1, SIZE), 0)


async def test_chunks_go_in_small_steps_from_the_beginning(
    stored: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await job_of(data_dir)
    left: list[list[int]] = []

    async def look(keep: int = 0) -> None:
        left.append(
            [int(str(start)) for start in await LogChunk.all().order_by("start").values_list("start", flat=True)]
        )

    monkeypatch.setattr(pruning, "CHUNKS", 3)
    monkeypatch.setattr(pruning, "give_space_back", look)
    await pruner(data_dir, Retention(logs_bytes=1)).run()

    assert left == [[30, 40, 50, 60], [60], [], []]
    assert (await ProvisionJob.get(id=job.id)).log_pruned_at is not None


class Crash(BaseException):
    """Not an Exception: as a crash, it is caught by nobody."""


@pytest.mark.parametrize(
    ("place", "call"),
    [("_is_ours", 1), ("remove_log", 1), ("_remove_chunks", 1), ("give_space_back", 1), ("give_space_back", 3)],
)
async def test_a_crash_within_a_log_is_completed(
    stored: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch, place: str, call: int
) -> None:
    job = await job_of(data_dir, days=31)
    await crash(data_dir, Retention(logs_days=30), monkeypatch, place, call)
    begun = (await ProvisionJob.get(id=job.id)).log_pruned_at is not None

    # The limit has been lifted meanwhile: what was begun is completed all the same.
    done = await pruned(data_dir, Retention(logs_days=10_000 if begun else 30))

    assert begun == (place != "_is_ours")
    assert done == Totals(0, 1 if (place, call) != ("give_space_back", 3) else 0, len(LOG) if call == 1 else 0)
    assert (await rows_of(job), files_of(data_dir, job)) == (WITHOUT_LOG, ["spec.json"])


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("_is_ours", 1),
        ("remove_log", 1),
        ("_remove_chunks", 1),
        *[("give_space_back", call) for call in range(1, 6)],
        ("remove_directory", 1),
        ("_remove_events", 1),
    ],
)
async def test_a_crash_within_a_job_is_completed(
    stored: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch, place: str, call: int
) -> None:
    job, other = await job_of(data_dir), await job_of(data_dir)
    await crash(data_dir, Retention(jobs_bytes=2 * SIZE - 1), monkeypatch, place, call)
    assert (await ProvisionJob.get(id=job.id)).fence == GOING

    # With half of the first job gone, the rest would fit.
    done = await pruned(data_dir, Retention(jobs_bytes=2 * SIZE - 1))

    assert done.jobs == 1
    assert (await rows_of(job), (data_dir / f"jobs/{job.id}").exists()) == (GONE, False)
    assert (await rows_of(other), files_of(data_dir, other)) == (WHOLE, FILES)


async def crash(data_dir: Path, keep: Retention, monkeypatch: pytest.MonkeyPatch, place: str, call: int) -> None:
    """Prune in small steps until that call of this function of the module, and die there."""
    calls: list[str] = []
    real = getattr(pruning, place)

    def die(*given: object, **named: object) -> object:
        calls.append(place)
        if len(calls) == call:
            raise Crash
        return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(pruning, "CHUNKS", 3)
        patch.setattr(pruning, "EVENTS", 2)
        patch.setattr(pruning, place, die)
        with pytest.raises(Crash):
            await pruner(data_dir, keep).run()


async def test_a_link_is_not_followed(stored: None, data_dir: Path, tmp_path: Path) -> None:
    for keep in (Retention(logs_bytes=1), Retention(jobs_bytes=1)):
        job = await job_of(data_dir)
        elsewhere = (data_dir / "jobs" / str(job.id)).rename(tmp_path / f"moved-{job.id}")
        (data_dir / "jobs" / str(job.id)).symlink_to(elsewhere)

        await pruner(data_dir, keep).run()

        assert sorted(path.name for path in elsewhere.iterdir()) == FILES
        assert (data_dir / "jobs" / str(job.id)).is_symlink() == (keep.jobs_bytes is None)
    outside = tmp_path / "group_vars"
    outside.mkdir()
    (outside / "all.yml").touch()
    job = await job_of(data_dir)
    (data_dir / "jobs" / str(job.id) / "group_vars").symlink_to(outside)
    await pruner(data_dir, Retention(jobs_bytes=1)).run()
    assert (outside / "all.yml").exists()
    assert files_of(data_dir, job) == []


async def test_a_directory_of_another_database_stays(stored: None, data_dir: Path) -> None:
    job = await job_of(data_dir)
    (data_dir / f"jobs/{job.id}/spec.json").write_text('{"created_at": "2020-01-01T00:00:00+00:00"}')

    assert await pruner(data_dir, Retention(jobs_bytes=1)).run() == (Totals(1, 1, SIZE), 0)

    assert (await rows_of(job), files_of(data_dir, job)) == (GONE, FILES)


async def test_files_that_cannot_be_removed_keep_their_job(
    stored: None, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stuck, other = await ended_job(data_dir), await job_of(data_dir)
    directory = data_dir / "jobs" / str(stuck.id)
    directory.rename(directory.with_name("away"))
    directory.write_text("no directory")

    assert await pruner(data_dir, Retention(jobs_bytes=1)).run() == (Totals(1, 1, SIZE), 1)

    assert await rows_of(other) == GONE
    assert (await ProvisionJob.get(id=stuck.id)).fence == GOING
    assert "the files of a job cannot be removed" in "".join(capsys.readouterr())
    directory.unlink()
    assert await pruner(data_dir, Retention(jobs_bytes=10**9)).run() == (Totals(1, 0, JOB_BYTES), 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_sqlite_file_gives_the_space_back(stored: None, data_dir: Path) -> None:
    size = 8 * 2**20
    old = await ended_job(data_dir, os.urandom(size), cut=65536, days=31)
    young = await ended_job(data_dir, os.urandom(size), cut=65536)
    file = data_dir / "playcast.sqlite3"
    # As a server does all the time.
    wal_checkpoint._move(file)
    both = file.stat().st_size
    kept = [bytes(row.data) for row in await LogChunk.filter(job_id=young.id).order_by("start")]
    assert both > 2 * size - 2**20

    await pruner(data_dir, Retention(logs_days=30)).run()
    wal_checkpoint._move(file)

    assert size < file.stat().st_size < both - size + 2**20
    assert [bytes(row.data) for row in await LogChunk.filter(job_id=young.id).order_by("start")] == kept
    assert await LogChunk.filter(job_id=old.id).count() == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_free_pages_go_in_small_steps(stored: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await ended_job(data_dir, os.urandom(8 * 2**20), cut=65536)
    await LogChunk.all().delete()
    seen: list[int] = []
    count = pruning._free_pages

    async def counted(connection: BaseDBAsyncClient) -> int:
        seen.append(await count(connection))
        return seen[-1]

    monkeypatch.setattr(pruning, "_free_pages", counted)
    await pruning.give_space_back(keep=300)
    kept = seen[-1]
    await pruning.give_space_back()

    assert seen[0] > 1000
    assert 300 - PAGES < kept <= 300
    assert seen[-1] == 0
    # One step more or less for the pages that SQLite keeps its own notes in.
    assert abs(len(seen) - 3 - seen[0] // PAGES) <= 1
