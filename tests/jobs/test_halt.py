"""A cancel and the deadline end a job whose processes were stopped, are held by a debugger or frozen."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest

from playcast.app import ENGINE
from runner import job_processes, programs
from runner.job_dir import JobDir
from runner.start import cold_start
from tests.conftest import StartApp
from tests.jobs.test_cancel import cancel
from tests.support.api import JSON, Api
from tests.support.launchers import is_gone, launcher_of, until
from tests.support.standing import debugged, frozen, state, stop, stopped_for_good

AddRecipe = Callable[[str, str], None]

HOLDS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Hold
      ansible.builtin.shell: touch {started}-{{{{ server_name }}}}; while [ ! -e {go} ]; do sleep 0.1; done
      changed_when: false
"""
LONG = 60.0
"""A grace that nobody waits for: what ends within it has ended by itself."""
LIMIT = 20
KILLED = -9


class Begun:
    """A job in the middle of its playbook."""

    def __init__(self, api: Api, server: str, job: JSON, data_dir: Path) -> None:
        self.api = api
        self.server = server
        self.id: str = job["id"]
        self.dir = JobDir(data_dir / "jobs", job["number"])
        self.run = json.loads(self.dir.run.read_text())
        self.supervisor: int = self.run["supervisor"]["pid"]
        self.ansible: int = self.run["ansible"]["pid"]
        self.below = psutil.Process(self.supervisor).children(recursive=True)

    def processes(self, who: str) -> list[int]:
        """Those that are to stand still."""
        everyone = [self.supervisor, *(child.pid for child in self.below)]
        return {"supervisor": [self.supervisor], "ansible": [self.ansible], "all": everyone}[who]

    async def ended(self) -> tuple[str, str | None, str | None, int | None]:
        """How it ended, with nothing left of it and its server free."""
        job = await self.api.finished(self.id)
        assert job_processes.of_job(self.dir.path) == []
        assert [child for child in self.below if not is_gone(child)] == []
        assert state(self.supervisor) == "Z"
        spec = self.dir.read_json(self.dir.spec)
        assert spec is not None
        assert not Path(spec["scratch"]).exists()
        log = self.dir.log.read_bytes()
        assert b"TASK [Hold]" in log
        assert job["logSize"] == len(log)
        async with self.api.client.get(f"/ansible/jobs/{job['number']}/log") as answer:
            assert await answer.read() == log
        return job["status"], job["failureReason"], job["message"], job["exitCode"]

    async def server_is_free(self) -> None:
        """The next job on the same server runs."""
        after = await self.api.finished((await self.api.run("base", self.server))["id"])
        assert (after["status"], after["exitCode"]) == ("SUCCESS", 0)


@pytest.fixture
def begin(add_recipe: AddRecipe, data_dir: Path, tmp_path: Path, go: Path) -> Callable[..., Any]:
    """Start a job on a server of its own, and wait until its task runs."""
    add_recipe("holds", HOLDS.format(started=tmp_path / "started", go=go))

    async def begin_one(api: Api, name: str = "here", **options: Any) -> Begun:
        server = await api.create_server(name=name)
        job = await api.run("holds", server, **options)
        await until((tmp_path / f"started-{name}").exists)
        job_dir = JobDir(data_dir / "jobs", job["number"])
        await until(job_dir.run.exists)
        return Begun(api, server, job, data_dir)

    return begin_one


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_a_cancel_ends_what_was_stopped(start_app: StartApp, begin: Callable[..., Any], launcher: str) -> None:
    api = await start_app(cancel_grace=LONG, launcher=launcher, slots=2)
    for name in ("supervisor", "ansible"):
        job = await begin(api, name)
        await stop(job.processes(name))
        for _ in range(2):
            assert (await cancel(api, job.id))["userErrors"] == []
        assert await job.ended() == ("CANCELED", None, "canceled by local", 99)
        await job.server_is_free()
    assert (api.client.app[ENGINE].starter.warm > 0) == (launcher == "warm")


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_a_cancel_ends_a_job_that_was_stopped_as_a_whole(
    start_app: StartApp, begin: Callable[..., Any], launcher: str
) -> None:
    api = await start_app(cancel_grace=1, launcher=launcher, slots=1)
    job = await begin(api)
    await stop(job.processes("all"))
    waiting = await api.run("base", job.server)
    await cancel(api, job.id)
    assert (await job.ended())[:3] == ("CANCELED", None, "canceled by local")
    assert (await api.finished(waiting["id"]))["status"] == "SUCCESS"


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_the_deadline_holds_for_what_was_stopped(
    start_app: StartApp, begin: Callable[..., Any], launcher: str
) -> None:
    api = await start_app(cancel_grace=1, launcher=launcher, slots=3)
    jobs = {who: await begin(api, who, timeoutSeconds=LIMIT) for who in ("supervisor", "ansible", "all")}
    for who, job in jobs.items():
        await stop(job.processes(who))
    for job in jobs.values():
        assert (await job.ended())[:3] == ("ERROR", "TIMEOUT", f"stopped after {LIMIT} seconds")
        assert job.dir.read_json(job.dir.exit)["reason"] == "timeout"
    for job in jobs.values():
        await job.server_is_free()


async def test_a_stopped_launcher_holds_up_no_job(start_app: StartApp, begin: Callable[..., Any]) -> None:
    api = await start_app(cancel_grace=LONG, launcher="warm", slots=2)
    before = await begin(api, "before")
    await stop([launcher_of(api).pid])
    after = await begin(api, "after")
    starter = api.client.app[ENGINE].starter
    assert (starter.warm, starter.cold) == (1, 1)
    for job in (before, after):
        await cancel(api, job.id)
        assert await job.ended() == ("CANCELED", None, "canceled by local", 99)
        await job.server_is_free()


async def test_a_worker_that_was_cut_off_stops_a_stopped_supervisor(
    start_app: StartApp, begin: Callable[..., Any]
) -> None:
    job = await begin(await start_app(cancel_grace=LONG))
    await stop([job.supervisor])
    job.dir.write(job.dir.cut_off, b"")
    message = (
        "it was stopped, since its worker could not reach the database (PLAYCAST_ON_PARTITION): "
        "it is not known how far it came; look at the servers, then run it again"
    )
    assert await job.ended() == ("ERROR", "WORKER_LOST", message, 99)


@pytest.mark.parametrize(
    ("holding", "why"),
    [(debugged, "held by a debugger"), (stopped_for_good, "stopped by a signal")],
    ids=["debugger", "stopped again"],
)
async def test_a_supervisor_that_cannot_go_on_is_ended_from_outside(
    start_app: StartApp,
    begin: Callable[..., Any],
    holding: Callable[[int], AbstractContextManager[None]],
    why: str,
) -> None:
    api = await start_app(cancel_grace=0.3, slots=2)
    canceled, late = await begin(api, "canceled"), await begin(api, "late", timeoutSeconds=LIMIT)
    said = f"its supervisor did not end it (it was {why}), so Playcast killed its processes"
    with holding(canceled.supervisor), holding(late.supervisor):
        await cancel(api, canceled.id)
        assert await canceled.ended() == ("CANCELED", None, f"canceled by local: {said}", KILLED)
        told = f"stopped after {LIMIT} seconds: {said}"
        assert await late.ended() == ("ERROR", "TIMEOUT", told, KILLED)
    record = json.loads(late.dir.exit.read_text())
    assert {name: record[name] for name in ("reason", "code", "message", "started_at")} == {
        "reason": "timeout",
        "code": KILLED,
        "message": told,
        "started_at": late.run["started_at"],
    }
    assert record["ended_at"] >= record["started_at"] + LIMIT
    assert sorted(record) == ["code", "ended_at", "message", "reason", "started_at"]
    assert not (late.dir.path / "exit.json.tmp").exists()
    for job in (canceled, late):
        await job.server_is_free()


@pytest.mark.parametrize("kind", ["v1", "v2"])
@pytest.mark.parametrize("ending", ["cancel", "timeout"])
async def test_a_frozen_job_ends_as_far_as_the_kernel_allows(
    start_app: StartApp, begin: Callable[..., Any], kind: str, ending: str
) -> None:
    api = await start_app(cancel_grace=0.3)
    job = await begin(api, **({"timeoutSeconds": LIMIT} if ending == "timeout" else {}))
    pids = job.processes("all")
    status, reason, beginning = {
        "cancel": ("CANCELED", None, "canceled by local: "),
        "timeout": ("ERROR", "TIMEOUT", f"stopped after {LIMIT} seconds: "),
    }[ending]
    said = f"{beginning}its supervisor did not end it (it was frozen with its cgroup), so Playcast killed its processes"
    with frozen(kind, pids):
        if ending == "cancel":
            await cancel(api, job.id)
        ended = await api.finished(job.id)
        assert (ended["status"], ended["failureReason"], ended["exitCode"]) == (status, reason, KILLED)
        if kind == "v2":
            assert ended["message"] == said
            assert all(state(pid) == "Z" for pid in pids)
        else:
            # Version 1 lets not even SIGKILL through.
            message, _, named = ended["message"].partition("; ")
            assert message == said
            names, _, rest = named.partition(" will end when they ")
            assert rest == "are thawed, since their cgroup is frozen"
            assert {int(pid) for pid in names.removesuffix(" and more").split(", ")} <= set(pids)
            assert all(state(pid) != "Z" for pid in pids)
            await job.server_is_free()
    await until(lambda: all(state(pid) == "Z" for pid in pids))
    assert (await api.job(job.id))["message"] == ended["message"]
    await job.server_is_free()


@pytest.mark.parametrize("claimed", [True, False], ids=["with its claim", "before its claim"])
async def test_a_supervisor_that_was_stopped_before_it_began(
    start_app: StartApp, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: bool
) -> None:
    """The server waits for its word, but not for ever."""
    copy = tmp_path / "runner" / "programs"
    copy.mkdir(parents=True)
    for name in ("__main__.py", "core_dumps.py", "process_tree.py", "system_errors.py"):
        (copy / name).write_text((programs.FOLDER / name).read_text())
    line, halt = "    _take_claim()\n", "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    program = (programs.FOLDER / "supervisor.py").read_text()
    assert program.count(line) == 1
    (copy / "supervisor.py").write_text(program.replace(line, line + halt if claimed else halt + line))
    monkeypatch.setattr(programs, "FOLDER", copy)
    monkeypatch.setattr(cold_start, "ANSWER_SECONDS", 5.0)
    api = await start_app(launcher="cold", cancel_grace=LONG)
    server = await api.create_server()
    job = await api.run("base", server)
    job_dir = JobDir(data_dir / "jobs", 1)
    if claimed:
        await until(job_dir.log.exists)
        await cancel(api, job["id"])
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["failureReason"], ended["message"]) == (
        ("CANCELED", None, "canceled by local")
        if claimed
        else ("ERROR", "LAUNCH_FAILED", "the job's supervisor did not start within 5 seconds")
    )
    assert job_processes.of_job(job_dir.path) == []
    assert (job_dir.claimed(), job_dir.held()) == (claimed, False)
    monkeypatch.undo()
    assert (await api.finished((await api.run("base", server))["id"]))["status"] == "SUCCESS"
