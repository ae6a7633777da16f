"""Bad conditions on the machine: each ends with a whole log, a true state and a server that works on.

CHAOS=long (`make chaos`) keeps the database locked and the server stopped for longer.
"""

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from runner.job_dir import JobDir
from runner.job_processes import marked
from runner.programs.ansible_child import LOG_UNWRITABLE
from tests.jobs.test_recovery import scratch_of, stored_log, supervisor
from tests.support.api import JSON, RUN, Api
from tests.support.chaos import FULL_LENGTH
from tests.support.disk import small_disk
from tests.support.drip import add_drip, drip, dripped, steady
from tests.support.launchers import until
from tests.support.serving import serving
from tests.support.watch import EventWatch, LogWatch

LOCKED_SECONDS = 45 if FULL_LENGTH else 8
STOPPED_SECONDS = 30 if FULL_LENGTH else 4
# Longer than the server waits for a lock.
REFUSED_SECONDS = 11


@pytest.fixture
def begun(ansible_dir: Path, tmp_path: Path) -> Path:
    """The recipe `drip`, and the file that tells how often it was started."""
    add_drip(ansible_dir, tmp_path / "begun")
    return tmp_path / "begun"


@asynccontextmanager
async def locked(data_dir: Path) -> AsyncIterator[None]:
    """The database, held by somebody else than the server, who waits for it beside a server in this process."""
    with closing(sqlite3.connect(data_dir / "playcast.sqlite3", timeout=30, check_same_thread=False)) as database:
        await asyncio.to_thread(database.execute, "BEGIN EXCLUSIVE")
        yield
        database.rollback()


async def all_jobs(api: Api) -> list[JSON]:
    """Every job, newest first."""
    nodes: list[JSON] = (await api.ask("{ jobs { nodes { number status hosts { name } } } }"))["jobs"]["nodes"]
    return nodes


async def test_a_locked_database_delays_and_loses_nothing(data_dir: Path, ansible_dir: Path, begun: Path) -> None:
    async with serving(data_dir, ansible_dir) as server:
        api = server.api
        ids = [await api.create_server(name=f"s{number}") for number in range(3)]
        short, long = await drip(api, ids[0], 30), await drip(api, ids[1], LOCKED_SECONDS * 10 + 30)
        logs, events = LogWatch(steady(api), long["id"]), EventWatch(steady(api), long["id"])
        watching = [asyncio.create_task(watch.run()) for watch in (logs, events)]
        async with locked(data_dir):
            unlock_at = time.monotonic() + LOCKED_SECONDS
            asking = asyncio.create_task(api.raw(RUN, input={"recipe": "base", "serverIds": [ids[2]]}))
            reading = asyncio.create_task(api.job(long["id"]))
            await until(JobDir(data_dir / "jobs", short["number"]).exit.exists, 120)
            await asyncio.sleep(unlock_at - time.monotonic())
        asked = await asking
        assert (await reading)["status"] == "RUNNING"
        await asyncio.gather(*watching)
        ended = [await api.finished(job["id"]) for job in (short, long)]
        copies = [await stored_log(server, job) for job in (short, long)]
        if asked["data"] is not None:
            await api.finished(asked["data"]["runProvision"]["job"]["id"])
        hosts = [(job["number"], job["status"], len(job["hosts"])) for job in await all_jobs(api)]
        assert (await api.finished((await api.run("base", ids[2]))["id"]))["status"] == "SUCCESS"

    assert [(job["status"], job["exitCode"]) for job in ended] == [("SUCCESS", 0), ("SUCCESS", 0)]
    assert copies == [(data_dir / job["logPath"]).read_bytes() for job in ended]
    assert [dripped(copy) for copy in copies] == [list(range(30)), list(range(LOCKED_SECONDS * 10 + 30))]
    assert (bytes(logs.data), logs.cuts, events.cuts) == (copies[1], 0, 0)
    # The call during the lock has made a whole job, or none.
    asked_for = [(3, "SUCCESS", 1)] if asked["data"] is not None else []
    assert hosts == [*asked_for, (2, "SUCCESS", 1), (1, "SUCCESS", 1)]
    assert begun.read_text() == "begun\n" * 2


async def test_a_call_that_a_locked_database_refuses_says_so(api: Api, data_dir: Path) -> None:
    server = await api.create_server()
    async with locked(data_dir):
        asking = asyncio.create_task(api.raw(RUN, input={"recipe": "base", "serverIds": [server]}))
        await asyncio.sleep(REFUSED_SECONDS)
    (error,) = (await asking)["errors"]
    assert await all_jobs(api) == []
    assert "database" in error["message"]


class _Clock(type):
    """Stands for `datetime` itself in all but `now`."""

    def __getattr__(cls, name: str) -> Any:
        return getattr(datetime, name)

    def __call__(cls, *args: Any, **kwargs: Any) -> datetime:
        return datetime(*args, **kwargs)  # noqa: DTZ001 (as the caller says)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class HourBack(metaclass=_Clock):
    """The wall clock of a machine that was set back by an hour."""

    @staticmethod
    def now(tz: tzinfo | None = None) -> datetime:
        """The present, an hour ago."""
        return datetime.now(tz) - timedelta(hours=1)


def set_clock_back(monkeypatch: pytest.MonkeyPatch) -> int:
    """Set back the clock of everything in this process that works for the server; in how many places."""
    ours = ("runner", "models", "gql", "playcast", "tortoise")
    places = [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in ours and vars(module).get("datetime") is datetime
    ]
    for module in places:
        monkeypatch.setattr(module, "datetime", HourBack)
    return len(places)


async def test_a_clock_that_is_set_back_changes_nothing(
    api: Api, data_dir: Path, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await api.create_server(name=f"s{number}") for number in range(3)]
    job = await drip(api, ids[0], 50)
    late = await api.run("drip", ids[1], extraVars={"count": 5000}, timeoutSeconds=20)
    logs, events = LogWatch(steady(api), job["id"]), EventWatch(steady(api), job["id"])
    watching = [asyncio.create_task(watch.run()) for watch in (logs, events)]
    await until(lambda: b"line 9" in logs.data)

    assert set_clock_back(monkeypatch) >= 10
    running = await api.job(job["id"])
    after = [await api.run("base", ids[2], idempotencyKey="once") for _ in range(2)]
    await asyncio.gather(*watching)
    ended = [await api.finished(one["id"]) for one in (job, late, after[0])]

    whole = JobDir(data_dir / "jobs", 1).log.read_bytes()
    assert (running["status"], running["duration"]) == ("RUNNING", 0)
    assert [(one["status"], one["failureReason"]) for one in ended] == [
        ("SUCCESS", None),
        ("ERROR", "TIMEOUT"),
        ("SUCCESS", None),
    ]
    assert ended[0]["startedAt"] > ended[0]["endedAt"]
    assert [one["duration"] for one in ended[:2]] == [0, 0]
    assert 0 < ended[2]["duration"] < 60
    assert (bytes(logs.data), dripped(whole)) == (whole, list(range(50)))
    assert (logs.cuts, events.cuts) == (0, 0)
    assert after[0]["number"] == after[1]["number"] == 3
    assert [one["number"] for one in await all_jobs(api)] == [3, 2, 1]


async def test_a_killed_supervisor_gives_its_server_to_the_next_job(api: Api, data_dir: Path, begun: Path) -> None:
    server = await api.create_server()
    lost = await drip(api, server, 1000)
    following = await api.run("base", server)
    assert (await api.job(following["id"]))["status"] == "PENDING"
    job_dir = JobDir(data_dir / "jobs", lost["number"])

    os.kill(supervisor(job_dir), signal.SIGKILL)

    ended = [await api.finished(job["id"]) for job in (lost, following)]
    assert [(job["status"], job["failureReason"]) for job in ended] == [("ERROR", "WORKER_LOST"), ("SUCCESS", None)]
    assert marked(f"TMPDIR={scratch_of(job_dir)}") == []
    whole = job_dir.log.read_bytes()
    copy = "".join([chunk["text"] async for chunk in api.log(lost["id"])]).encode()
    assert (copy, ended[0]["logSize"]) == (whole, len(whole))
    assert dripped(whole) == list(range(len(dripped(whole))))


async def test_a_server_that_stands_still_goes_on_where_it_was(data_dir: Path, ansible_dir: Path, begun: Path) -> None:
    count = STOPPED_SECONDS * 10 + 30
    async with serving(data_dir, ansible_dir) as server:
        job = await drip(server.api, await server.api.create_server(), count)
        watches = [LogWatch(steady(server.api), job["id"]), EventWatch(steady(server.api), job["id"])]
        watching = [asyncio.create_task(watch.run()) for watch in watches]
        await until(lambda: bool(watches[0].cursor))
        server.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_SECONDS)
        server.process.send_signal(signal.SIGCONT)
        await asyncio.gather(*watching)
        ended = await server.api.finished(job["id"])
        copy = await stored_log(server, job)
    whole = JobDir(data_dir / "jobs", 1).log.read_bytes()
    assert (ended["status"], ended["exitCode"]) == ("SUCCESS", 0)
    assert isinstance(watches[0], LogWatch)
    assert (copy, bytes(watches[0].data)) == (whole, whole)
    assert dripped(whole) == list(range(count))


def fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    file = disk / "filler"
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    return file


# The server as it is, but for its checkpoints: one that came just before would leave room in the write-ahead log, and
# the database would take on the full disk what it must refuse here.
NO_CHECKPOINTS = """
import playcast.storage.wal_checkpoint
playcast.storage.wal_checkpoint.EVERY_SECONDS = 3600
from playcast.commands.cli import main
main()
"""
# And with less patience for what it does not foresee: half a second, in place of half a minute.
IMPATIENT = (
    """
import runner.jobs.worker
runner.jobs.worker.RETRY_PAUSES = (0.1, 0.2, 0.2)
"""
    + NO_CHECKPOINTS
)


@pytest.mark.parametrize(
    ("jobs_too", "program"),
    [
        pytest.param(True, NO_CHECKPOINTS, id="all"),
        pytest.param(False, NO_CHECKPOINTS, id="database"),
        pytest.param(False, IMPATIENT, id="database for long"),
    ],
)
async def test_a_full_disk_that_gets_room_again(
    data_dir: Path, ansible_dir: Path, tmp_path: Path, begun: Path, jobs_too: bool, program: str
) -> None:
    with small_disk(data_dir, "8m"):
        jobs_dir = data_dir / "jobs" if jobs_too else tmp_path / "jobs"
        program_here = [sys.executable, "-c", program]
        async with serving(data_dir, ansible_dir, program=program_here, jobs_dir=str(jobs_dir)) as server:
            api = server.api
            ids = [await api.create_server(name=f"s{number}") for number in range(2)]
            # More than still fits into the last page of the log, and more than that where it must not end.
            job = await drip(api, ids[0], 200 if jobs_too else 40)
            watch = LogWatch(steady(api), job["id"])
            watching = asyncio.create_task(watch.run())
            filler = fill(data_dir)
            job_dir = JobDir(jobs_dir, job["number"])
            await until(lambda: job_dir.exit.exists() and not job_dir.held(), 120)
            refused = await api.raw(RUN, input={"recipe": "base", "serverIds": [ids[1]]})
            during = await api.job(job["id"])
            filler.unlink()
            await watching
            ended = await api.finished(job["id"])
            numbers = [one["number"] for one in await all_jobs(api)]
            assert (await api.finished((await api.run("base", ids[0]))["id"]))["status"] == "SUCCESS"
        whole = job_dir.log.read_bytes()
    assert (refused["data"], numbers) == (None, [1])
    assert during["status"] == "RUNNING"
    end = ("ERROR", "WORKER_LOST", LOG_UNWRITABLE) if jobs_too else ("SUCCESS", None, 0)
    assert (ended["status"], ended["failureReason"], ended["exitCode"]) == end
    assert (bytes(watch.data), ended["logSize"]) == (whole, len(whole))
    assert dripped(whole) == list(range(len(dripped(whole)) if jobs_too else 40))
    assert begun.read_text() == "begun\n"
