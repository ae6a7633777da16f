"""The launcher as a process: who may talk to it, what it keeps, what it leaves behind, and how it ends."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runner.job_dir import JobDir
from runner.job_processes import of_job
from runner.programs import launcher
from runner.start.memory_files import sealed
from tests.conftest import StartApp
from tests.jobs.test_cancel import POLITE, until_it_prints
from tests.support.api import Api
from tests.support.launchers import (
    is_gone,
    kill,
    launcher_of,
    launchers_below,
    room_of,
    say,
    starter_of,
    until,
    until_it_serves_warm,
)
from tests.support.playbooks import SLOW
from tests.support.serving import serving

AddRecipe = Callable[[str, str], None]
NOBODY = 65534
KNOCK = """
import contextlib, os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
with socket.socket(socket.AF_UNIX) as connection:
    try:
        connection.connect(sys.argv[2])
        # The answer may be there, and the other end closed, before anything was asked.
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(b'{"job_dir": "/tmp"}')
        print(connection.recv(4096).decode())
    except OSError as error:
        print(type(error).__name__)
"""


def knock(room: Path) -> str:
    """What another account hears."""
    command = [sys.executable, "-I", "-c", KNOCK, str(NOBODY), str(room / launcher.SOCKET)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def error_of(message: bytes) -> str:
    """What this Python calls the fault of a message that is no JSON: how deep it reads depends on its version."""
    with pytest.raises((ValueError, RecursionError)) as raised:
        json.loads(message)
    return raised.type.__name__


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


async def succeeds(api: Api, server: str) -> None:
    assert (await api.finished((await api.run("base", server))["id"]))["status"] == "SUCCESS"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
async def test_no_other_account_is_served(start_app: StartApp) -> None:
    room = room_of(launcher_of(await start_app(launcher="warm")))
    assert (mode(room), mode(room / launcher.SOCKET)) == ("0o700", "0o600")
    assert knock(room) == "PermissionError"
    # Even if somebody opens the doors.
    room.chmod(0o755)
    (room / launcher.SOCKET).chmod(0o666)
    assert knock(room) == "PermissionError: another account asks"


async def test_nothing_that_is_sent_ends_it(start_app: StartApp, tmp_path: Path) -> None:
    api = await start_app(launcher="warm")
    one = launcher_of(api)
    room = room_of(one)
    deep = b"[" * launcher.MAX_REQUEST
    empty = [sealed("empty", b"") for _ in range(launcher.MAX_FDS + 1)]
    try:
        answers = [
            await say(room, message, fds)
            for message, fds in [
                (b'{"\xff', []),
                (b"[]", empty[:2]),
                (b"{}", []),
                (deep, []),
                (b'"' + b"x" * launcher.MAX_REQUEST, []),
                (launcher.request(tmp_path), empty),
                (launcher.request(tmp_path / "nowhere"), []),
                (launcher.request(tmp_path), []),
            ]
        ]
    finally:
        for fd in empty:
            os.close(fd)
    assert [answer.partition(":")[0] for answer in answers] == [
        "UnicodeDecodeError",
        "TypeError",
        "KeyError",
        error_of(deep),
        "reset",
        "ValueError",
        "FileNotFoundError",
        "FileNotFoundError",
    ]
    assert answers[5] == "ValueError: more than 8 files"
    assert answers[7] == "FileNotFoundError: [Errno 2] No such file or directory: 'spec.json'"
    await succeeds(api, await api.create_server())
    assert (launcher_of(api).pid, starter_of(api).warm) == (one.pid, 1)


async def test_who_connects_and_says_nothing_keeps_nobody_waiting(start_app: StartApp) -> None:
    api = await start_app(launcher="warm")
    room = room_of(launcher_of(api))
    silent = [await asyncio.open_unix_connection(room / launcher.SOCKET) for _ in range(3)]
    await succeeds(api, await api.create_server())
    assert starter_of(api).warm == 1
    # Each is told, and then forgotten.
    heard = [await reader.read() for reader, _ in silent]
    assert heard == [b"TimeoutError: timed out"] * 3
    for _, writer in silent:
        writer.close()
        await writer.wait_closed()


async def test_a_job_without_its_memory_files_fails_as_a_job(start_app: StartApp, data_dir: Path) -> None:
    api = await start_app(launcher="warm")
    one = launcher_of(api)
    await succeeds(api, await api.create_server())
    job_dir = JobDir(data_dir / "jobs", 99)
    job_dir.make()
    spec = JobDir(data_dir / "jobs", 1).spec.read_text().replace("/jobs/1/", "/jobs/99/")
    job_dir.spec.write_text(spec)
    assert await say(room_of(one), launcher.request(job_dir.path)) == "started"
    await until(lambda: not job_dir.held())
    end = job_dir.read_json(job_dir.exit)
    assert end is not None
    assert (end["reason"], end["code"]) == ("exited", 1)
    assert job_dir.log.read_text().splitlines()[-1].startswith("OSError: [Errno 9] Bad file descriptor")
    await succeeds(api, "1")
    assert launcher_of(api).pid == one.pid


async def test_a_killed_supervisor_takes_its_job_along(
    start_app: StartApp, add_recipe: AddRecipe, data_dir: Path, tmp_path: Path
) -> None:
    add_recipe("polite", POLITE)
    (tmp_path / "disk").mkdir()
    # As on a machine whose data directory is a link: the kernel knows the place by another name.
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    api = await start_app(launcher="warm", jobs_dir=tmp_path / "link" / "jobs")
    job = await api.run("polite", await api.create_server())
    await until_it_prints(api, job["id"], "TASK [Wait]")
    job_dir = JobDir(tmp_path / "link" / "jobs", 1)
    run, spec = job_dir.read_json(job_dir.run), job_dir.read_json(job_dir.spec)
    assert run is not None
    assert spec is not None
    supervisor = psutil.Process(run["supervisor"]["pid"])
    processes: list[psutil.Process] = []

    def all_are_known() -> bool:
        processes[:] = supervisor.children(recursive=True)
        # ansible, its worker, and the command at least: forks of the launcher, and what they started.
        return len(processes) >= 3 and {supervisor.pid, *(one.pid for one in processes)} == set(of_job(job_dir.path))

    await until(all_are_known)
    kill(supervisor)
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["failureReason"]) == ("ERROR", "WORKER_LOST")
    assert of_job(job_dir.path) == []
    assert [process for process in processes if not is_gone(process)] == []
    assert not Path(spec["scratch"]).exists()
    assert not is_gone(launcher_of(api))


async def test_a_server_killed_during_the_launchers_test_leaves_nothing(data_dir: Path, ansible_dir: Path) -> None:
    async with serving(data_dir, ansible_dir, launcher="warm") as served:
        await until(lambda: launchers_below(served.process.pid) != [])
        (one,) = launchers_below(served.process.pid)
        room = room_of(one)
        await until(lambda: list(room.glob("test-*/1/run.json")) != [])
        (run,) = room.glob("test-*/1/run.json")
        job_dir = JobDir(run.parent.parent, 1)
        supervisor = psutil.Process((job_dir.read_json(job_dir.run) or {})["supervisor"]["pid"])
        await served.kill()
        await until(lambda: is_gone(one))
    await until(lambda: is_gone(supervisor))
    assert of_job(job_dir.path) == []
    assert not room.exists()


async def metrics(api: Api) -> list[str]:
    async with api.client.get("/metrics") as response:
        return [line for line in (await response.text()).splitlines() if re.match("playcast_(launcher|jobs_sta)", line)]


def is_told(pid: int, word: str) -> bool:
    """Whether a word is in the command line or in the environment that a process began with."""
    try:
        files = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    except OSError:
        # One of the short-lived commands of a playbook.
        return False
    return any(word.encode() in content for content in files)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_it_ends_with_the_server_and_its_job_goes_on(
    data_dir: Path, ansible_dir: Path, add_recipe: AddRecipe, go: Path, end: signal.Signals
) -> None:
    add_recipe("slow", SLOW.format(go=go))
    async with serving(data_dir, ansible_dir, launcher="warm", mask_words="marker-f00d") as served:
        await until_it_serves_warm(served.api)
        (one,) = launchers_below(served.process.pid)
        room = room_of(one)
        job = await served.api.run("slow", await served.api.create_server())
        await until_it_prints(served.api, job["id"], "TASK [ansible.builtin.shell]")
        assert await metrics(served.api) == [
            "playcast_launcher_warm 1.0",
            "playcast_jobs_started_warm_total 1.0",
            "playcast_jobs_started_cold_total 0.0",
        ]
        job_dir = JobDir(data_dir / "jobs", 1)
        await until(lambda: len(of_job(job_dir.path)) >= 4)
        # Nothing of the server's environment is in theirs; the search finds it where it is.
        assert is_told(served.process.pid, "marker-f00d")
        assert [pid for pid in (one.pid, *of_job(job_dir.path)) if is_told(pid, "marker-f00d")] == []
        assert sorted(one.environ()) == [
            *("ANSIBLE_CONFIG", "ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP"),
            *("HOME", "LANG", "PATH", "TMPDIR"),
        ]
        served.process.send_signal(end)
        await served.process.wait()
        await until(lambda: is_gone(one) and not room.exists())
        assert job_dir.held()
        go.touch()
        await until(lambda: not job_dir.held())
    record = job_dir.read_json(job_dir.exit)
    assert record is not None
    assert (record["reason"], record["code"]) == ("exited", 0)
