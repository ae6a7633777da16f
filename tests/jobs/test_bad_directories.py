"""Job directories that vanish or hold garbage: the job ends with the truth, and nothing else is touched."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from runner.job_dir import JobDir
from runner.job_processes import marked
from runner.programs import command
from tests.jobs.test_recovery import scratch_of, stored_log
from tests.support.api import JSON
from tests.support.drip import add_drip, drip, dripped
from tests.support.keeper import DRIVER
from tests.support.launchers import until
from tests.support.serving import serving
from tests.support.untouched import processes_of

COUNT = 50


@pytest.fixture
def begun(ansible_dir: Path, tmp_path: Path) -> Path:
    """The recipe `drip`, and the file that tells how often it was started."""
    add_drip(ansible_dir, tmp_path / "begun")
    return tmp_path / "begun"


def end_of(job: JSON) -> tuple[str, str | None, int | None]:
    return job["status"], job["failureReason"], job["exitCode"]


@pytest.mark.parametrize("restarted", [False, True], ids=["server up", "server killed meanwhile"])
async def test_a_directory_that_is_removed_loses_the_job_and_nothing_else(
    data_dir: Path, ansible_dir: Path, begun: Path, restarted: bool
) -> None:
    async with serving(data_dir, ansible_dir) as first:
        server = await first.api.create_server()
        job = await drip(first.api, server, COUNT)
        job_dir = JobDir(data_dir / "jobs", job["number"])
        scratch = scratch_of(job_dir)
        if restarted:
            await first.kill()
        await asyncio.to_thread(shutil.rmtree, job_dir.path)
        if not restarted:
            ended = await first.api.finished(job["id"])
            assert marked(f"PLAYCAST_JOB={job_dir.path}") == []
            after = await first.api.finished((await first.api.run("base", server))["id"])
    if restarted:
        async with serving(data_dir, ansible_dir) as second:
            ended = await second.api.finished(job["id"])
            assert marked(f"PLAYCAST_JOB={job_dir.path}") == []
            after = await second.api.finished((await second.api.run("base", server))["id"])

    assert end_of(ended) == ("ERROR", "WORKER_LOST", None)
    assert ended["message"]
    assert end_of(after) == ("SUCCESS", None, 0)
    await until(lambda: processes_of(data_dir) == [])
    assert not await asyncio.to_thread(scratch.exists)
    assert begun.read_text() == "begun\n"


def garble(file: Path) -> None:
    """Cut the file in its middle, as a machine that lost power may leave it."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] or b'{"')


WELL = ("SUCCESS", None, 0)


@pytest.mark.parametrize(
    ("over", "ends"),
    [
        (False, {"claim": WELL, "spec.json": WELL, "run.json": WELL}),
        (
            True,
            {
                "exit.json": ("ERROR", "WORKER_LOST", None),
                "events.jsonl": ("ERROR", "PLAYBOOK_FAILED", 0),
                "run.json": WELL,
            },
        ),
    ],
    ids=["running", "ended"],
)
async def test_files_that_hold_garbage_at_a_restart(
    data_dir: Path, ansible_dir: Path, begun: Path, over: bool, ends: dict[str, tuple[str, str | None, int | None]]
) -> None:
    """One job for each file, and one whose files are well."""
    async with serving(data_dir, ansible_dir, slots="4") as first:
        ids = [await first.api.create_server(name=f"s{number}") for number in range(4)]
        jobs = await asyncio.gather(*(drip(first.api, server, COUNT) for server in ids))
        await first.kill()
    dirs = [JobDir(data_dir / "jobs", job["number"]) for job in jobs]
    assert [job_dir.held() for job_dir in dirs] == [True] * 4
    if over:
        await until(lambda: all(job_dir.exit.exists() and not job_dir.held() for job_dir in dirs), 120)
    for job_dir, name in zip(dirs[:3], ends, strict=True):
        garble(job_dir.path / name)

    async with serving(data_dir, ansible_dir) as second:
        ended = [await second.api.finished(job["id"]) for job in jobs]
        copies = [await stored_log(second, job) for job in jobs]
        after = [await second.api.run("base", server) for server in ids]
        assert [end_of(await second.api.finished(job["id"])) for job in after] == [WELL] * 4

    assert [end_of(job) for job in ended] == [*ends.values(), WELL]
    assert [bool(job["message"]) for job in ended] == [job["status"] == "ERROR" for job in ended]
    assert copies == [(data_dir / job["logPath"]).read_bytes() for job in jobs]
    assert [dripped(copy) for copy in copies] == [list(range(COUNT))] * 4
    await until(lambda: processes_of(data_dir) == [])
    assert begun.read_text() == "begun\n" * 4


@pytest.mark.parametrize(
    ("fatal", "word"),
    [
        pytest.param(
            *("os.rename", "spec.json"),
            id="unnamed",
        ),
        pytest.param("subprocess.Popen", "'supervisor'", id="named"),
    ],
)
async def test_a_launch_that_dies_with_its_server_leaves_nothing(
    data_dir: Path, ansible_dir: Path, begun: Path, tmp_path: Path, fatal: str, word: str
) -> None:
    """It dies where the job's files are made and its supervisor is not started."""
    notes = tmp_path / "notes"
    dies, lives = (DRIVER.format(notes=str(notes), fatal=name, word=word) for name in (fatal, ""))
    async with serving(data_dir, ansible_dir, program=[sys.executable, "-c", dies], launcher="cold") as first:
        job = await first.api.run("drip", await first.api.create_server(), extraVars={"count": 1})
        await asyncio.wait_for(first.process.wait(), 60)
    assert not JobDir(data_dir / "jobs", job["number"]).claimed()

    async with serving(data_dir, ansible_dir, program=[sys.executable, "-c", lives], launcher="cold") as second:
        assert end_of(await second.api.finished(job["id"])) == ("SUCCESS", None, 0)
    made = [Path(name) for name in notes.read_text().split()]
    left = [path for path in made if path.exists()]
    for path in left:
        shutil.rmtree(path)
    assert begun.read_text() == "begun\n"
    assert made
    assert left == []


# Its supervisor waits for `go` before it does anything. The next server lets it go on just before it starts its own.
LATE = """
import os, pathlib, sys, time
go, late, dies = {go!r}, {late!r}, {dies!r}
def hook(event, arguments):
    if event == "subprocess.Popen" and "'supervisor'" in str(arguments):
        if not dies:
            pathlib.Path(go).touch()
            time.sleep(3)
sys.addaudithook(hook)
from runner import programs
if dies:
    programs.FOLDER = pathlib.Path(late)
from playcast.commands.cli import main
main()
"""
WAITS = """
import os, sys, time
while not os.path.exists({go!r}):
    time.sleep(0.01)
os.execv(sys.executable, [*{supervise!r}, *sys.argv[2:]])
"""


async def test_a_supervisor_that_comes_late_is_followed(
    data_dir: Path, ansible_dir: Path, begun: Path, tmp_path: Path
) -> None:
    """The server dies when it has started a supervisor that has no claim yet, and the next server starts another."""
    go, late = tmp_path / "go", tmp_path / "late"
    late.mkdir()
    (late / "__main__.py").write_text(WAITS.format(go=str(go), supervise=command("supervisor")))
    servers = [[sys.executable, "-c", LATE.format(go=str(go), late=str(late), dies=dies)] for dies in (True, False)]
    async with serving(data_dir, ansible_dir, program=servers[0], launcher="cold") as first:
        job = await first.api.run("drip", await first.api.create_server(), extraVars={"count": 20})
        await until(lambda: str(late) in str(processes_of(data_dir)))
        await first.kill()
    assert not JobDir(data_dir / "jobs", job["number"]).claimed()

    async with serving(data_dir, ansible_dir, program=servers[1], launcher="cold") as second:
        ended = await second.api.finished(job["id"])
        copy = await stored_log(second, job)
    assert end_of(ended) == ("SUCCESS", None, 0)
    assert (dripped(copy), copy) == (list(range(20)), (data_dir / job["logPath"]).read_bytes())
    assert begun.read_text() == "begun\n"
