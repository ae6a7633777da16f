"""Crashes: a job outlives its server, and whatever was killed, its state and log tell the truth afterwards."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.job_dir import JobDir
from runner.job_processes import marked
from tests.support.api import JSON, Api
from tests.support.launchers import until
from tests.support.serving import CHECKOUT, PLAYCAST, Served, environment, serving

AddRecipe = Callable[[str, str], None]

STEPS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Step
      ansible.builtin.command: sleep 0.2
      loop: "{{ range(count) | list }}"
"""
# Such a job that goes on until the test has seen it.
SEEN = STEPS + "    - ansible.builtin.shell: while [ ! -e {go} ]; do sleep 0.1; done\n"

STUBBORN = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Stubborn
      ansible.builtin.shell: trap "" HUP INT TERM; touch "$TMPDIR/started"; while :; do sleep 1; done
"""


@pytest.fixture
def job_dirs(data_dir: Path) -> Iterator[Callable[[JSON], JobDir]]:
    """The directory of a job; supervisors that a failed test left behind are ended."""
    made: list[JobDir] = []

    def job_dir(job: JSON) -> JobDir:
        made.append(JobDir(data_dir / "jobs", job["number"]))
        return made[-1]

    yield job_dir
    for left in made:
        if left.held():
            os.kill(supervisor(left), signal.SIGTERM)


def supervisor(job_dir: JobDir) -> int:
    return int(run_record(job_dir)["supervisor"]["pid"])


def run_record(job_dir: JobDir) -> dict[str, Any]:
    run = job_dir.read_json(job_dir.run)
    assert run is not None
    return run


def scratch_of(job_dir: JobDir) -> Path:
    spec = job_dir.read_json(job_dir.spec)
    assert spec is not None
    return Path(spec["scratch"])


async def read_until(api: Api, job_id: str, word: str) -> list[JSON]:
    """The chunks up to the one that completes `word` in the log."""
    chunks: list[JSON] = []
    async for chunk in api.log(job_id):
        chunks.append(chunk)
        if word in text_of(chunks):
            return chunks
    raise AssertionError(f"the log ends without {word}")


def text_of(chunks: list[JSON]) -> str:
    return "".join(chunk["text"] for chunk in chunks)


async def stored_log(server: Served, job: JSON) -> bytes:
    async with server.api.client.get(f"/ansible/jobs/{job['number']}/log") as response:
        body: bytes = await response.read()
        return body


async def test_a_job_and_its_watchers_outlive_a_killed_server(
    data_dir: Path, ansible_dir: Path, add_recipe: AddRecipe, job_dirs: Callable[[JSON], JobDir], go: Path
) -> None:
    add_recipe("steps", SEEN.replace("{go}", str(go)))
    async with serving(data_dir, ansible_dir) as first:
        server = await first.api.create_server()
        job = await first.api.run("steps", server, extraVars={"count": 10})
        early = await asyncio.gather(*(read_until(first.api, job["id"], f"item={item}") for item in (0, 2)))
        await first.kill()
    job_dir = job_dirs(job)
    assert job_dir.held()
    size = job_dir.log.stat().st_size
    await until(lambda: job_dir.log.stat().st_size > size)

    async with serving(data_dir, ansible_dir) as second:
        assert (await second.api.job(job["id"]))["status"] == "RUNNING"
        go.touch()
        for chunks in early:
            chunks += [chunk async for chunk in second.api.log(job["id"], chunks[-1]["cursor"])]
        ended = await second.api.job(job["id"])
        copy = await stored_log(second, job)

    assert (ended["status"], ended["failureReason"], ended["exitCode"]) == ("SUCCESS", None, 0)
    whole = job_dir.log.read_bytes()
    assert copy == whole
    assert whole.count(b"(item=") == 10
    for chunks in early:
        assert text_of(chunks).encode() == whole
        assert [chunk["after"] for chunk in chunks] == ["0", *(chunk["cursor"] for chunk in chunks[:-1])]
        assert [chunk["end"] for chunk in chunks].count(True) == 1
    assert (ended["logSize"], ended["lineCount"]) == (len(whole), whole.count(b"\n"))


async def test_a_job_that_ended_without_a_server_is_finished_by_the_next(
    data_dir: Path, ansible_dir: Path, add_recipe: AddRecipe, job_dirs: Callable[[JSON], JobDir]
) -> None:
    add_recipe("steps", STEPS + "    - ansible.builtin.fail:\n")
    async with serving(data_dir, ansible_dir) as first:
        server = await first.api.create_server()
        job = await first.api.run("steps", server, extraVars={"count": 1})
        await read_until(first.api, job["id"], "TASK [Step]")
        await first.kill()
    job_dir = job_dirs(job)
    await until(lambda: job_dir.exit.exists() and not job_dir.held())

    async with serving(data_dir, ansible_dir) as second:
        ended = await second.api.finished(job["id"])
        copy = await stored_log(second, job)

    assert (ended["status"], ended["failureReason"], ended["exitCode"]) == ("ERROR", "PLAYBOOK_FAILED", 2)
    assert ended["message"] == 'failed on here at "ansible.builtin.fail": Failed as requested from task'
    assert copy == job_dir.log.read_bytes()
    assert b"failed=1" in copy


async def test_a_waiting_job_is_started_by_the_next_server(
    data_dir: Path, ansible_dir: Path, add_recipe: AddRecipe, job_dirs: Callable[[JSON], JobDir], go: Path
) -> None:
    add_recipe("steps", SEEN.replace("{go}", str(go)))
    async with serving(data_dir, ansible_dir, slots="1") as first:
        server = await first.api.create_server()
        running = await first.api.run("steps", server, extraVars={"count": 5})
        waiting = await first.api.run("base", server)
        await read_until(first.api, running["id"], "item=0")
        assert (await first.api.job(waiting["id"]))["status"] == "PENDING"
        await first.kill()
    go.touch()
    assert not job_dirs(waiting).claimed()

    async with serving(data_dir, ansible_dir, slots="1") as second:
        ended = [await second.api.finished(job["id"]) for job in (running, waiting)]

    assert [(job["status"], job["exitCode"]) for job in ended] == [("SUCCESS", 0), ("SUCCESS", 0)]
    assert job_dirs(running).held() is False


async def test_a_killed_supervisor_is_a_lost_job_and_nothing_of_it_runs_on(
    api: Api, add_recipe: AddRecipe, job_dirs: Callable[[JSON], JobDir]
) -> None:
    add_recipe("stubborn", STUBBORN)
    job = await api.run("stubborn", await api.create_server())
    chunks = await read_until(api, job["id"], "TASK [Stubborn]")
    job_dir = job_dirs(job)
    scratch = scratch_of(job_dir)
    await until((scratch / "started").exists)
    assert len(marked(f"TMPDIR={scratch}")) >= 3

    os.kill(supervisor(job_dir), signal.SIGKILL)
    chunks += [chunk async for chunk in api.log(job["id"], chunks[-1]["cursor"])]

    ended = await api.job(job["id"])
    message = "the job's processes were killed: it is not known how far it came; look at the servers, then run it again"
    assert (ended["status"], ended["failureReason"], ended["message"]) == ("ERROR", "WORKER_LOST", message)
    assert marked(f"TMPDIR={scratch}") == []
    assert not await asyncio.to_thread(scratch.exists)
    assert text_of(chunks).encode() == job_dir.log.read_bytes()
    assert ended["logSize"] == job_dir.log.stat().st_size


@pytest.mark.parametrize(
    ("spec", "age"),
    [
        (None, 10),
        (b'{"scratch": "/nonexistent"}', 10),
        (b'{"created_at": null}', 3600),
        (b'{"created_at": "2026-01-01T00:00:00+00:00"}', -3600),
    ],
    ids=["no specification", "of an earlier version", "without a time", "of another job, and newer"],
)
async def test_a_directory_of_another_database_is_not_taken_for_the_job(
    api: Api, data_dir: Path, spec: bytes | None, age: float
) -> None:
    old = JobDir(data_dir / "jobs", 1)
    old.make()
    old.claim.touch()
    os.utime(old.claim, (time.time() - age, time.time() - age))
    if spec is not None:
        old.write(old.spec, spec)
    old.write(old.exit, b'{"reason": "exited", "code": 0, "message": null}')
    old.write(old.events, b'{"kind": "recap", "hosts": {"srv-1": {"ok": 1}}}\n')

    job = await api.run("base", await api.create_server())

    ended = await api.finished(job["id"])
    message = f"{old.path} holds a job of another database: move it away, then run the recipe again"
    assert (ended["status"], ended["failureReason"], ended["message"]) == ("ERROR", "LAUNCH_FAILED", message)
    assert not await asyncio.to_thread(old.log.exists)


async def test_a_second_server_on_the_same_data_is_refused(data_dir: Path, ansible_dir: Path) -> None:
    async with serving(data_dir, ansible_dir) as first:
        second = await asyncio.to_thread(
            subprocess.run,
            [*PLAYCAST, "serve", "--port", "0"],
            cwd=CHECKOUT,
            env=environment(data_dir, ansible_dir),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        file = data_dir / "playcast.sqlite3"
        said = f"playcast: another Playcast already works on {file}: stop it first, or use its API\n"
        assert (second.returncode, second.stdout, second.stderr) == (2, "", said)
        async with first.api.client.get("/readyz") as response:
            assert response.status == 200
