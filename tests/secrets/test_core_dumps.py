"""No process that knows a secret leaves its memory on the disk, whatever the machine allows."""

import asyncio
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from playcast.settings import LauncherMode
from runner.job_dir import JobDir
from runner.job_processes import of_job
from tests.conftest import StartApp
from tests.jobs.test_recovery import run_record, scratch_of, supervisor
from tests.support.drip import add_drip, drip
from tests.support.launchers import launcher_of, until_it_serves_warm
from tests.support.serving import CHECKOUT, serving

# As under a service manager that allows cores, in a directory of the test: there the kernel would put them.
ALLOWED = f"""
import os, resource, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from playcast.commands.cli import main
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
os.chdir(os.environ["PLAYCAST_DATA_DIR"])
main()
"""
PRIVATE = ("0", "0", "00000000")


def core_of(pid: int) -> tuple[str, str, str]:
    """The soft and the hard limit of its core, and which of its memory a core would hold."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    found = re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.MULTILINE)
    assert found is not None
    return found[1], found[2], Path(f"/proc/{pid}/coredump_filter").read_text().strip()


def cores_below(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("core*") if path.is_file()]


@pytest.fixture
def _cores_allowed() -> None:
    """The test is skipped where no core could come in any case, or where a program takes them."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "/", "@")) or not pattern:
        pytest.skip(f"cores of this machine do not lie beside what failed: {pattern!r}")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY and os.geteuid():
        pytest.skip("this account may not allow cores")


@pytest.mark.usefixtures("_cores_allowed")
@pytest.mark.parametrize("launcher", list(LauncherMode))
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
async def test_what_is_killed_in_the_middle_of_a_job_leaves_no_core(
    data_dir: Path, ansible_dir: Path, tmp_path: Path, launcher: LauncherMode, number: signal.Signals
) -> None:
    data_dir.mkdir()
    add_drip(ansible_dir, tmp_path / "begun")
    program = [sys.executable, "-c", ALLOWED]
    async with serving(data_dir, ansible_dir, program=program, launcher=launcher.value) as server:
        if launcher is LauncherMode.WARM:
            await until_it_serves_warm(server.api)
        job = await drip(server.api, await server.api.create_server(), 1000)
        job_dir = JobDir(data_dir / "jobs", job["number"])
        ansible, scratch = int(run_record(job_dir)["ansible"]["pid"]), scratch_of(job_dir)
        here = [server.process.pid, *(one.pid for one in psutil.Process(server.process.pid).children(recursive=True))]
        found = {pid: core_of(pid) for pid in {*here, supervisor(job_dir), *of_job(job_dir.path)}}
        assert ansible in found
        # One that has ended has no memory left to choose from.
        assert {pid: core for pid, core in found.items() if core[2]} == dict.fromkeys(
            [pid for pid, core in found.items() if core[2]], PRIVATE
        )
        os.kill(ansible, number)
        ended = await server.api.finished(job["id"])
        assert (ended["status"], ended["exitCode"]) == ("ERROR", -number)
        server.process.send_signal(number)
        assert await asyncio.wait_for(server.process.wait(), 60) == -number
    assert cores_below(data_dir, tmp_path, scratch) == []


@pytest.mark.parametrize("launcher", list(LauncherMode))
async def test_a_job_has_no_core_where_its_server_did_not_see_to_it(
    start_app: StartApp, data_dir: Path, ansible_dir: Path, tmp_path: Path, launcher: LauncherMode
) -> None:
    """The app under test runs in this process, which may leave cores."""
    add_drip(ansible_dir, tmp_path / "begun")
    api = await start_app(launcher=launcher)
    job = await drip(api, await api.create_server(), 1000)
    job_dir = JobDir(data_dir / "jobs", job["number"])
    found = {core_of(pid) for pid in [supervisor(job_dir), *of_job(job_dir.path)]}
    os.kill(int(run_record(job_dir)["ansible"]["pid"]), signal.SIGABRT)
    assert (await api.finished(job["id"]))["status"] == "ERROR"
    assert found == {PRIVATE}
    assert core_of(os.getpid())[2] != PRIVATE[2]
    if launcher is LauncherMode.WARM:
        assert launcher_of(api).is_running()


@pytest.mark.parametrize("words", [["migrate"], ["schema"], ["run", "base", "x"], ["prune"]])
def test_every_command_forbids_cores(data_dir: Path, words: list[str]) -> None:
    program = f"""
import atexit, resource, sys
sys.path.insert(0, {str(CHECKOUT)!r})
atexit.register(lambda: sys.stderr.write(f"limits {{resource.getrlimit(resource.RLIMIT_CORE)}}"))
from playcast.commands.cli import main
main()
"""
    env = {"PATH": os.defpath, "PLAYCAST_DATA_DIR": str(data_dir), "PLAYCAST_URL": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", program, *words], env=env, check=False, capture_output=True, text=True)
    assert done.stderr.endswith("limits (0, 0)")
