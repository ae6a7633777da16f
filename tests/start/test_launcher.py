"""Whatever happens to the launcher, jobs start, once each, and end as they should."""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from runner import job_processes, programs
from runner.job_dir import JobDir
from runner.programs.ansible_hooks import PLUGINS
from runner.start import warm_start
from runner.start.warm_start import Launcher
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.launchers import is_gone, kill, launcher_of, room_of, say, starter_of, until
from tests.support.playbooks import SLOW

AddRecipe = Callable[[str, str], None]
Logs = list[dict[str, Any]]
GONE, BROKEN = "jobs start cold: the launcher is gone", "jobs start cold: the launcher does not work"


@pytest.fixture
def logs() -> Iterator[Logs]:
    with capture_logs() as captured:
        yield captured  # type: ignore[misc]  # each entry is a plain dict


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the launcher's files, which a test may change."""
    copy = tmp_path / "runner" / "programs"
    copy.mkdir(parents=True)
    for file in programs.FOLDER.glob("*.py"):
        shutil.copy2(file, copy)
    (copy / "plugins").symlink_to(PLUGINS)
    start = [*programs.command("launcher")[:-2], str(copy / "__main__.py"), "launcher"]
    # For the launcher alone: what starts cold is as it was.
    monkeypatch.setattr(warm_start, "programs", SimpleNamespace(FOLDER=copy, command=lambda _: start))
    return copy


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Each launcher after the first one starts when this event is set, and at once: nobody waits for time to pass."""
    opened, first = asyncio.Event(), [True]
    real: Callable[[Path], Awaitable[Launcher]] = Launcher.open

    async def open_later(ansible_dir: Path) -> Launcher:
        if not first or not first.pop():
            await opened.wait()
        return await real(ansible_dir)

    monkeypatch.setattr(Launcher, "open", open_later)
    monkeypatch.setattr(warm_start, "RETRY_SECONDS", 0.0)
    return opened


def warnings(logs: Logs) -> list[tuple[str, str]]:
    return [(entry["event"], entry["error"]) for entry in logs if entry["log_level"] == "warning"]


def started(api: Api) -> tuple[int, int]:
    """(warm, cold): how many jobs started how."""
    starter = starter_of(api)
    return starter.warm, starter.cold


async def succeeds(api: Api, server: str, recipe: str = "base") -> None:
    ended = await api.finished((await api.run(recipe, server))["id"])
    assert (ended["status"], ended["message"]) == ("SUCCESS", None)


async def until_warm(api: Api) -> None:
    await until(lambda: starter_of(api).ready)


async def until_it_holds(api: Api, job_id: str) -> None:
    """Wait until a job of the playbook SLOW waits for its file."""
    async for chunk in api.log(job_id):
        if "TASK [ansible.builtin.shell]" in chunk["text"]:
            return


async def test_a_killed_launcher(
    start_app: StartApp, add_recipe: AddRecipe, go: Path, gate: asyncio.Event, logs: Logs
) -> None:
    add_recipe("slow", SLOW.format(go=go))
    api = await start_app(launcher="warm")
    servers = [await api.create_server(name=name) for name in ("one", "two")]
    job = await api.run("slow", servers[0])
    await until_it_holds(api, job["id"])
    first = launcher_of(api)
    room = room_of(first)

    kill(first)
    await until(lambda: not starter_of(api).ready)
    await succeeds(api, servers[1])
    assert started(api) == (1, 1)
    await until(lambda: not room.exists())
    gate.set()
    await until_warm(api)
    await succeeds(api, servers[1])
    go.touch()
    ended = await api.finished(job["id"])

    assert (ended["status"], ended["message"]) == ("SUCCESS", None)
    assert started(api) == (2, 1)
    assert launcher_of(api).pid != first.pid
    assert warnings(logs) == [(GONE, f"it ended with code {-signal.SIGKILL}")]


async def test_a_launcher_that_dies_young_is_not_replaced_at_once(start_app: StartApp) -> None:
    api = await start_app(launcher="warm")
    kill(launcher_of(api))
    await until(lambda: not starter_of(api).ready)
    opening = starter_of(api)._opening
    starter_of(api).renew()
    assert starter_of(api)._opening is opening is not None
    assert warm_start.RETRY_SECONDS == 60


async def test_a_launcher_that_does_not_answer_and_comes_back_late(
    start_app: StartApp,
    add_recipe: AddRecipe,
    data_dir: Path,
    tmp_path: Path,
    gate: asyncio.Event,
    logs: Logs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_recipe("once", f"- hosts: all\n  tasks: [{{ansible.builtin.shell: echo x >> {tmp_path}/ran}}]\n")
    may_close, close = asyncio.Event(), Launcher.close

    async def close_late(one: Launcher) -> None:
        await may_close.wait()
        await close(one)

    api = await start_app(launcher="warm")
    monkeypatch.setattr(Launcher, "close", close_late)
    server, sleepy = await api.create_server(), launcher_of(api)
    sleepy.suspend()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(warm_start, "ANSWER_SECONDS", 0.3)
            await succeeds(api, server, "once")
        assert started(api) == (0, 1)

        # The request still waits in its socket, with the memory files of the job, and is read now.
        sleepy.resume()
        assert (await say(room_of(sleepy), b"next")).startswith("JSONDecodeError")
        await until(lambda: sleepy.children() == [])
    finally:
        may_close.set()
    job_dir = JobDir(data_dir / "jobs", 1)
    assert job_processes.of_job(job_dir.path) == []
    assert sorted(path.name for path in job_dir.path.glob("claim*")) == ["claim"]
    assert job_dir.log.read_text().count("PLAY RECAP") == 1
    gate.set()
    await until_warm(api)
    await succeeds(api, server, "once")
    assert (started(api), (tmp_path / "ran").read_text()) == ((1, 1), "x\nx\n")
    assert warnings(logs) == [(GONE, "it did not answer")]
    await until(lambda: is_gone(sleepy))


async def test_a_launcher_whose_directory_was_removed(start_app: StartApp, gate: asyncio.Event, logs: Logs) -> None:
    api = await start_app(launcher="warm")
    server, robbed = await api.create_server(), launcher_of(api)
    shutil.rmtree(room_of(robbed))
    await succeeds(api, server)
    assert started(api) == (0, 1)
    gate.set()
    await until_warm(api)
    await succeeds(api, server)
    assert started(api) == (1, 1)
    assert warnings(logs) == [(GONE, "[Errno 2] No such file or directory")]
    await until(lambda: is_gone(robbed))


BREAKS = {
    "raises": ("ansible_preload", "def preload(): raise ImportError('no such part')", "ImportError: no such part"),
    "dies": ("ansible_preload", "def preload(): os._exit(9)", "it ended with code 9"),
    "hangs": ("ansible_preload", "def preload(): import time; time.sleep(60)", "it took too long"),
    "prints": ("launcher", "print('hello', flush=True)", "it ended with code 0"),
    "thread": (
        "ansible_preload",
        "import threading\ndef preload(): threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "RuntimeError: 2 threads after the imports: a fork would lose all but one",
    ),
    "file": (
        "ansible_preload",
        "def preload(): sys.held = open('/etc/passwd')",
        "RuntimeError: /etc/passwd is open after the imports: a fork would close it",
    ),
    "supervisor": ("supervisor", "def detach(*_, **__): return 'not today'", "its test did not start: not today"),
    "ansible": ("ansible_refresh", "def become(*_): os._exit(3)", "its test ended with 3: no output"),
    "killed": ("ansible_refresh", "def become(*_): os.kill(os.getpid(), 9)", "its test ended with -9: no output"),
    "traceback": (
        "ansible_refresh",
        "def _forget(env): raise KeyError('gone')",
        "its test ended with 1: KeyError: 'gone'",
    ),
    "log": ("masking", "Running.feed = lambda self, data: data", "its test showed a secret"),
    "events": ("masking", "Masker.mask = lambda self, text: text", "its test showed a secret"),
}


@pytest.mark.parametrize("broken", BREAKS)
async def test_a_launcher_that_fails_its_test(
    start_app: StartApp, own_files: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    file, code, error = BREAKS[broken]
    path = own_files / f"{file}.py"
    path.write_text(f"{path.read_text()}\n{code}\n")
    monkeypatch.setattr(warm_start, "RETRY_SECONDS", 0.0)
    if broken == "hangs":
        monkeypatch.setattr(warm_start, "START_SECONDS", 0.5)
    api = await start_app(launcher="warm")
    assert warnings(logs) == [(BROKEN, error)]
    await succeeds(api, await api.create_server())
    assert (started(api), starter_of(api).ready) == ((0, 1), False)
    opening = starter_of(api)._opening
    if opening is not None:
        await asyncio.wait([opening])
    # It was tried again, and failed again; nobody wants to read that once a minute.
    assert warnings(logs) == [(BROKEN, error)]


async def test_a_launcher_made_from_other_files_is_replaced(
    start_app: StartApp,
    add_recipe: AddRecipe,
    ansible_dir: Path,
    own_files: Path,
    tmp_path: Path,
    go: Path,
    gate: asyncio.Event,
    logs: Logs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = tmp_path / "release.py"
    shutil.copy2(warm_start._release(), release)
    monkeypatch.setattr(warm_start, "_release", lambda: release)
    add_recipe("slow", SLOW.format(go=go))
    api = await start_app(launcher="warm")
    servers = [await api.create_server(name=name) for name in ("one", "two")]
    job = await api.run("slow", servers[0])
    await until_it_holds(api, job["id"])
    launchers = [launcher_of(api)]
    for warm, file in enumerate([ansible_dir / "ansible.cfg", own_files / "masking.py", release], 1):
        gate.clear()
        file.write_text(f"{file.read_text()}\n# changed\n")
        await succeeds(api, servers[1])
        assert started(api) == (warm, warm)
        gate.set()
        await until_warm(api)
        await succeeds(api, servers[1])
        assert started(api) == (warm + 1, warm)
        launchers.append(launcher_of(api))
    go.touch()
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    assert len({process.pid for process in launchers}) == 4
    await until(lambda: [is_gone(process) for process in launchers] == [True, True, True, False])
    assert warnings(logs) == []


@pytest.mark.parametrize(("limit", "value"), [("MOST_JOBS", 1), ("MOST_SECONDS", 0.0)])
async def test_a_worn_launcher_is_replaced_while_it_works_on(
    start_app: StartApp, gate: asyncio.Event, logs: Logs, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    api = await start_app(launcher="warm")
    server, worn = await api.create_server(), launcher_of(api)
    await succeeds(api, server)
    assert starter_of(api)._opening is None
    monkeypatch.setattr(warm_start, limit, value)
    for _ in range(2):
        await succeeds(api, server)
        assert launcher_of(api).pid == worn.pid
    monkeypatch.undo()
    gate.set()
    await until(lambda: launcher_of(api).pid != worn.pid)
    await succeeds(api, server)
    assert started(api) == (4, 0)
    await until(lambda: is_gone(worn))
    assert warnings(logs) == []
