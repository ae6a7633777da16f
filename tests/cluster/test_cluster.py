"""Several processes on one PostgreSQL: any server answers for any worker, and what happens to one harms no job."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from playcast.storage.postgres import plain_url
from tests.support.cluster import LOST, Cluster, cluster_on, says, text_of
from tests.support.launchers import until
from tests.support.postgres import fresh_database

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(180)]
WORKERS = "{ system { queue { pending running workers { name running slots } } } }"
LATE = f"{LOST}; its worker came back: it ended as SUCCESS"


@pytest.fixture
async def cluster(tmp_path: Path, ansible_dir: Path, postgres_url: str) -> AsyncIterator[Cluster]:
    url = await fresh_database(postgres_url, tmp_path.name)
    async with cluster_on(url, tmp_path, ansible_dir) as made:
        yield made


async def test_a_job_asked_for_here_runs_there_and_is_watched_elsewhere(cluster: Cluster) -> None:
    # Both bring the empty database to the newest schema at the same time.
    first, second = await asyncio.gather(cluster.serve(), cluster.serve())
    await asyncio.gather(cluster.work("w1"), cluster.work("w2"))
    seen = (await second.ask(WORKERS))["system"]["queue"]
    assert [worker["name"] for worker in seen["workers"]] == ["w1", "w2"]
    servers = [await first.create_server(name=f"s{number}") for number in range(4)]
    jobs = [(await first.run("mark", server))["id"] for server in servers]
    watching = [asyncio.create_task(text_of(second, job)) for job in jobs]
    await until(lambda: len(cluster.starts()) == 4)
    cluster.let_go()
    for job, text in zip(jobs, await asyncio.gather(*watching), strict=True):
        ended = await second.finished(job)
        assert ended["status"] == "SUCCESS"
        assert "the end" in text
        assert text == await text_of(first, job)
    assert sorted(cluster.starts()) == ["s0", "s1", "s2", "s3"]


async def test_a_killed_worker_loses_its_job_once_and_another_goes_on(cluster: Cluster) -> None:
    api = await cluster.serve()
    worker = await cluster.work("w1")
    server = await api.create_server(name="s0")
    job = (await api.run("mark", server))["id"]
    await until(lambda: cluster.starts() == ["s0"])
    waiting = (await api.run("mark", server))["id"]
    worker.kill()
    await worker.wait()
    await cluster.work("w2")
    ended = await api.finished(job)
    assert (ended["status"], ended["failureReason"]) == ("ERROR", "WORKER_LOST")
    assert ended["message"] == LOST
    cluster.let_go()
    assert (await api.finished(waiting))["status"] == "SUCCESS"
    assert cluster.starts() == ["s0", "s0"]
    # However late it is, when it comes back it tells how the job ended, and nothing else changes.
    await cluster.work("w1")
    await says(api, job, LATE)
    assert (await api.job(job))["failureReason"] == "WORKER_LOST"


async def test_a_worker_that_comes_back_in_time_goes_on_with_its_job(cluster: Cluster) -> None:
    api = await cluster.serve()
    worker = await cluster.work("w1")
    job = await cluster.begun(api)
    server = cluster.servers["api0"].process
    # Who stands still judges nobody, so that this worker is back in time however slow the machine is.
    server.send_signal(signal.SIGSTOP)
    worker.kill()
    await worker.wait()
    await cluster.work("w1")
    server.send_signal(signal.SIGCONT)
    cluster.let_go()
    ended = await api.finished(job)
    assert ended["status"] == "SUCCESS"
    assert "the end" in await text_of(api, job)
    assert cluster.starts() == ["s0"]


async def test_a_worker_that_stood_still_tells_late_how_its_job_ended(cluster: Cluster) -> None:
    api = await cluster.serve()
    worker = await cluster.work("w1")
    job = await cluster.begun(api)
    os.kill(worker.pid, signal.SIGSTOP)
    ended = await api.finished(job)
    assert (ended["status"], ended["failureReason"]) == ("ERROR", "WORKER_LOST")
    os.kill(worker.pid, signal.SIGCONT)
    cluster.let_go()
    await says(api, job, LATE)


async def test_a_canceled_job_stops_wherever_it_runs(cluster: Cluster) -> None:
    first, second = await cluster.serve(), await cluster.serve()
    await cluster.work("w1")
    job = await cluster.begun(first)
    await second.ask("mutation($id: ID!) { cancelJob(input: {jobId: $id}) { userErrors { message } } }", id=job)
    assert (await first.finished(job))["status"] == "CANCELED"


RETRY = "mutation($id: ID!) { retryJob(input: {jobId: $id}) { job { id retryOf { id } } userErrors { message } } }"


async def test_a_deadline_holds_and_any_server_retries(cluster: Cluster) -> None:
    first, second = await cluster.serve(), await cluster.serve()
    await cluster.work("w1")
    server = await first.create_server(name="s0")
    job = (await first.run("mark", server, timeoutSeconds=20))["id"]
    ended = await second.finished(job)
    assert (ended["status"], ended["failureReason"]) == ("ERROR", "TIMEOUT")
    cluster.let_go()
    payload = (await second.ask(RETRY, id=job))["retryJob"]
    assert (payload["userErrors"], payload["job"]["retryOf"]) == ([], {"id": job})
    assert (await first.finished(payload["job"]["id"]))["status"] == "SUCCESS"
    assert cluster.starts() == ["s0", "s0"]


async def test_a_worker_whose_name_another_has_taken_ends_and_leaves_its_job_alone(cluster: Cluster) -> None:
    api = await cluster.serve()
    worker = await cluster.work("w1")
    job = await cluster.begun(api)
    control = await asyncpg.connect(plain_url(cluster.url))
    await control.execute("UPDATE worker SET home = 'elsewhere'")
    await control.close()
    # With an error, so that a service manager begins it anew.
    assert await asyncio.wait_for(worker.wait(), 60) == 2
    assert not (cluster.folder / "w1" / "jobs" / "1" / "exit.json").exists()
    assert (await api.job(job))["status"] == "RUNNING"
