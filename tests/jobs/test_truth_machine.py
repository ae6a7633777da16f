"""States tell the truth also when the machine fails a job: killed processes, a reboot, a full disk, missing parts."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runner.job_dir import JobDir
from runner.jobs import launch
from tests.support.api import JSON, Api
from tests.support.disk import small_disk
from tests.support.launchers import until

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]
THEN = "it is not known how far it came; look at the servers, then run it again"

WAITS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: touch "$TMPDIR/started"; while [ ! -e "$TMPDIR/go" ]; do sleep 0.05; done
"""
FLOOD = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "{{ 'x' * 1000000 }}"}
"""


async def start(api: Api, data_dir: Path, server: str) -> tuple[str, JobDir, Path]:
    """A job whose task runs: its id, its directory, and the file that lets it go on."""
    job = await api.run("waits", await api.create_server(name=server))
    job_dir = JobDir(data_dir / "jobs", job["number"])
    await until(job_dir.run.exists)
    scratch = Path(json.loads(job_dir.spec.read_bytes())["scratch"])
    await until((scratch / "started").exists)
    return job["id"], job_dir, scratch / "go"


def kill(job_dir: JobDir, process: str, number: signal.Signals) -> None:
    run = job_dir.read_json(job_dir.run)
    assert run is not None
    os.kill(run[process]["pid"], number)


def told(job: JSON) -> tuple[str, str | None, str | None, int | None]:
    return job["status"], job["failureReason"], job["message"], job["exitCode"]


async def test_what_is_killed_or_taken_away(api: Api, data_dir: Path, add_recipe: AddRecipe) -> None:
    add_recipe("waits", WAITS)
    names = ("killed", "terminated", "interrupted", "orphaned", "removed")
    jobs = [await start(api, data_dir, name) for name in names[:4]]
    for (_, job_dir, _), number in zip(jobs, (signal.SIGKILL, signal.SIGTERM, signal.SIGINT), strict=False):
        kill(job_dir, "ansible", number)
    kill(jobs[3][1], "supervisor", signal.SIGKILL)
    # The slots are taken until the first of them have ended.
    jobs.append(await start(api, data_dir, names[4]))
    shutil.rmtree(jobs[4][1].path)
    jobs[4][2].touch()
    ended = [told(await api.finished(job)) for job, _, _ in jobs]
    assert ended == [
        ("ERROR", "WORKER_LOST",
         f"ansible was killed by SIGKILL, not by Playcast, perhaps since memory ran out: {THEN}", -9),
        ("ERROR", "WORKER_LOST", f"ansible was killed by SIGTERM, not by Playcast: {THEN}", -15),
        ("ERROR", "WORKER_LOST", f"ansible was interrupted, not by Playcast: {THEN}", 99),
        ("ERROR", "WORKER_LOST", f"the job's processes were killed: {THEN}", None),
        ("ERROR", "WORKER_LOST", f"the job's directory was removed: {THEN}", None),
    ]  # fmt: skip


async def test_a_reboot_and_a_directory_removed_meanwhile(start_app: StartApp, data_dir: Path) -> None:
    """A job that had ended is made to look like one that a reboot, or the loss of its directory, has cut short."""
    api = await start_app()
    servers = [await api.create_server(name=name) for name in ("one", "two")]
    jobs = [await api.run("base", server) for server in servers]
    assert [(await api.finished(job["id"]))["status"] for job in jobs] == ["SUCCESS", "SUCCESS"]
    await api.client.close()
    rebooted = JobDir(data_dir / "jobs", 1)
    run = rebooted.read_json(rebooted.run)
    rebooted.write(rebooted.run, json.dumps({**(run or {}), "boot_id": "another"}).encode())
    rebooted.exit.unlink()
    shutil.rmtree(data_dir / "jobs" / "2")
    with sqlite3.connect(data_dir / "playcast.sqlite3") as database:
        database.execute("UPDATE provision_job SET status = 'RUNNING', ended_at = NULL, exit_code = NULL")
    database.close()

    again = await start_app()

    ended = [told(await again.finished(job["id"])) for job in jobs]
    assert ended == [
        ("ERROR", "WORKER_LOST", f"the machine restarted while the job ran: {THEN}", None),
        ("ERROR", "WORKER_LOST", f"the job's directory was removed: {THEN}", None),
    ]
    # It is lost, and not run again.
    assert not await asyncio.to_thread((data_dir / "jobs" / "2").exists)


async def test_a_full_disk(start_app: StartApp, tmp_path: Path, add_recipe: AddRecipe) -> None:
    add_recipe("flood", FLOOD)
    with small_disk(tmp_path / "disk", "400k") as disk:
        api = await start_app(jobs_dir=disk / "jobs")
        server = await api.create_server()
        during = await api.finished((await api.run("flood", server))["id"])
        before = await api.finished((await api.run("base", server))["id"])
        await api.client.close()
    full = "the log could not be written, since the disk is full"
    assert told(during) == ("ERROR", "WORKER_LOST", f"{full}: {THEN}", 74)
    assert told(before)[:2] == ("ERROR", "LAUNCH_FAILED")
    assert "the disk is full" in before["message"]


async def test_missing_programs_and_playbooks(
    start_app: StartApp, data_dir: Path, ansible_dir: Path, add_recipe: AddRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_recipe("waits", WAITS)
    add_recipe("gone", WAITS)
    api = await start_app(slots=1, launcher="cold")
    server = await api.create_server()
    first, _, go = await start(api, data_dir, "here too")
    waiting = await api.run("gone", server)
    (ansible_dir / "playbooks" / "gone.yml").unlink()
    go.touch()
    assert (await api.finished(first))["status"] == "SUCCESS"
    gone = told(await api.finished(waiting["id"]))
    message = "the recipe gone has left the allow-list since the job was requested"
    assert gone == ("ERROR", "LAUNCH_FAILED", message, None)
    assert not JobDir(data_dir / "jobs", waiting["number"]).claimed()

    absent = data_dir / "no" / "ansible-playbook"
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: str(absent))
    missing = told(await api.finished((await api.run("base", server))["id"]))
    message = f"{absent} could not be started: No such file or directory: install ansible-core beside Playcast"
    assert missing == ("ERROR", "LAUNCH_FAILED", message, 127)

    printer = data_dir / "ansible-playbook"
    printer.write_text(f"#!{sys.executable}\nprint('All is well\\x1b[0m')\n")
    printer.chmod(0o755)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: str(printer))
    printed = told(await api.finished((await api.run("base", server))["id"]))
    message = "ansible ended without a recap: its last line is: All is well"
    assert printed == ("ERROR", "PLAYBOOK_FAILED", message, 0)
