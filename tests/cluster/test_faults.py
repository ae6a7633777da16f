"""Faults: parts of a cluster die, stand still and are cut off, while jobs run; no job is lost, doubled or stuck.

In the order of the test: kill -9 of a worker and of a server, which come back; PostgreSQL killed for 1 second; a worker
stopped, and another's way to the database frozen, until their jobs are judged lost; PostgreSQL killed for 10 seconds;
kill -9 of a worker that does not come back. CHAOS=long (`make chaos`) freezes for 30 seconds or longer, and kills
PostgreSQL for 45 too.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.chaos import FULL_LENGTH
from tests.support.cluster import Cluster
from tests.support.faults import GRACE, LINES, PLAYBOOK, Faults
from tests.support.faults_truth import check
from tests.support.mortal_postgres import freezing_proxy, mortal_postgres
from tests.support.postgres import fresh_database

PAUSE = 1.4


@pytest.fixture
async def faults(tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Faults]:
    (tmp_path / "marks").mkdir()
    playbook = PLAYBOOK.replace("MARKS", str(tmp_path / "marks")).replace("LINES", str(LINES)).replace("PAUSE", "0.1")
    (ansible_dir / "playbooks" / "marks.yml").write_text(playbook)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(mortal_postgres())
        proxy = await stack.enter_async_context(freezing_proxy(database.socket))
        url = await fresh_database(database.url, "faults")
        cluster = Cluster(stack, tmp_path, ansible_dir, url, {"lost_grace": str(GRACE)})
        yield Faults(cluster, database, proxy)


async def happen(faults: Faults) -> None:
    """One fault after the other."""
    await asyncio.sleep(6)
    await faults.renew_worker("w1")
    await faults.kill_server("api0", 1)
    await asyncio.sleep(2)
    await faults.database.away(1)
    await asyncio.sleep(6)
    await faults.busy("w2", "w3")
    async with faults.frozen("w2"), faults.proxy.frozen():
        await asyncio.gather(asyncio.sleep(30 if FULL_LENGTH else 0), faults.cut_off("w2", "w3"))
    await asyncio.sleep(5)
    await faults.database.away(10)
    await asyncio.sleep(6)
    if FULL_LENGTH:
        await faults.database.away(45)
        await asyncio.sleep(6)
    await faults.busy("w1")
    faults.left |= await faults.kill_worker("w1")
    faults.over.set()


@pytest.mark.postgres
@pytest.mark.timeout(1200)
async def test_no_fault_loses_doubles_or_stops_a_job(faults: Faults, tmp_path: Path) -> None:
    await faults.start()
    async with asyncio.timeout(900), asyncio.TaskGroup() as group:
        group.create_task(happen(faults))
        group.create_task(faults.submit_all(PAUSE))
    await faults.settled()
    endings = await check(faults, tmp_path / "marks")
    # Each of the three workers that were away ran something then.
    assert endings["WORKER_LOST, told late"] >= 2
    assert endings["WORKER_LOST"] >= 1
    assert endings["SUCCESS"] >= 30
