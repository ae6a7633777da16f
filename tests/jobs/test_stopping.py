"""SIGTERM: running jobs are left to the next start, or waited for; watchers go on at another server."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.api import LOG, Api
from tests.support.cluster import MARK, Cluster, cluster_on, text_of
from tests.support.launchers import until
from tests.support.postgres import fresh_database
from tests.support.serving import serving

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def cluster(tmp_path: Path, ansible_dir: Path, postgres_url: str) -> AsyncIterator[Cluster]:
    url = await fresh_database(postgres_url, tmp_path.name)
    async with cluster_on(url, tmp_path, ansible_dir) as made:
        yield made


async def still_running(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Whether it has not ended after that time."""
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        return True
    return False


async def it_waits(cluster: Cluster) -> None:
    """Until the worker w1 has heard that it is to stop."""
    await until(lambda: "waiting for running jobs" in (cluster.folder / "w1.log").read_text())


@pytest.mark.postgres
async def test_a_worker_waits_for_its_jobs_and_takes_no_more(cluster: Cluster) -> None:
    api = await cluster.serve()
    worker = await cluster.work("w1", on_stop="wait")
    servers = [await api.create_server(name=f"s{number}") for number in range(2)]
    first = (await api.run("mark", servers[0]))["id"]
    await until(lambda: cluster.starts() == ["s0"])
    worker.terminate()
    await it_waits(cluster)
    second = (await api.run("mark", servers[1]))["id"]
    assert await still_running(worker, 3)
    assert [(await api.job(job))["status"] for job in (first, second)] == ["RUNNING", "PENDING"]
    cluster.let_go()
    assert (await api.finished(first))["status"] == "SUCCESS"
    assert await asyncio.wait_for(worker.wait(), 30) == 0
    assert (await api.job(second))["status"] == "PENDING"
    await cluster.work("w2")
    assert (await api.finished(second))["status"] == "SUCCESS"
    assert cluster.starts() == ["s0", "s1"]


@pytest.mark.postgres
async def test_a_second_signal_leaves_the_jobs_to_the_next_start(cluster: Cluster) -> None:
    api = await cluster.serve()
    worker = await cluster.work("w1", on_stop="wait")
    job = await cluster.begun(api)
    worker.terminate()
    await it_waits(cluster)
    assert await still_running(worker, 1)
    worker.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(worker.wait(), 30) == 0
    assert (await api.job(job))["status"] == "RUNNING"
    await cluster.work("w1")
    cluster.let_go()
    assert (await api.finished(job))["status"] == "SUCCESS"
    assert cluster.starts() == ["s0"]


async def test_a_server_on_sqlite_waits_as_well_and_answers_meanwhile(
    tmp_path: Path, ansible_dir: Path, add_recipe: Callable[[str, str], None], go: Path
) -> None:
    add_recipe("mark", MARK.replace("FOLDER", str(tmp_path)))
    async with serving(tmp_path / "data", ansible_dir, on_stop="wait") as served:
        api = served.api
        servers = [await api.create_server(name=f"s{number}") for number in range(2)]
        first = (await api.run("mark", servers[0]))["id"]
        await until((tmp_path / "starts").exists)
        served.process.terminate()
        async with asyncio.timeout(30):
            while not await _not_ready(api):  # noqa: ASYNC110 (it is asked for)
                await asyncio.sleep(0.05)
        second = (await api.run("mark", servers[1]))["id"]
        assert await still_running(served.process, 2)
        assert [(await api.job(job))["status"] for job in (first, second)] == ["RUNNING", "PENDING"]
        watching = asyncio.create_task(text_of(api, first))
        go.touch()
        assert "the end" in await watching
        assert await asyncio.wait_for(served.process.wait(), 30) == 0
    async with serving(tmp_path / "data", ansible_dir) as served:
        assert (await served.api.job(first))["status"] == "SUCCESS"
        assert (await served.api.finished(second))["status"] == "SUCCESS"


async def _not_ready(api: Api) -> bool:
    async with api.client.get("/readyz") as response:
        return response.status == 503 and "told to stop" in await response.text()


@pytest.mark.postgres
async def test_watchers_of_a_server_that_stops_go_on_at_another(cluster: Cluster) -> None:
    first, second = await asyncio.gather(cluster.serve("api0"), cluster.serve("api1"))
    await cluster.work("w1")
    server = await first.create_server(name="s0")
    job = (await first.run("mark", server))["id"]
    text, cursor = "", None
    async with first.socket() as socket:
        await socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": LOG, "variables": {"id": job}}})
        while "began" not in text:
            chunk = (await socket.receive_json())["payload"]["data"]["jobLog"]
            text, cursor = text + chunk["text"], chunk["cursor"]
        cluster.servers["api0"].process.terminate()
        # More of the log may come before it closes.
        async for message in socket:
            chunk = message.json()["payload"]["data"]["jobLog"]
            text, cursor = text + chunk["text"], chunk["cursor"]
        assert socket.close_code == 1001
    assert await asyncio.wait_for(cluster.servers["api0"].process.wait(), 30) == 0
    cluster.let_go()
    async for chunk in second.log(job, cursor):
        assert chunk["after"] == cursor
        text, cursor = text + chunk["text"], chunk["cursor"]
    assert text == await text_of(second, job)
