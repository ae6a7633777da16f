"""`playcast prune` as a person types it, with and without a running server; and that the docs tell of pruning."""

import asyncio
import hashlib
import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from models import JobStatus, ProvisionJob
from playcast.routes.metrics import PrunerCollector
from playcast.settings import Settings, load
from playcast.storage import database as playcast_database
from runner.errors import PlaycastError
from runner.retention.pruner import EVERY_SECONDS, Pruner
from runner.retention.rules import JOB_BYTES, Retention
from tests.support.ended import database, ended_job, job_row, rows_of
from tests.support.postgres import fresh_database
from tests.support.serving import CHECKOUT, PLAYCAST, environment, serving

LOG = b"0123456789" * 5
SETTINGS = ("keep_logs_days", "keep_logs_bytes", "keep_jobs_days", "keep_jobs_bytes")
NOTHING_LIMITED = (
    "nothing is limited, so nothing goes: set PLAYCAST_KEEP_LOGS_DAYS, PLAYCAST_KEEP_LOGS_BYTES, "
    "PLAYCAST_KEEP_JOBS_DAYS or PLAYCAST_KEEP_JOBS_BYTES\n"
)
LIMITS = {"keep_jobs_days": "30", "keep_logs_bytes": "50"}
WOULD_GO = (
    f"job 1: job and log, by age, {JOB_BYTES + 250} bytes\n"
    f"job 2: job, by age, {JOB_BYTES} bytes\n"
    "job 3: log, by bytes, 50 bytes\n"
)
OLD_JOB = """
INSERT INTO provision_job (recipe, revision, status, check_mode, diff, tags, skip_tags, timeout_seconds, priority,
requested_by, fence, log_size, line_count, created_at, ended_at)
VALUES ('base', 'r', 'SUCCESS', 0, 0, '[]', '[]', 60, 0, 't', 1, 0, 0, '2026-01-01 00:00:00+00:00',
'2026-01-01 00:00:00+00:00')
"""
Result = tuple[int, str, str]
Command = Callable[..., Result]


@pytest.fixture
def command(data_dir: Path, ansible_dir: Path) -> Command:
    """Run one command to its end: exit code, stdout, stderr."""

    def run(*words: str, **settings: str) -> Result:
        env = environment(data_dir, ansible_dir, **settings)
        done = subprocess.run(
            [*PLAYCAST, *words], env=env, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout, done.stderr

    return run


async def fill(data_dir: Path) -> None:
    """Five jobs: one old with all it left, one old with nothing, two that ended today, and an old one that runs."""
    async with database(data_dir):
        await ended_job(data_dir, LOG, events=2, days=31)
        await job_row(days=31)
        await ended_job(data_dir, LOG)
        await ended_job(data_dir, LOG)
        await ended_job(data_dir, LOG, days=99, status=JobStatus.PENDING)


def state_of(directory: Path) -> dict[str, tuple[int, str]]:
    """Every file below a directory with its time and content."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(directory)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    }


def test_without_limits_it_says_so_and_touches_nothing(command: Command, data_dir: Path) -> None:
    assert command("prune") == command("prune", "--dry-run") == (0, NOTHING_LIMITED, "")
    assert not data_dir.exists()


def test_it_does_not_make_a_database(command: Command, data_dir: Path) -> None:
    file = data_dir / "playcast.sqlite3"
    told = f"playcast: there is no database at {file}; PLAYCAST_DATA_DIR or PLAYCAST_DATABASE_URL names another\n"
    for words in (("prune",), ("prune", "--dry-run")):
        assert command(*words, keep_jobs_days="1") == (2, "", told)
    assert not data_dir.exists()


async def test_a_dry_run_changes_nothing(command: Command, data_dir: Path) -> None:
    await fill(data_dir)
    before = state_of(data_dir)

    told = await asyncio.to_thread(command, "prune", "--dry-run", **LIMITS)

    assert told == (0, f"{WOULD_GO}would remove 2 jobs and 2 logs, {2 * JOB_BYTES + 300} bytes\n", "")
    assert state_of(data_dir) == before
    assert await asyncio.to_thread(command, "prune", "--dry-run", keep_jobs_days="32") == (0, "nothing to remove\n", "")
    assert state_of(data_dir) == before


async def test_it_removes_what_a_dry_run_names(command: Command, data_dir: Path) -> None:
    await fill(data_dir)

    told = await asyncio.to_thread(command, "prune", **LIMITS)

    assert told == (0, f"removed 2 jobs and 2 logs, {2 * JOB_BYTES + 300} bytes\n", "")
    async with database(data_dir):
        left = await ProvisionJob.all().order_by("id")
        assert [(job.id, job.log_pruned_at is None) for job in left] == [(3, False), (4, True), (5, True)]
        assert [(await rows_of(job))["chunks"] for job in left] == [0, 5, 5]
    assert sorted(path.name for path in (data_dir / "jobs").iterdir()) == ["3", "4", "5"]
    for words in (("prune",), ("prune", "--dry-run")):
        assert await asyncio.to_thread(command, *words, **LIMITS) == (0, "nothing to remove\n", "")


async def test_one_of_each_is_told_as_one(command: Command, data_dir: Path) -> None:
    async with database(data_dir):
        await ended_job(data_dir, b"x", days=2)
    told = f"removed 1 job and 1 log, {JOB_BYTES + 1} bytes\n"
    assert await asyncio.to_thread(command, "prune", keep_jobs_days="1.5") == (0, told, "")


async def test_files_that_stay_behind_make_it_fail(command: Command, data_dir: Path) -> None:
    await fill(data_dir)
    directory = data_dir / "jobs/1"
    directory.rename(data_dir / "away")
    directory.write_text("no directory")
    code, told, trouble = await asyncio.to_thread(command, "prune", keep_jobs_days="30")
    assert (code, told) == (1, f"removed 1 job and 0 logs, {JOB_BYTES} bytes\n")
    assert re.search(r"event='the files of a job cannot be removed' job=1 error=.*Not a directory", trouble)


async def test_beside_a_running_server(command: Command, data_dir: Path, ansible_dir: Path) -> None:
    async with database(data_dir):
        await ended_job(data_dir, LOG, days=31)
    async with serving(data_dir, ansible_dir) as served:

        async def call(*words: str) -> Result:
            return await asyncio.to_thread(command, *words, url=served.url, keep_jobs_days="30")

        size = JOB_BYTES + 50
        would = f"job 1: job and log, by age, {size} bytes\nwould remove 1 job and 1 log, {size} bytes\n"
        told = "a server works on this database: it prunes by itself, by its own settings, every 10 minutes\n"
        assert await call("prune", "--dry-run") == (0, would, "")
        assert await call("prune") == (0, told, "")
        job = await served.api.create_server()
        finished = await served.api.finished((await served.api.run("base", job))["id"])
        assert finished["status"] == "SUCCESS"
        log_size = finished["logSize"]
        # What the server has only just written is not overlooked.
        would = (
            f"job 1: log, by bytes, 50 bytes\njob 2: log, by bytes, {log_size} bytes\n"
            f"would remove 0 jobs and 2 logs, {50 + log_size} bytes\n"
        )
        assert await asyncio.to_thread(command, "prune", "--dry-run", keep_logs_bytes="1") == (0, would, "")
        assert await call("logs", "1") == (0, LOG.decode(), "")
        await served.kill()
        # Nor is what a killed server had not put into the main file yet.
        assert await asyncio.to_thread(command, "prune", "--dry-run", keep_logs_bytes="1") == (0, would, "")
    assert (data_dir / "jobs/1/ansible.log").read_bytes() == LOG


async def test_a_server_prunes_by_itself(command: Command, data_dir: Path, ansible_dir: Path) -> None:
    await fill(data_dir)
    async with serving(data_dir, ansible_dir, **LIMITS) as served:
        async with asyncio.timeout(60):
            while (data_dir / "jobs/3/ansible.log").exists():  # noqa: ASYNC110 (nothing tells that a file is gone)
                await asyncio.sleep(0.02)
        answer = await served.api.ask("{ jobs { nodes { number logPrunedAt } } }")
        left = {node["number"]: node["logPrunedAt"] for node in answer["jobs"]["nodes"]}
        assert (sorted(left), left[4], left[5]) == ([3, 4, 5], None, None)
        told = f"the log of job 3 was removed at {left[3]}\n"
        for words in (("logs", "3"), ("logs", "3", "--follow")):
            assert await asyncio.to_thread(command, *words, url=served.url) == (0, "", told)


@pytest.mark.postgres
async def test_on_postgres_it_needs_no_lock(
    command: Command, data_dir: Path, tmp_path: Path, postgres_url: str
) -> None:
    url = await fresh_database(postgres_url, tmp_path.name)
    await playcast_database.migrate(url)
    async with playcast_database.opened(url):
        await ended_job(data_dir, LOG, days=31)

        async def call(*words: str) -> Result:
            return await asyncio.to_thread(command, *words, database_url=url, keep_jobs_days="30")

        size = JOB_BYTES + 50
        would = f"job 1: job and log, by age, {size} bytes\nwould remove 1 job and 1 log, {size} bytes\n"
        assert await call("prune", "--dry-run") == (0, would, "")
        assert await ProvisionJob.all().count() == 1
        assert await call("prune") == (0, f"removed 1 job and 1 log, {size} bytes\n", "")
        assert await ProvisionJob.all().count() == 0
        assert not (data_dir / "jobs/1").exists()


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("value", ["0", "-1", "many", "inf", "nan"])
def test_a_limit_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(PlaycastError, match=f"^PLAYCAST_{name.upper()}: "):
        load({}, **{name: value})


def test_days_may_be_fractions_and_bytes_may_not() -> None:
    chosen = load({}, keep_logs_days="0.25", keep_logs_bytes="1", keep_jobs_days="36500", keep_jobs_bytes=str(10**15))
    assert chosen.retention == Retention(0.25, 1, 36500, 10**15)
    assert load({}).retention == Retention()
    with pytest.raises(PlaycastError, match=r"^PLAYCAST_KEEP_JOBS_BYTES: "):
        load({}, keep_jobs_bytes="1.5")


async def test_a_database_of_an_earlier_version_is_left_alone(
    command: Command, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tmp_path / "migrations/sqlite/models"
    steps.mkdir(parents=True)
    for step in sorted((playcast_database.migrations_dir() / "sqlite/models").glob("[01]_*.py")):
        (steps / step.name).write_bytes(step.read_bytes())
    monkeypatch.setattr(playcast_database, "migrations_dir", lambda: tmp_path / "migrations")
    await playcast_database.migrate(f"sqlite://{data_dir / 'playcast.sqlite3'}")
    with sqlite3.connect(data_dir / "playcast.sqlite3") as connection:
        connection.execute(OLD_JOB)
    connection.close()
    before = state_of(data_dir)

    code, told, trouble = await asyncio.to_thread(command, "prune", "--dry-run", keep_jobs_days="1")

    assert (code, told, trouble.count("\n")) == (2, "", 1)
    assert trouble.startswith("playcast: the database cannot be read (no such ")
    assert state_of(data_dir) == before
    told = f"removed 1 job and 0 logs, {JOB_BYTES} bytes\n"
    assert await asyncio.to_thread(command, "prune", keep_jobs_days="1") == (0, told, "")


def test_the_docs_tell_of_it() -> None:
    operate, clients = ((CHECKOUT / "docs" / name).read_text() for name in ("operate.md", "clients.md"))
    for name in SETTINGS:
        assert f"`PLAYCAST_{name.upper()}`" in operate
        assert Settings.model_fields[name].default is None
    assert f"every {EVERY_SECONDS / 60:.0f} minutes" in operate
    assert f"{JOB_BYTES} bytes" in operate
    assert "`logPrunedAt`" in clients
    assert re.search(r"^\| 410 \|", clients, re.MULTILINE)
    for metric in PrunerCollector(Pruner(Retention(), Path())).collect():
        assert f"| `{metric.name}_total` |" in operate
