"""One suite for both databases: the verbs on jobs and servers, alone and at the same moment."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from models import FailureReason, JobEvent, JobHost, JobStatus, ProvisionJob, Server, ServerTag
from runner.errors import ErrorCode, Refused
from runner.jobs import transitions
from runner.secrets.credentials import Credential
from runner.verbs.request import Order
from runner.verbs.retry import retry_job
from runner.verbs.servers import ServerFields, create_server, delete_server, update_server
from runner.verbs.submit import run_provision
from runner.viewer import LOCAL_VIEWER
from tests.support.locking import OUTCOMES, Fleet, fleet_on

SERVERS = 3
ORDER = Order(recipe="base", server_ids=[1, 2], idempotency_key="k", extra_vars={"b": 1, "a": [2.0]}, tags=["y", "x"])
FIELDS = ServerFields(name="web", host="h", port=22, user="u", credential=Credential(local=True), tags=["b", "a"])


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Fleet]:
    """Three servers in a database of each kind."""
    async with fleet_on(database_url, tmp_path / "data", ansible_dir, SERVERS) as found:
        yield found


async def events_of(job_id: int) -> list[tuple[int, str]]:
    return [(row.seq, row.details["status"]) for row in await JobEvent.filter(job_id=job_id).order_by("seq")]


async def test_a_submit_stores_what_was_asked_for(fleet: Fleet) -> None:
    before = datetime.now(UTC)
    order = replace(ORDER, check=True, priority=-5, timeout_seconds=7, skip_tags=["s"])

    job = await run_provision(fleet.engine, LOCAL_VIEWER, order)

    (row,) = await ProvisionJob.all()
    asked = (row.recipe, row.status, row.tags, row.skip_tags, row.check_mode, row.diff, row.priority)
    assert asked == ("base", JobStatus.PENDING, ["y", "x"], ["s"], True, False, -5)
    assert list((row.extra_vars or {}).items()) == [("b", 1), ("a", [2.0])]
    assert (row.timeout_seconds, row.requested_by, row.idempotency_key) == (7, "local", "local:k")
    assert (row.fence, row.event_count, row.log_size, row.log_path) == (0, 1, 0, f"jobs/{job.id}/ansible.log")
    assert row.admitted_at is not None
    assert before <= row.created_at <= row.admitted_at <= datetime.now(UTC)
    assert row.created_at == job.created_at
    hosts = await JobHost.filter(job_id=job.id).order_by("id").values_list("server_id", "host", "server_name", "ok")
    assert hosts == [(1, "srv-1", "s0", 0), (2, "srv-2", "s1", 0)]
    assert await events_of(job.id) == [(1, "PENDING")]


async def test_a_key_names_one_job_for_a_day(fleet: Fleet) -> None:
    first = await run_provision(fleet.engine, LOCAL_VIEWER, ORDER)
    again = await run_provision(fleet.engine, LOCAL_VIEWER, replace(ORDER, server_ids=[2, 1]))
    assert again.id == first.id
    with pytest.raises(Refused) as refused:
        await run_provision(fleet.engine, LOCAL_VIEWER, replace(ORDER, server_ids=[3]))
    assert [problem.code for problem in refused.value.problems] == [ErrorCode.IDEMPOTENCY_CONFLICT]
    other = await run_provision(fleet.engine, replace(LOCAL_VIEWER, name="other"), ORDER)
    assert other.id != first.id
    await ProvisionJob.filter(id=first.id).update(created_at=datetime.now(UTC) - timedelta(hours=25))

    late = await run_provision(fleet.engine, LOCAL_VIEWER, ORDER)

    assert late.id not in (first.id, other.id)
    rows = await ProvisionJob.all().order_by("id").values_list("id", "idempotency_key")
    assert rows == [(first.id, None), (other.id, "other:k"), (late.id, "local:k")]


async def test_a_key_that_comes_many_times_at_once_names_one_job(fleet: Fleet) -> None:
    for number in range(5):
        order = replace(ORDER, idempotency_key=f"k{number}", server_ids=[number % SERVERS + 1])
        jobs = await asyncio.gather(*(run_provision(fleet.engine, LOCAL_VIEWER, order) for _ in range(8)))
        assert {job.id for job in jobs} == {jobs[0].id}
        assert await ProvisionJob.filter(idempotency_key=f"local:k{number}").count() == 1
    assert await ProvisionJob.all().count() == await JobHost.all().count() == await JobEvent.all().count() == 5
    # The first three have a server each, and behind them the others wait.
    assert len(fleet.dispatcher.handed) == len(await fleet.held()) == 3


async def test_of_many_claims_at_once_one_wins(fleet: Fleet) -> None:
    job = await fleet.submit(0)

    claims = await asyncio.gather(*(transitions.claim(fleet.engine, job, f"w{number}") for number in range(8)))

    (won,) = [claim for claim in claims if claim is not None]
    row = await ProvisionJob.get(id=job)
    assert (row.status, row.fence, row.event_count) == (JobStatus.RUNNING, 1, 2)
    assert row.worker == won.worker == f"w{claims.index(won)}"
    assert row.started_at == won.started_at
    assert await events_of(job) == [(1, "PENDING"), (2, "RUNNING")]


@pytest.mark.parametrize("status", OUTCOMES)
async def test_an_end_is_written_once(fleet: Fleet, status: JobStatus) -> None:
    outcome = OUTCOMES[status]
    running = await fleet.start(await fleet.submit(0))
    await JobHost.filter(job_id=running.id).update(current_task="in the middle")

    ends = await asyncio.gather(*(transitions.finish(fleet.engine, running, outcome) for _ in range(4)))

    assert sorted(ends) == [False, False, False, True]
    row = await ProvisionJob.get(id=running.id)
    assert (row.status, row.failure_reason, row.message, row.exit_code) == (
        status,
        outcome.reason,
        outcome.message,
        outcome.exit_code,
    )
    assert row.ended_at is not None
    assert row.event_count == 3
    assert await events_of(row.id) == [(1, "PENDING"), (2, "RUNNING"), (3, status.value)]
    assert (await JobHost.get(job_id=row.id)).current_task is None


async def test_a_lost_job_ends_once_and_what_comes_late_is_only_told(fleet: Fleet) -> None:
    running = await fleet.start(await fleet.submit(0))

    async def lose(is_lost: bool) -> bool:
        async def still(_: BaseDBAsyncClient) -> bool:
            return is_lost

        return await transitions.lose(fleet.engine, running.id, running.fence, "w1", still)

    assert not await lose(is_lost=False)
    assert (await ProvisionJob.get(id=running.id)).status is JobStatus.RUNNING
    assert sorted(await asyncio.gather(*(lose(is_lost=True) for _ in range(4)))) == [False, False, False, True]
    assert not await transitions.finish(fleet.engine, running, OUTCOMES[JobStatus.SUCCESS])
    # Its playbook may go on over there.
    assert await fleet.held() == {0: running.id}
    await asyncio.gather(*(transitions.add_late_result(fleet.engine, running, "it ended as SUCCESS") for _ in range(4)))
    row = await ProvisionJob.get(id=running.id)
    assert (row.status, row.failure_reason, row.fence) == (JobStatus.ERROR, FailureReason.WORKER_LOST, 2)
    silence = "the worker w1 was not heard of for 15 seconds; nobody knows how the job ended"
    assert row.message == f"{silence}; its worker came back: it ended as SUCCESS"
    assert await events_of(row.id) == [(1, "PENDING"), (2, "RUNNING"), (3, "ERROR")]
    assert await fleet.held() == {}


async def test_a_cancel_counts_once(fleet: Fleet) -> None:
    waiting, running = await fleet.submit(0), (await fleet.start(await fleet.submit(1))).id

    for job, status in ((waiting, JobStatus.CANCELED), (running, JobStatus.RUNNING)):
        assert await asyncio.gather(*(fleet.cancel(job) for _ in range(4))) == [status] * 4

    row = await ProvisionJob.get(id=waiting)
    assert (row.message, row.cancel_requested_by, row.event_count) == (
        "canceled by local before it started",
        "local",
        2,
    )
    assert await events_of(waiting) == [(1, "PENDING"), (2, "CANCELED")]
    row = await ProvisionJob.get(id=running)
    assert (row.status, row.cancel_requested_by, row.event_count) == (JobStatus.RUNNING, "local", 2)
    assert await fleet.held() == {1: running}


async def test_a_claim_and_a_cancel_at_once_have_one_winner(fleet: Fleet) -> None:
    for _ in range(10):
        job = await fleet.submit(0)
        claimed, status = await asyncio.gather(transitions.claim(fleet.engine, job, "w"), fleet.cancel(job))
        row = await ProvisionJob.get(id=job)
        assert (claimed is None) == (row.status is JobStatus.CANCELED) == (status is JobStatus.CANCELED)
        assert await events_of(job) == [(1, "PENDING"), (2, row.status.value)]
        if claimed is not None:
            assert row.cancel_requested_by == "local"
            assert await transitions.finish(fleet.engine, claimed, OUTCOMES[JobStatus.CANCELED])
    assert await fleet.held() == {}


async def test_a_retry_is_the_same_again(fleet: Fleet) -> None:
    first = await run_provision(fleet.engine, LOCAL_VIEWER, replace(ORDER, priority=3))
    with pytest.raises(Refused) as refused:
        await retry_job(fleet.engine, LOCAL_VIEWER, first.id, failed_hosts_only=False, idempotency_key=None)
    assert [problem.code for problem in refused.value.problems] == [ErrorCode.JOB_NOT_FINISHED]
    await fleet.end(first.id, JobStatus.ERROR)
    await JobHost.filter(job_id=first.id).update(served=True)
    await JobHost.filter(job_id=first.id, server_id=2).update(served=False)

    again = await retry_job(fleet.engine, LOCAL_VIEWER, first.id, failed_hosts_only=True, idempotency_key="r")

    row = await ProvisionJob.get(id=again.id)
    assert (row.retry_of_id, row.priority, row.tags, row.idempotency_key) == (first.id, 3, ["y", "x"], "local:r")
    assert list((row.extra_vars or {}).items()) == [("b", 1), ("a", [2.0])]
    assert [host.server_id for host in await JobHost.filter(job_id=row.id)] == [2]
    twice = await retry_job(fleet.engine, LOCAL_VIEWER, first.id, failed_hosts_only=True, idempotency_key="r")
    assert twice.id == again.id


async def test_of_servers_with_one_name_created_at_once_one_is_stored(fleet: Fleet) -> None:
    made = await asyncio.gather(
        *(create_server(fleet.engine, LOCAL_VIEWER, replace(FIELDS, port=port)) for port in range(1, 9)),
        return_exceptions=True,
    )

    (server,) = [one for one in made if isinstance(one, Server)]
    codes = [(one.problems[0].code, one.problems[0].field) for one in made if isinstance(one, Refused)]
    assert codes == [(ErrorCode.ALREADY_EXISTS, ("name",))] * 7
    assert await Server.filter(name="web").values_list("id", "port") == [(server.id, server.port)]
    assert await ServerTag.all().count() == 2
    assert await ServerTag.of_servers([server.id]) == {server.id: ["a", "b"]}


async def test_an_update_that_is_refused_changes_nothing(fleet: Fleet) -> None:
    server = await create_server(fleet.engine, LOCAL_VIEWER, FIELDS)
    await Server.filter(id=server.id).update(host_key="ssh-ed25519 AAAA")
    was = await Server.filter(id=server.id).values()
    taken = ServerFields(name="s0", host="elsewhere", tags=["c"], variables={"a": 1})

    with pytest.raises(Refused, match='there is a server called "s0" already'):
        await update_server(fleet.engine, LOCAL_VIEWER, server.id, taken)

    assert await Server.filter(id=server.id).values() == was
    assert await ServerTag.of_servers([server.id]) == {server.id: ["a", "b"]}
    await update_server(fleet.engine, LOCAL_VIEWER, server.id, replace(taken, name="s9"))
    row = await Server.get(id=server.id)
    assert (row.name, row.host, row.port, row.variables) == ("s9", "elsewhere", 22, {"a": 1})
    # Another address is another machine.
    assert vars(row)["host_key"] is None
    assert row.updated_at > was[0]["updated_at"]
    assert await ServerTag.of_servers([server.id]) == {server.id: ["c"]}


async def test_a_deleted_server_leaves_its_jobs_and_its_name(fleet: Fleet) -> None:
    job, last = await fleet.submit(0, SERVERS - 1), fleet.servers[-1]
    await fleet.end(job)

    assert await delete_server(fleet.engine, LOCAL_VIEWER, last) == last

    hosts = await JobHost.filter(job_id=job).order_by("id").values_list("server_id", "host", "server_name")
    assert hosts == [(1, "srv-1", "s0"), (None, "srv-3", "s2")]
    with pytest.raises(Refused, match="there is no server 3"):
        await delete_server(fleet.engine, LOCAL_VIEWER, last)
    new = await create_server(fleet.engine, LOCAL_VIEWER, replace(FIELDS, name="s2"))
    # Else it would inherit the history of the old one.
    assert new.id == last + 1
