"""A job that cannot be started for want of processes, files, memory, room or access says so, and the next one runs."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from runner.job_dir import JobDir
from tests.conftest import StartApp
from tests.start.test_supervisor import SUPERVISE, make
from tests.start.test_supervisor import ended as ended_alone
from tests.support.api import Api
from tests.support.disk import bound, mount, small_disk
from tests.support.launchers import until_it_serves_warm
from tests.support.limits import files_left, process_group, processes_left
from tests.support.serving import serving

FILES = "too many open files: raise the limit (`ulimit -n`, or LimitNOFILE of the service)"
PROCESSES = "no further process or thread is allowed: raise the limit (`ulimit -u`, or TasksMax of the service)"
FULL = "the disk is full: make room on it"
NOT_WRITTEN = "the job's directory cannot be written"
NOT_STARTED = "the job cannot be started"


async def ended(api: Api, server: str) -> tuple[str, str | None, str | None]:
    """How a job of `base` ends."""
    job = await api.finished((await api.run("base", server))["id"])
    return job["status"], job["failureReason"], job["message"]


Trouble = Callable[[Path], AbstractContextManager[None]]
WELL = ("SUCCESS", None, None)


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_no_more_processes(data_dir: Path, ansible_dir: Path, launcher: str) -> None:
    async with serving(data_dir, ansible_dir, launcher=launcher) as server:
        here = await server.api.create_server()
        if launcher == "warm":
            await until_it_serves_warm(server.api)
        assert await ended(server.api, here) == WELL
        pids = [server.process.pid, *(one.pid for one in psutil.Process(server.process.pid).children(recursive=True))]
        with process_group(*pids) as group:
            # The first fork that fails is the server's, then one of the process that it has started.
            for count in range(4) if launcher == "cold" else range(1):
                with processes_left(group, count):
                    status, reason, message = await ended(server.api, here)
                assert (status, reason) == ("ERROR", "LAUNCH_FAILED")
                assert message in {f"{NOT_STARTED}: {PROCESSES}", f"the job's supervisor did not start: {PROCESSES}"}
            assert await ended(server.api, here) == WELL


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_no_more_open_files(data_dir: Path, ansible_dir: Path, launcher: str) -> None:
    async with serving(data_dir, ansible_dir, launcher=launcher) as server:
        here = await server.api.create_server()
        if launcher == "warm":
            await until_it_serves_warm(server.api)
        assert await ended(server.api, here) == WELL
        for count in range(1, 9):
            with files_left(server.process.pid, count):
                status, reason, message = await ended(server.api, here)
            assert (status, reason) == ("ERROR", "LAUNCH_FAILED"), count
            assert message is not None
            assert message.endswith(FILES), count
        assert await ended(server.api, here) == WELL


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENFILE, f"{NOT_STARTED}: too many open files on this machine: raise fs.file-max"),
        (
            errno.ENOMEM,
            f"{NOT_STARTED}: no memory is left: free some, set PLAYCAST_SLOTS lower, or raise the limit of the service",
        ),
        (errno.EAGAIN, f"{NOT_STARTED}: {PROCESSES}"),
        (errno.ENOSPC, f"{NOT_WRITTEN}: {{job}}: {FULL}"),
        (errno.EDQUOT, f"{NOT_WRITTEN}: {{job}}: the disk quota is used up: make room, or raise the quota"),
        (
            errno.EACCES,
            f"{NOT_WRITTEN}: {{job}}: permission denied: give this account (uid {os.geteuid()}) access to it",
        ),
        (
            errno.EPERM,
            f"{NOT_WRITTEN}: {{job}}: this is not permitted: give this account (uid {os.geteuid()}) access to it",
        ),
        (errno.EIO, f"{NOT_WRITTEN}: {{job}}: the disk fails (input/output error): see the kernel's log"),
        (errno.ENODEV, f"{NOT_WRITTEN}: {{job}}: No such device"),
    ],
)
async def test_the_cause_is_named(
    api: Api, data_dir: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    """What the system answers to the first thing that a launch asks of it."""
    here, mkdir, job = await api.create_server(), os.mkdir, data_dir / "jobs/1"

    def refuse(path: str | Path, mode: int = 0o777) -> None:
        if Path(path) == job:
            raise OSError(number, os.strerror(number), str(path))
        mkdir(path, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", refuse)
        assert await ended(api, here) == ("ERROR", "LAUNCH_FAILED", told.format(job=job))
    assert not job.exists()
    assert await ended(api, here) == WELL


@contextmanager
def full(jobs: Path) -> Iterator[None]:
    with small_disk(jobs, "1m"):
        (jobs / "filler").write_bytes(bytes(1024 * 1024 - 4096))
        yield


@contextmanager
def read_only(jobs: Path) -> Iterator[None]:
    jobs.mkdir()
    with bound(jobs, jobs):
        mount(["-o", "remount,bind,ro", str(jobs)])
        yield


@contextmanager
def a_file(jobs: Path) -> Iterator[None]:
    jobs.touch()
    yield
    jobs.unlink()


@contextmanager
def a_broken_link(jobs: Path) -> Iterator[None]:
    jobs.symlink_to(jobs.parent / "away" / "jobs")
    yield
    jobs.unlink()


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (full, FULL),
        (read_only, "{jobs}/1: the file system is read-only: mount it writable"),
        (a_file, "something that is not a directory is in its place: move that away, or name another path"),
        (a_broken_link, "something that is not a directory is in its place: move that away, or name another path"),
    ],
)
async def test_a_directory_of_jobs_that_takes_nothing(
    start_app: StartApp, tmp_path: Path, trouble: Trouble, told: str
) -> None:
    jobs = tmp_path / "elsewhere"
    api = await start_app(jobs_dir=jobs)
    here = await api.create_server()
    with trouble(jobs):
        status, reason, message = await ended(api, here)
    assert (status, reason) == ("ERROR", "LAUNCH_FAILED")
    assert message is not None
    assert message.startswith(f"{NOT_WRITTEN}: ")
    assert message.endswith(told.format(jobs=jobs))
    assert await ended(api, here) == WELL


def test_a_claim_that_is_not_there_is_looked_for_without_a_file(tmp_path: Path) -> None:
    job_dir = JobDir(tmp_path, 1)
    job_dir.make()
    with files_left(os.getpid(), 0):
        free = job_dir.held()
    assert free is False


def test_the_supervisor_names_what_it_lacks(tmp_path: Path) -> None:
    """Alone, as the server starts it, with a limit that is just too low for each of its steps."""
    told = set()
    for most in range(8, 68, 6):
        job_dir = make(tmp_path / str(most), ["/bin/true"])
        limited = ["prlimit", f"--nofile={most}", *SUPERVISE, str(job_dir.path)]
        done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=60)
        told.add(done.stderr.strip() if done.returncode else ended_alone(job_dir)["message"])
    # With the lowest it is the supervisor itself that cannot open what it needs.
    assert told == {FILES, f"/bin/true could not be started: {FILES}"}
