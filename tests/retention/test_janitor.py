"""The janitor of a machine: what was pruned anywhere goes, and nothing of which that is not certain."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from models import JobStatus, ProvisionJob, PrunedJob, Server, ServerLock
from runner.cluster import janitor
from runner.cluster.janitor import Janitor, Swept
from runner.job_dir import JobDir
from runner.recipes.book import RecipeBook
from runner.retention import pruner
from runner.retention.job_files import remove_directory
from runner.retention.pruner import Pruner
from runner.retention.rules import Retention
from runner.retention.turns import Still
from runner.secrets.vault import Vault
from runner.start.fact_cache import Facts
from tests.support.ended import ended_job, files_of

LOG = b"a line\n"
FILES = ["ansible.log", "spec.json"]
ALL = Retention(jobs_bytes=1)
LOGS = Retention(logs_bytes=1)


@asynccontextmanager
async def mine() -> AsyncIterator[Still | None]:
    yield lambda: True


@pytest.fixture
def rack(tmp_path: Path) -> Path:
    """The data directory of a machine that runs jobs."""
    return tmp_path / "rack"


async def ran_on(rack: Path, **columns: Any) -> ProvisionJob:
    return await ended_job(rack, LOG, **{"worker": "rack", **columns})


async def prune_elsewhere(tmp_path: Path, keep: Retention) -> None:
    """As a server on another machine does, which has none of the files."""
    assert await Pruner(keep, tmp_path / "elsewhere" / "jobs", mine).run() is not None


async def sweep(data_dir: Path) -> Swept:
    return await Janitor(data_dir / "jobs").run()


async def notes() -> list[int]:
    return [note.job_id for note in await PrunedJob.all().order_by("job_id")]


async def test_the_directory_of_a_job_that_was_pruned_elsewhere_goes(stored: None, rack: Path, tmp_path: Path) -> None:
    jobs = [await ran_on(rack), await ran_on(rack), await ran_on(rack, status=JobStatus.RUNNING)]
    await prune_elsewhere(tmp_path, ALL)
    assert (await ProvisionJob.all().count(), await notes()) == (1, [1, 2])
    assert [files_of(rack, job) for job in jobs] == [FILES] * 3
    # Who has none of the directories takes no note away.
    assert await sweep(tmp_path / "elsewhere") == await sweep(tmp_path / "nowhere") == Swept()
    assert await notes() == [1, 2]

    assert await sweep(rack) == Swept(directories=2)

    assert [path.name for path in (rack / "jobs").iterdir()] == ["3"]
    assert await notes() == []
    assert await sweep(rack) == Swept()


async def test_the_raw_log_of_a_job_whose_log_was_pruned_elsewhere_goes(
    stored: None, rack: Path, tmp_path: Path
) -> None:
    old = await ran_on(rack)
    await prune_elsewhere(tmp_path, LOGS)
    young = await ran_on(rack)
    assert files_of(rack, old) == FILES

    assert await sweep(rack) == Swept(logs=1)

    assert (files_of(rack, old), files_of(rack, young)) == (["spec.json"], FILES)
    assert await sweep(rack) == Swept()


async def test_a_missing_row_proves_nothing(stored: None, rack: Path) -> None:
    """It may be of another database, or this one was restored from a backup that is older than the job."""
    job = await ran_on(rack)
    await job.delete()

    assert await sweep(rack) == Swept()
    assert files_of(rack, job) == FILES


async def test_what_was_made_for_another_job_of_this_number_stays(stored: None, rack: Path, tmp_path: Path) -> None:
    jobs = [await ran_on(rack) for _ in range(5)]
    specs = [JobDir(rack / "jobs", job.id).spec for job in jobs]
    for spec, text in zip(
        specs, ['{"created_at": "2026-01-01T00:00:00+00:00"}', "{}", '{"created_at": 1}', ""], strict=False
    ):
        spec.write_text(text)
    specs[4].unlink()
    await prune_elsewhere(tmp_path, LOGS)
    assert await sweep(rack) == Swept()
    await prune_elsewhere(tmp_path, ALL)

    assert await sweep(rack) == Swept()

    assert [files_of(rack, job) for job in jobs] == [FILES] * 4 + [["ansible.log"]]
    # Another machine may have the right one.
    assert await notes() == [1, 2, 3, 4, 5]


async def test_a_job_that_lives_is_never_touched(stored: None, rack: Path) -> None:
    """Whatever else the tables say, as after a restore of some of them alone."""
    now = datetime.now(UTC)
    running = await ran_on(rack, status=JobStatus.RUNNING, log_pruned_at=now)
    pending = await ran_on(rack, status=JobStatus.PENDING, log_pruned_at=now)
    locked, ended = await ran_on(rack, log_pruned_at=now), await ran_on(rack)
    server = await Server.create(name="a", host="a", port=22, user="u", auth="LOCAL", variables={})
    await ServerLock.create(server_id=server.id, job_id=locked.id, taken_at=now)
    jobs = [running, pending, locked, ended]
    for job in jobs:
        await PrunedJob.create(job_id=job.id, created_at=job.created_at, pruned_at=now)

    assert await sweep(rack) == Swept()
    assert [files_of(rack, job) for job in jobs] == [FILES] * 4


async def test_a_job_whose_supervisor_is_there_waits_for_its_end(stored: None, rack: Path, tmp_path: Path) -> None:
    gone, logless = await ran_on(rack), await ran_on(rack)
    claims = [os.open(JobDir(rack / "jobs", job.id).claim, os.O_CREAT | os.O_RDWR, 0o600) for job in (gone, logless)]
    for claim in claims:
        fcntl.flock(claim, fcntl.LOCK_EX)
    await prune_elsewhere(tmp_path, LOGS)
    await ProvisionJob.filter(id=logless.id).update(idempotency_key="kept")
    await prune_elsewhere(tmp_path, ALL)

    assert (await sweep(rack), await notes()) == (Swept(), [gone.id])
    assert files_of(rack, gone) == files_of(rack, logless) == ["ansible.log", "claim", "spec.json"]
    for claim in claims:
        os.close(claim)
    assert await sweep(rack) == Swept(directories=1, logs=1)
    assert (files_of(rack, gone), files_of(rack, logless)) == ([], ["claim", "spec.json"])


async def test_nothing_that_is_no_job_directory_is_touched(stored: None, rack: Path, tmp_path: Path) -> None:
    job = await ran_on(rack)
    await prune_elsewhere(tmp_path, ALL)
    jobs_dir = rack / "jobs"
    elsewhere = (jobs_dir / "1").rename(tmp_path / "moved")
    for name in ("01", "+1", "1.old", "²", "99999999999", "x"):
        (jobs_dir / name).mkdir()
    (jobs_dir / "2").write_text("a file")
    (jobs_dir / "1").symlink_to(elsewhere)

    assert await sweep(rack) == Swept(directories=1)

    # Of a link the link alone.
    assert sorted(path.name for path in elsewhere.iterdir()) == FILES
    assert sorted(path.name for path in jobs_dir.iterdir()) == ["+1", "01", "1.old", "2", "99999999999", "x", "²"]
    assert files_of(rack, job) == []


async def test_a_log_behind_a_link_stays(stored: None, rack: Path, tmp_path: Path) -> None:
    job = await ran_on(rack)
    await prune_elsewhere(tmp_path, LOGS)
    elsewhere = (rack / "jobs/1").rename(tmp_path / "moved")
    (rack / "jobs/1").symlink_to(elsewhere)

    assert await sweep(rack) == Swept()
    assert files_of(rack, job) == FILES


async def test_what_cannot_be_removed_is_tried_again(
    stored: None, rack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await ran_on(rack)
    await prune_elsewhere(tmp_path, ALL)

    def refuse(_: JobDir) -> bool:
        raise PermissionError("not yours")

    with monkeypatch.context() as patch:
        patch.setattr(janitor, "remove_directory", refuse)
        assert await sweep(rack) == Swept(stuck=1)
    assert "the files of a job cannot be removed" in "".join(capsys.readouterr())
    assert await notes() == [1]
    assert await sweep(rack) == Swept(directories=1)


async def test_it_looks_at_a_few_directories_at_a_time(
    stored: None, rack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(janitor, "STEP", 2)
    for _ in range(5):
        await ran_on(rack)
    await prune_elsewhere(tmp_path, Retention(jobs_bytes=10**4))
    kept = await ProvisionJob.all().count()
    assert await notes() == list(range(1, 6 - kept))

    assert await sweep(rack) == Swept(directories=5 - kept)
    assert len(list((rack / "jobs").iterdir())) == kept == 2


async def test_several_at_one_directory_are_in_nobodys_way(stored: None, rack: Path, tmp_path: Path) -> None:
    jobs = [await ran_on(rack) for _ in range(30)]
    for job in jobs:
        for name in range(20):
            (rack / "jobs" / str(job.id) / f"file-{name}").touch()
    await prune_elsewhere(tmp_path, Retention(jobs_bytes=15 * 5000))
    assert 10 <= len(await notes()) <= 20

    swept = await asyncio.gather(*(sweep(rack) for _ in range(4)), Pruner(ALL, rack / "jobs", mine).run())

    assert [one.stuck for one in swept if isinstance(one, Swept)] == [0] * 4
    ran = swept[-1]
    assert isinstance(ran, tuple)
    assert ran[1] == 0
    assert list((rack / "jobs").iterdir()) == []
    assert await notes() == []


def test_a_directory_bears_being_removed_by_several_at_once(tmp_path: Path) -> None:
    for number in range(1, 21):
        job_dir = JobDir(tmp_path, number)
        job_dir.make()
        for name in range(200):
            (job_dir.path / f"file-{name}").touch()
        with ThreadPoolExecutor(4) as threads:
            removed = list(threads.map(remove_directory, [job_dir] * 4))
        assert any(removed)
        assert not job_dir.path.exists()


async def test_a_note_is_left_only_where_files_may_be_elsewhere(stored: None, rack: Path, tmp_path: Path) -> None:
    await ran_on(rack)
    await ended_job(tmp_path / "nobody", LOG)
    assert await Pruner(ALL, rack / "jobs", mine).run() is not None
    # The first one's files were here, and the second was never claimed.
    assert (await ProvisionJob.all().count(), await notes()) == (0, [])
    await ran_on(tmp_path / "lost")
    # Nobody shares this database.
    assert await Pruner(ALL, rack / "jobs").run() is not None
    assert (await ProvisionJob.all().count(), await notes()) == (0, [])


async def test_notes_that_nobody_comes_for_go_in_time(
    stored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruner, "EVENTS", 2)
    now = datetime.now(UTC)
    for number, days in enumerate((200, 91, 90.1, 89.9, 1), 1):
        await PrunedJob.create(job_id=number, created_at=now, pruned_at=now - timedelta(days=days))
    await prune_elsewhere(tmp_path, ALL)
    assert await notes() == [4, 5]


async def test_the_facts_of_a_server_that_was_deleted_elsewhere_go(
    stored: None, rack: Path, ansible_dir: Path, book: RecipeBook
) -> None:
    for name in ("here", "gone"):
        await Server.create(name=name, host="a", port=22, user="u", auth="LOCAL", variables={})
    facts = Facts(Vault(Fernet.generate_key().decode()), rack / "facts", ansible_dir)
    for recipe, file in (("base", "srv-1"), ("base", "srv-2"), ("other", "srv-2"), ("other", "srv-99999999999")):
        (rack / "facts" / recipe).mkdir(parents=True, exist_ok=True)
        (rack / "facts" / recipe / file).touch()
    await Server.filter(name="gone").delete()

    await facts.forget_deleted()

    left = sorted(str(path.relative_to(rack / "facts")) for path in (rack / "facts").glob("*/*"))
    assert left == ["base/srv-1", "other/srv-99999999999"]
    # No recipe keeps any longer, so the work that goes on beside a worker leaves none.
    task = asyncio.create_task(facts.work(book))
    async with asyncio.timeout(60):
        while list((rack / "facts").glob("*/*")):  # noqa: ASYNC110 (nothing tells that a file is gone)
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
