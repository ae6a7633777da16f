"""A worker that is cut off from the database: its jobs go on, or are stopped if it is told so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models import FailureReason, JobStatus
from runner.outcome.findings import Findings
from runner.outcome.judge import judge
from tests.support.cluster import LOST, Cluster, cluster_on, says
from tests.support.launchers import until
from tests.support.mortal_postgres import MortalPostgres, freezing_proxy, mortal_postgres
from tests.support.postgres import fresh_database

STOPPED = (
    "it was stopped, since its worker could not reach the database (PLAYCAST_ON_PARTITION): it is not known how far it "
    "came; look at the servers, then run it again"
)


def test_only_what_a_cut_off_worker_has_stopped_counts_as_lost() -> None:
    canceled = {"reason": "canceled", "code": -15}
    outcome = judge(canceled, None, {}, Findings(cut_off=True))
    assert (outcome.status, outcome.reason, outcome.message) == (JobStatus.ERROR, FailureReason.WORKER_LOST, STOPPED)
    assert judge(canceled, None, {}, Findings()).status is JobStatus.CANCELED
    # It ended by itself before the signal came.
    recap = {"srv-1": {"ok": 1, "failed": 0, "unreachable": 0}}
    ended = judge({"reason": "exited", "code": 0}, recap, {"srv-1": "s0"}, Findings(cut_off=True))
    assert ended.status is JobStatus.SUCCESS


@pytest.fixture
async def database() -> AsyncIterator[MortalPostgres]:
    async with mortal_postgres() as server:
        yield server


@pytest.fixture
async def cluster(tmp_path: Path, ansible_dir: Path, database: MortalPostgres) -> AsyncIterator[Cluster]:
    url = await fresh_database(database.url, "partition")
    async with cluster_on(url, tmp_path, ansible_dir, lost_grace="30", on_partition="stop") as made:
        yield made


@pytest.mark.postgres
@pytest.mark.timeout(180)
async def test_a_job_is_stopped_before_its_server_is_given_away(cluster: Cluster, database: MortalPostgres) -> None:
    proxy = await cluster.stack.enter_async_context(freezing_proxy(database.socket))
    api = await cluster.serve()
    await cluster.work("w1", database_url=proxy.through(cluster.url))
    job = await cluster.begun(api)
    mark = cluster.folder / "w1" / "jobs" / "1"
    assert not (mark / "exit.json").exists()
    async with proxy.frozen():
        # The job is judged lost before its worker comes back.
        assert (await api.finished(job))["failureReason"] == "WORKER_LOST"
        # Its playbook is ended while the worker is still cut off, and before the server is free.
        await until((mark / "exit.json").exists, 25)
    late = f"{LOST}; its worker came back: it ended as ERROR ({STOPPED})"
    await says(api, job, late)
    assert (await api.job(job))["failureReason"] == "WORKER_LOST"


@pytest.mark.postgres
@pytest.mark.timeout(180)
async def test_a_job_that_nobody_has_judged_tells_why_it_was_stopped(
    cluster: Cluster, database: MortalPostgres
) -> None:
    api = await cluster.serve()
    await cluster.work("w1")
    job = await cluster.begun(api)
    # While the database is away for everybody, nobody judges.
    await database.away(40)
    ended = await api.finished(job)
    assert (ended["status"], ended["failureReason"], ended["message"]) == ("ERROR", "WORKER_LOST", STOPPED)
