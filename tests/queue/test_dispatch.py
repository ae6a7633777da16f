"""The local dispatcher: slots, priority then age, at least once, nothing lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from models import JobStatus, ProvisionJob
from playcast.storage.database import migrate, opened
from runner.queue import dispatch
from runner.queue.dispatch import LocalDispatcher
from runner.queue.slots import Slots
from tests.conftest import StartApp
from tests.support.api import Api

NO_TRANSACTION = cast("BaseDBAsyncClient", None)
PRINTS = """
- name: Prints its number
  hosts: all
  gather_facts: false
  tasks:
    - name: Say when
      ansible.builtin.shell: echo {{ mark }} >> {{ file }}
      changed_when: false
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[None]:
    url = f"sqlite://{tmp_path}/dispatch.sqlite3"
    await migrate(url)
    async with opened(url):
        yield


async def pending(priority: int = 0, status: JobStatus = JobStatus.PENDING) -> int:
    job = await ProvisionJob.create(
        recipe="base",
        revision="",
        status=status,
        tags=[],
        skip_tags=[],
        timeout_seconds=1,
        requested_by="",
        priority=priority,
        admitted_at=datetime.now(UTC),
    )
    return int(job.id)


async def deliver(dispatcher: LocalDispatcher, run: Callable[[int], Any], slots: int, until: asyncio.Event) -> None:
    task = asyncio.create_task(dispatcher.work(run, Slots(slots)))
    async with asyncio.timeout(60):
        await until.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("database")
async def test_what_was_pending_comes_first_by_priority_then_age() -> None:
    low, first, second, high = await pending(-1), await pending(), await pending(), await pending(5)
    await pending(9, JobStatus.RUNNING)
    dispatcher = LocalDispatcher()
    await dispatcher.enqueue(NO_TRANSACTION, 1000, 3)
    await dispatcher.committed(1000)
    order: list[int] = []
    done = asyncio.Event()

    async def run(job_id: int) -> None:
        order.append(job_id)
        if len(order) == 5:
            done.set()

    await deliver(dispatcher, run, 1, done)
    assert order == [high, 1000, first, second, low]


@pytest.mark.usefixtures("database")
async def test_never_more_jobs_than_slots_at_a_time() -> None:
    for _ in range(7):
        await pending()
    running = most = ended = 0
    done = asyncio.Event()

    async def run(_job_id: int) -> None:
        nonlocal running, most, ended
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        ended += 1
        if ended == 7:
            done.set()

    await deliver(LocalDispatcher(), run, 3, done)
    assert (most, ended) == (3, 7)


@pytest.mark.usefixtures("database")
async def test_a_job_that_could_not_be_taken_is_delivered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.01)
    job = await pending()
    tries: list[int] = []
    done = asyncio.Event()

    async def run(job_id: int) -> None:
        tries.append(job_id)
        if len(tries) < 3:
            raise OSError("the database is away")
        done.set()

    await deliver(LocalDispatcher(), run, 2, done)
    assert tries == [job, job, job]


async def test_an_uncommitted_job_is_not_delivered() -> None:
    dispatcher = LocalDispatcher()
    await dispatcher.enqueue(NO_TRANSACTION, 7, 0)
    await dispatcher.enqueue(NO_TRANSACTION, 8, 0)
    await dispatcher.committed(8)
    assert dispatcher._queue.get_nowait() == (0, 8)
    assert dispatcher._queue.empty()


async def test_real_jobs_run_by_priority(
    start_app: StartApp, add_recipe: Callable[[str, str], None], tmp_path: Path
) -> None:
    add_recipe("prints", PRINTS)
    api: Api = await start_app(slots=1)
    server = await api.create_server()
    file = tmp_path / "order"
    jobs = [
        await api.run("prints", server, priority=priority, extraVars={"mark": mark, "file": str(file)})
        for mark, priority in (("first", 0), ("low", -5), ("normal", 0), ("high", 5))
    ]
    for job in jobs:
        assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    # The first had its slot before the others came.
    assert file.read_text().split() == ["first", "high", "normal", "low"]
