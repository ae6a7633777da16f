"""Cancel and timeout leave no process of the job on this machine within the grace period and two seconds."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from playcast.app import ENGINE
from runner.job_processes import connections_of, of_job
from tests.conftest import StartApp
from tests.jobs.test_cancel import STUBBORN, AddRecipe, cancel
from tests.support.api import Api
from tests.support.launchers import is_gone, until
from tests.support.sshd import make_key, require_sshd, start_sshd

GRACE = 1.0
WITHIN = GRACE + 2.0
LIMIT = 15
"""Seconds until a job is over, of which its start takes some."""


@asynccontextmanager
async def target(api: Api, kind: str, tmp_path: Path) -> AsyncIterator[str]:
    """A server of each kind."""
    if kind == "local":
        yield await api.create_server()
        return
    private, public = make_key(tmp_path)
    password = "correct horse" if kind == "password" else None
    with start_sshd(tmp_path, authorized_key=None if password else public, password=password) as sshd:
        credential = {"password": password} if password else {"privateKey": private}
        far = {"name": kind, "host": sshd.address, "port": sshd.port, "user": sshd.user}
        yield await api.create_server(**far, credential=credential)


def below(pid: int) -> list[psutil.Process]:
    """Every process of the job but its supervisor: the tree, which ssh clients and control masters are part of."""
    return list(psutil.Process(pid).children(recursive=True))


async def ends(api: Api, job: dict[str, Any], job_dir: Path, ending: str) -> None:
    """Bring a job to its end, and look at what is left of it."""
    run = json.loads((job_dir / "run.json").read_text())
    processes = below(run["supervisor"]["pid"])
    # ansible and its worker at least; over ssh also a client.
    assert len(processes) >= 2
    # A connection may be the next job's as well, so it is found by its name alone.
    titles = tuple(f"ssh: {stem}-" for stem in connections_of(job_dir))
    masters = [process.pid for process in processes if titles and "".join(process.cmdline()).startswith(titles)]
    assert len(masters) == len(titles)
    ours = {*of_job(job_dir), *masters}
    # The `sleep 1` of a moment ago may be another by now.
    assert [process for process in processes if process.pid not in ours and not is_gone(process)] == []
    asked_at = time.time()
    if ending == "cancel":
        assert (await cancel(api, job["id"]))["userErrors"] == []
    ended = await api.finished(job["id"])
    expected = {
        "cancel": ("CANCELED", None, "canceled by local"),
        "timeout": ("ERROR", "TIMEOUT", ended["message"]),
    }
    assert (ended["status"], ended["failureReason"], ended["message"]) == expected[ending]
    record = json.loads((job_dir / "exit.json").read_text())
    begun = asked_at if ending == "cancel" else record["started_at"] + LIMIT
    assert record["ended_at"] - begun < WITHIN
    assert [process for process in processes if not is_gone(process)] == []
    assert of_job(job_dir) == []
    assert not Path(json.loads((job_dir / "spec.json").read_text())["scratch"]).exists()


@pytest.mark.alone("measures how soon a job has ended")
@pytest.mark.parametrize("kinds", [("local",), ("key", "password")], ids="+".join)
@pytest.mark.parametrize("ending", ["cancel", "timeout"])
@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_nothing_is_left(
    start_app: StartApp,
    add_recipe: AddRecipe,
    data_dir: Path,
    tmp_path: Path,
    kinds: tuple[str, ...],
    ending: str,
    launcher: str,
) -> None:
    if kinds != ("local",):
        require_sshd()
    started = tmp_path / "started"
    add_recipe("stubborn", STUBBORN.format(started=f"{started}-{{{{ inventory_hostname }}}}"))
    api = await start_app(cancel_grace=GRACE, launcher=launcher)
    options: dict[str, Any] = {"timeoutSeconds": LIMIT} if ending == "timeout" else {}
    async with AsyncExitStack() as targets:
        servers = [await targets.enter_async_context(target(api, kind, tmp_path)) for kind in kinds]
        jobs = [await api.run("stubborn", server, **options) for server in servers]
        for number in range(1, len(jobs) + 1):
            await until(Path(f"{started}-srv-{number}").exists)
        dirs = [data_dir / "jobs" / str(job["number"]) for job in jobs]
        await asyncio.gather(*(ends(api, job, job_dir, ending) for job, job_dir in zip(jobs, dirs, strict=True)))
    assert api.client.app[ENGINE].starter.warm == (len(jobs) if launcher == "warm" else 0)
