"""Several processes that prune one PostgreSQL: in turns, without the pool, and nobody's turn outlives its process."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tortoise.exceptions import DBConnectionError

from models import ProvisionJob, PrunedJob
from playcast.storage.database import migrate, opened
from playcast.storage.postgres import connector, plain_url
from playcast.storage.read_only import opened_read_only
from runner.cluster.advisory_turns import PRUNING, advisory
from runner.retention.pruner import Pruner
from runner.retention.rules import JOB_BYTES, Retention, Totals
from runner.retention.turns import Turn
from tests.support.cluster import Cluster
from tests.support.ended import ended_job, files_of, rows_of
from tests.support.launchers import until
from tests.support.postgres import fresh_database
from tests.support.serving import CHECKOUT, PLAYCAST, environment

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True),
]
LOG = b"a line\n"
SIZE = JOB_BYTES + len(LOG)
ALL = Retention(jobs_bytes=1)
BUSY = "another process prunes this database just now, so nothing was done here\n"
HOLDER = """
import asyncio, sys
from playcast.storage.postgres import connector
from runner.cluster.advisory_turns import PRUNING, advisory
async def hold():
    async with advisory(connector(sys.argv[1]), PRUNING)() as still:
        print(still is not None and still(), flush=True)
        await asyncio.sleep(600)
asyncio.run(hold())
"""


@pytest.fixture
def turn(database_url: str) -> Turn:
    return advisory(connector(database_url), PRUNING)


async def jobs_of(data_dir: Path, count: int) -> list[ProvisionJob]:
    return [await ended_job(data_dir, LOG, worker="w") for _ in range(count)]


@asynccontextmanager
async def one_connection(url: str) -> AsyncIterator[None]:
    """The database with a pool that has not one connection to spare."""
    await migrate(url)
    async with opened(f"{url}&minsize=1&maxsize=1"):
        yield


async def test_who_does_not_get_the_turn_leaves_it(database_url: str, turn: Turn, data_dir: Path) -> None:
    async with one_connection(database_url):
        jobs = await jobs_of(data_dir, 2)
        before = [await rows_of(job) for job in jobs]
        async with turn() as still:
            assert still is not None
            assert still()
            async with asyncio.timeout(60), turn() as other:
                assert other is None
            assert await Pruner(ALL, data_dir / "jobs", turn).run() is None
        assert ([await rows_of(job) for job in jobs], await PrunedJob.all().count()) == (before, 0)
        assert all(files_of(data_dir, job) for job in jobs)

        assert await Pruner(ALL, data_dir / "jobs", turn).run() == (Totals(2, 2, 2 * SIZE), 0)


async def test_many_at_once_remove_each_job_once(stored: None, turn: Turn, data_dir: Path, tmp_path: Path) -> None:
    await jobs_of(data_dir, 12)
    pruners = [Pruner(ALL, tmp_path / f"{number}/jobs", turn) for number in range(6)]

    ran = await asyncio.gather(*(pruner.run() for pruner in pruners))

    assert sum(done[0].jobs for done in ran if done is not None) == sum(pruner.totals.jobs for pruner in pruners) == 12
    assert await ProvisionJob.all().count() == 0
    assert [note.job_id for note in await PrunedJob.all().order_by("job_id")] == list(range(1, 13))


async def until_free(turn: Turn) -> None:
    """The database notices the end of a connection by itself."""

    async def free() -> bool:
        async with turn() as still:
            return still is not None

    async with asyncio.timeout(60):
        while not await free():  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.02)


async def test_who_has_lost_the_turn_stops(
    database_url: str, stored: None, turn: Turn, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await jobs_of(data_dir, 5)
    control = await asyncpg.connect(plain_url(database_url))
    pruner, removed = Pruner(ALL, data_dir / "jobs", turn), 0
    remove = pruner._remove

    async def cut_after_two(victim: object) -> bool:
        nonlocal removed
        removed += 1
        if removed == 2:
            await control.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1", PRUNING
            )
            await until_free(turn)
            # The end of the connection has come here as well by then.
            await asyncio.sleep(1)
        return await remove(victim)  # type: ignore[arg-type]  # a victim

    monkeypatch.setattr(pruner, "_remove", cut_after_two)
    assert await pruner.run() == (Totals(2, 2, 2 * SIZE), 0)
    assert [job.id for job in await ProvisionJob.all().order_by("id")] == [3, 4, 5]
    monkeypatch.undo()
    assert await pruner.run() == (Totals(3, 3, 3 * SIZE), 0)
    await control.close()


async def test_a_turn_goes_with_its_process(database_url: str, turn: Turn) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, database_url, cwd=CHECKOUT, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"True\n"
        async with turn() as still:
            assert still is None
    finally:
        holder.kill()
        await holder.wait()

    await until_free(turn)


async def test_a_database_that_is_away_is_no_bug(database_url: str) -> None:
    away = advisory(connector("postgres://nobody@127.0.0.1:1/none"), PRUNING)
    with pytest.raises(DBConnectionError):
        async with away():
            pass


async def test_who_only_looks_can_change_nothing(database_url: str, data_dir: Path) -> None:
    await migrate(database_url)
    async with opened(database_url):
        (job,) = await jobs_of(data_dir, 1)
    async with opened_read_only(database_url):
        assert [victim.job_id async for victim in Pruner(ALL, data_dir / "jobs").chosen()] == [job.id]
        with pytest.raises(DBConnectionError, match="cannot execute DELETE in a read-only transaction"):
            await job.delete()
        assert await ProvisionJob.all().count() == 1


async def test_the_command_beside_those_that_run(
    database_url: str, stored: None, turn: Turn, data_dir: Path, ansible_dir: Path
) -> None:
    jobs = await jobs_of(data_dir, 2)
    before = await ProvisionJob.all().order_by("id").values()

    async def prune(*words: str, **settings: str) -> tuple[int, str, str]:
        env = environment(data_dir, ansible_dir, **{"database_url": database_url, "keep_jobs_bytes": "1", **settings})
        command = [*PLAYCAST, "prune", *words]
        done = await asyncio.to_thread(
            lambda: subprocess.run(command, env=env, cwd=CHECKOUT, check=False, capture_output=True, text=True)
        )
        return done.returncode, done.stdout, done.stderr

    would = "".join(f"job {job.id}: job and log, by bytes, {SIZE} bytes\n" for job in jobs)
    would += f"would remove 2 jobs and 2 logs, {2 * SIZE} bytes\n"
    async with turn():
        assert await prune("--dry-run") == (0, would, "")
        assert await prune() == (0, BUSY, "")
    assert await ProvisionJob.all().order_by("id").values() == before
    assert await prune() == (0, f"removed 2 jobs and 2 logs, {2 * SIZE} bytes\n", "")
    assert (await ProvisionJob.all().count(), await PrunedJob.all().count()) == (0, 0)
    code, told, trouble = await prune(database_url="postgres://nobody@127.0.0.1:1/none")
    assert (code, told, trouble.count("\n")) == (2, "", 1)
    assert trouble.startswith("playcast: PLAYCAST_DATABASE_URL: the database cannot be reached: ")


async def test_a_worker_removes_what_another_machine_has_pruned(
    tmp_path: Path, ansible_dir: Path, postgres_url: str, database_url: str
) -> None:
    url = await fresh_database(postgres_url, tmp_path.name)
    async with AsyncExitStack() as stack:
        cluster = Cluster(stack, tmp_path, ansible_dir, url)
        api = await cluster.serve()
        worker = await cluster.work("w1")
        server = await api.create_server(name="s0")
        for _ in range(2):
            assert (await api.finished((await api.run("base", server))["id"]))["status"] == "SUCCESS"
        worker.terminate()
        await worker.wait()
        other = tmp_path / "w1/jobs/7"
        other.mkdir()
        (other / "spec.json").write_text('{"created_at": "2026-01-01T00:00:00+00:00"}')
        facts = tmp_path / "w1/facts/base"
        facts.mkdir(parents=True)
        (facts / "srv-9").touch()

        # It has none of the files, and prunes as it starts.
        await cluster.serve(keep_jobs_bytes="1")
        assert (await api.ask("{ jobs { totalCount } }"))["jobs"]["totalCount"] in (0, 1, 2)
        async with asyncio.timeout(30):
            while (await api.ask("{ jobs { totalCount } }"))["jobs"]["totalCount"]:  # noqa: ASYNC110 (no event tells)
                await asyncio.sleep(0.05)
        assert sorted(path.name for path in (tmp_path / "w1/jobs").iterdir()) == ["1", "2", "7"]
        await cluster.work("w1")

        await until(lambda: [path.name for path in (tmp_path / "w1/jobs").iterdir()] == ["7"])
        await until(lambda: list(facts.iterdir()) == [])
