"""The supervisor alone: whatever happens to its child, its starter or its disk, it leaves a true record."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runner.job_dir import JobDir
from runner.job_processes import of_job
from runner.programs import FOLDER, command
from tests.support.disk import small_disk
from tests.support.standing import state

SUPERVISE = command("supervisor")

STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
with open("pids", "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""
"""Prints the pid of itself and of a daemon that is no child of it any more; both ignore every polite signal."""

FILL = """
import os, sys
try:
    while True:
        os.write(1, bytes(4096))
except OSError as error:
    os._exit(error.errno)
"""
"""Writes until the disk is full, and ends with the error's number."""


def make(
    tmp_path: Path, argv: list[str], *, timeout: float = 30, grace: float = 0.3, script: Path | None = None
) -> JobDir:
    job_dir = JobDir(tmp_path / "jobs", 1)
    job_dir.make()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = {"PATH": os.defpath}
    spec = {"argv": argv, "env": env, "scratch": str(scratch), "timeout": timeout, "grace": grace}
    if script is not None:
        spec["script"] = str(script)
    job_dir.write(job_dir.spec, json.dumps(spec).encode())
    return job_dir


def start(job_dir: JobDir) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SUPERVISE, str(job_dir.path)], capture_output=True, text=True, check=False, timeout=60)


def started(job_dir: JobDir) -> dict[str, Any]:
    """Start it, and give run.json."""
    done = start(job_dir)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    run = job_dir.read_json(job_dir.run)
    assert run is not None
    return run


def ended(job_dir: JobDir, within: float = 60) -> dict[str, Any]:
    """What exit.json says once the supervisor is gone."""
    deadline = time.monotonic() + within
    while not job_dir.exit.exists() or job_dir.held():
        assert time.monotonic() < deadline, "the supervisor does not end"
        time.sleep(0.01)
    end = job_dir.read_json(job_dir.exit)
    assert end is not None
    assert end["started_at"] <= end["ended_at"] <= time.time()
    return {name: end[name] for name in ("reason", "code", "message")}


def exited(code: int) -> dict[str, Any]:
    return {"reason": "exited", "code": code, "message": None}


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has collected yet has ended as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(file: Path, lines: int) -> list[str]:
    deadline = time.monotonic() + 30
    while not file.exists() or file.read_text().count("\n") < lines:
        assert time.monotonic() < deadline, f"{file} does not appear"
        time.sleep(0.01)
    return file.read_text().split()


@pytest.mark.parametrize(
    ("script", "end"),
    [("exit 0", exited(0)), ("exit 7", exited(7)), ("kill -KILL $$", exited(-9)), ("kill -TERM $$", exited(-15))],
    ids=["success", "code", "killed", "terminated"],
)
def test_exit_json_tells_how_the_child_ended(tmp_path: Path, script: str, end: dict[str, Any]) -> None:
    job_dir = make(tmp_path, ["/bin/sh", "-c", f"echo out; echo err >&2; {script}"])

    started(job_dir)

    assert ended(job_dir) == end
    assert job_dir.log.read_text() == "out\nerr\n"
    assert not (tmp_path / "scratch").exists()
    left = sorted(path.name for path in job_dir.path.iterdir())
    assert left == ["ansible.log", "claim", "exit.json", "run.json", "spec.json"]
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in job_dir.path.iterdir()}
    assert modes == dict.fromkeys(left, "0o600")


def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    job_dir = make(tmp_path, ["/nonexistent/ansible-playbook", "-vv"])

    started(job_dir)

    message = "/nonexistent/ansible-playbook could not be started: No such file or directory"
    assert ended(job_dir) == {"reason": "exec_failed", "code": 127, "message": message}


def test_a_job_is_started_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    job_dir = make(tmp_path, ["/bin/sh", "-c", "echo started; sleep 0.5; echo done"])
    command = [*SUPERVISE, str(job_dir.path)]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(6)]

    told = [racer.communicate(timeout=60)[1] for racer in racers]

    assert sorted(racer.returncode for racer in racers) == [0, 1, 1, 1, 1, 1]
    first, *refusals = sorted(told)
    assert first == ""
    assert all("File exists" in refusal and refusal.count("\n") == 1 for refusal in refusals)
    assert ended(job_dir) == exited(0)
    assert start(job_dir).returncode == 1
    assert job_dir.log.read_text() == "started\ndone\n"
    assert ended(job_dir) == exited(0)


def test_the_claim_is_held_while_the_supervisor_lives(tmp_path: Path) -> None:
    job_dir = make(tmp_path, ["/bin/sh", "-c", "exec sleep 60"])
    assert (job_dir.claimed(), job_dir.held()) == (False, False)

    run = started(job_dir)

    assert (job_dir.claimed(), job_dir.held()) == (True, True)
    os.kill(run["supervisor"]["pid"], signal.SIGKILL)
    while alive(run["supervisor"]["pid"]):
        time.sleep(0.01)
    assert (job_dir.claimed(), job_dir.held(), job_dir.exit.exists()) == (True, False, False)


@pytest.mark.alone("measures how soon it has ended")
def test_a_deadline_ends_even_what_ignores_signals_and_hides(tmp_path: Path) -> None:
    job_dir = make(tmp_path, [sys.executable, "-c", STUBBORN], timeout=5, grace=0.3)
    begin = time.monotonic()

    run = started(job_dir)
    pids = [int(pid) for pid in wait_for(job_dir.path / "pids", 2)]
    assert run["ansible"]["pid"] in pids
    end = ended(job_dir)

    assert end == {"reason": "timeout", "code": -9, "message": "stopped after 5 seconds"}
    assert time.monotonic() - begin < 5 + 0.3 + 2
    assert [alive(pid) for pid in pids] == [False, False]


def test_what_outlives_the_child_ends_with_the_job(tmp_path: Path) -> None:
    # The child ends once the daemon has told of itself as well.
    end = "while os.getpid() == CHILD and open('pids').read().count('\\n') < 2:\n    time.sleep(0.01)\n"
    rest = "if os.getpid() != CHILD:\n    time.sleep(300)\n"
    script = "import os\nCHILD = os.getpid()\n" + STUBBORN.replace("time.sleep(60)\n", end + rest)
    job_dir = make(tmp_path, [sys.executable, "-c", script])

    started(job_dir)
    pids = [int(pid) for pid in wait_for(job_dir.path / "pids", 2)]

    assert ended(job_dir) == exited(0)
    assert [alive(pid) for pid in pids] == [False, False]


def test_sigterm_to_the_supervisor_cancels_the_job(tmp_path: Path) -> None:
    script = "trap 'echo interrupted; exit 99' INT; echo ready; while :; do sleep 0.05; done"
    job_dir = make(tmp_path, ["/bin/sh", "-c", script], grace=30)

    run = started(job_dir)
    wait_for(job_dir.log, 1)
    os.kill(run["supervisor"]["pid"], signal.SIGTERM)

    assert ended(job_dir, within=20) == {"reason": "canceled", "code": 99, "message": None}
    assert job_dir.log.read_text() == "ready\ninterrupted\n"


@pytest.mark.parametrize("who", ["supervisor", "ansible", "both"])
def test_what_was_stopped_is_canceled_as_well(tmp_path: Path, who: str) -> None:
    script = "trap 'echo interrupted; exit 99' INT; echo ready; while :; do sleep 0.05; done"
    job_dir = make(tmp_path, ["/bin/sh", "-c", script], grace=30)

    run = started(job_dir)
    wait_for(job_dir.log, 1)
    pids = [run[name]["pid"] for name in ("supervisor", "ansible") if who in (name, "both")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    while any(state(pid) != "T" for pid in pids):
        time.sleep(0.01)
    for number in (signal.SIGTERM, signal.SIGCONT):
        os.kill(run["supervisor"]["pid"], number)

    assert ended(job_dir, within=20) == {"reason": "canceled", "code": 99, "message": None}
    assert job_dir.log.read_text() == "ready\ninterrupted\n"


def test_the_job_lives_on_when_its_starter_is_killed(tmp_path: Path) -> None:
    job_dir = make(tmp_path, ["/bin/sh", "-c", "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two"])
    starting = f"import subprocess, time; subprocess.run({[*SUPERVISE, str(job_dir.path)]!r}); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", starting], start_new_session=True)
    wait_for(job_dir.log, 1)

    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()

    assert (job_dir.held(), job_dir.exit.exists()) == (True, False)
    (job_dir.path / "go").touch()
    assert ended(job_dir) == exited(0)
    assert job_dir.log.read_text() == "one\ntwo\n"


def test_the_job_lives_on_when_nobody_is_left_to_hear_that_it_started(tmp_path: Path) -> None:
    job_dir = make(tmp_path, ["/bin/sh", "-c", "sleep 0.2; echo done"])
    # What the supervisor meets when its starter dies between the fork and the answer: a pipe without a reader.
    deaf = f"""
import os, sys
sys.path.insert(0, {str(FOLDER.parents[1])!r})
from runner.programs import supervisor
os.chdir({str(job_dir.path)!r})
told, tell = os.pipe()
os.close(told)
supervisor._supervise([], tell)
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", deaf], check=True, timeout=60)

    assert ended(job_dir) == exited(0)
    assert job_dir.log.read_text() == "done\n"


def test_an_early_failure_is_told_and_leaves_nothing_running(tmp_path: Path) -> None:
    job_dir = make(tmp_path, [sys.executable, "-c", STUBBORN])
    # Ansible runs already when this file is written, and a directory stands in its way.
    job_dir.run.mkdir()

    done = start(job_dir)

    assert done.returncode == 1
    assert done.stderr.startswith("IsADirectoryError: ")
    assert done.stderr.count("\n") == 1
    assert not job_dir.held()
    assert processes_in(job_dir.path) == []
    assert not (tmp_path / "scratch").exists()


def processes_in(path: Path) -> list[int]:
    """Processes that work in a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == path:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_full_disk_does_not_lose_the_exit_code(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "300k") as disk:
        job_dir = make(disk, [sys.executable, "-c", FILL])

        started(job_dir)

        assert ended(job_dir) == exited(28)  # ENOSPC
        with pytest.raises(OSError, match="No space left on device"):
            (disk / "more").write_bytes(bytes(8192))
        assert job_dir.log.stat().st_size > 200_000


@pytest.mark.parametrize(
    ("program", "ours"),
    [
        (["runner/programs/__main__.py", "supervisor"], True),
        (["runner/programs/__main__.py", "launcher"], True),
        (["runner/programs/__main__.py", "ansible_child"], False),
        # By earlier versions.
        (["runner/supervise.py"], True),
        (["runner/launcher.py"], True),
        (["runner/sleep.py"], False),
    ],
)
def test_the_programs_of_a_job_are_known_wherever_they_are_installed(
    tmp_path: Path, program: list[str], ours: bool
) -> None:
    job_dir = make(tmp_path, [])
    file = tmp_path / "elsewhere" / program[0]
    file.parent.mkdir(parents=True)
    file.write_text("print(flush=True)\ninput()\n")
    words = [sys.executable, "-I", "-S", str(file), *program[1:], str(job_dir.path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=job_dir.path, env={}, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert of_job(job_dir.path) == ([process.pid] if ours else [])
        process.kill()
