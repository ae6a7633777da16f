"""What a PENDING job waits for, in the words and lists that clients see."""

from pathlib import Path

import pytest

from models import ProvisionJob
from runner.jobs import launch
from runner.queue.dispatch import LocalDispatcher
from runner.verbs.waiting import message_of, waits_of
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.locking import fleet_on
from tests.support.standin import make_program

WORK = LocalDispatcher.work
READ = """
query Read($job: ID!, $server: ID!) {
  job(id: $job) { status message waitingFor { number } }
  server(id: $server) { lockedBy { number } }
}
"""
CANCEL = 'mutation { cancelJob(input: {jobId: "5"}) { userErrors { code } } }'
FIVE = (
    "waits for job 1 (holds s0, s1); job 2 (waits first for s2); job 3 (waits first for s3); "
    "job 4 (waits first for s4); job 5 (waits first for s5, s12)"
)


@pytest.fixture
async def still(monkeypatch: pytest.MonkeyPatch, start_app: StartApp) -> Api:
    """The API of an app that starts nothing: whatever is admitted stays PENDING."""

    async def deliver_nothing(*_: object) -> None:
        """No slot ever becomes free."""

    monkeypatch.setattr(LocalDispatcher, "work", deliver_nothing)
    return await start_app()


async def told(api: Api, job: int, server: str) -> tuple[str, list[int], int | None]:
    """The message of a job, the jobs that it waits for, and who holds a server."""
    answer = await api.ask(READ, job=str(job), server=server)
    assert answer["job"]["status"] == "PENDING"
    holder = answer["server"]["lockedBy"]
    numbers = [other["number"] for other in answer["job"]["waitingFor"]]
    return answer["job"]["message"], numbers, holder and holder["number"]


async def test_clients_see_what_a_job_waits_for(still: Api) -> None:
    servers = [await still.create_server(name=f"s{place}") for place in range(14)]
    for places in ([0, 1], [1, 2], [3, 2, 0], [2, 4], [*range(6), 12]):
        await still.run("base", *(servers[place] for place in places))

    assert await told(still, 1, servers[0]) == ("waits for a worker with a free slot", [], 1)
    assert await told(still, 2, servers[1]) == ("waits for job 1 (holds s1)", [1], 1)
    # In the order in which the job names its servers.
    third = "waits for job 2 (waits first for s2); job 1 (holds s0)"
    assert await told(still, 3, servers[2]) == (third, [2, 1], None)
    assert await told(still, 4, servers[4]) == ("waits for job 2 (waits first for s2)", [2], None)
    fifth = FIVE.rpartition("; ")[0]
    assert await told(still, 5, servers[5]) == (fifth, [1, 2, 3, 4], None)

    for place in range(6, 12):
        await still.run("base", servers[place])
    await still.run("base", *servers)
    message, numbers, holder = await told(still, 12, servers[13])
    assert (message, numbers, holder) == (f"{FIVE} and 6 other jobs", [1, 2, 3, 4, *range(5, 12)], None)

    await still.ask(CANCEL)
    message, numbers, _ = await told(still, 12, servers[13])
    assert message.endswith("job 4 (waits first for s4); job 6 (holds s6) and 5 other jobs")
    assert numbers == [1, 2, 3, 4, *range(6, 12)]


async def test_who_does_not_wait_says_nothing_of_it(still: Api) -> None:
    server = await still.create_server()
    await still.run("base", server)
    await still.ask(CANCEL.replace("5", "1"))
    answer = await still.ask(READ, job="1", server=server)
    assert answer == {
        "job": {"status": "CANCELED", "message": "canceled by local before it started", "waitingFor": []},
        "server": {"lockedBy": None},
    }


async def said(job_id: int) -> str:
    waits = (await waits_of([job_id]))[job_id]
    return message_of(await ProvisionJob.get(id=job_id), waits)


async def test_a_restart_goes_on_with_who_waits(
    still: Api, start_app: StartApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    servers = [await still.create_server(name=f"s{place}") for place in range(3)]
    for places in ([0, 1], [1, 2], [0], [2]):
        await still.run("base", *(servers[place] for place in places))
    await still.client.close()
    (tmp_path / "marks").mkdir()
    program = make_program(tmp_path, tmp_path / "marks", 0.0)
    monkeypatch.setattr(LocalDispatcher, "work", WORK)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: program)

    api = await start_app()

    for number in (1, 2, 3, 4):
        assert (await api.finished(str(number)))["status"] == "SUCCESS"
    order = {
        server: [line.split()[1] for line in (tmp_path / "marks" / server).read_text().splitlines()[::2]]
        for server in ("srv-1", "srv-2", "srv-3")
    }
    assert order == {"srv-1": ["1", "3"], "srv-2": ["1", "2"], "srv-3": ["2", "4"]}


async def test_many_servers_and_one_more_are_counted(database_url: str, tmp_path: Path, ansible_dir: Path) -> None:
    """Not one name for each: a job may have a thousand servers."""
    async with fleet_on(database_url, tmp_path / "data", ansible_dir, 6) as fleet:
        everywhere = range(6)
        whole, behind = await fleet.submit(*everywhere), await fleet.submit(*everywhere)
        assert await said(behind) == f"waits for job {whole} (holds s0, s1, s2, s3, s4 and 1 more)"
        await fleet.cancel(whole)
        await fleet.cancel(behind)
        singles = [await fleet.submit(place) for place in everywhere]
        named = "; ".join(f"job {number} (holds s{place})" for place, number in enumerate(singles[:5]))
        assert await said(await fleet.submit(*everywhere)) == f"waits for {named} and 1 other job"


async def test_waits_of_many_jobs_are_told_apart(database_url: str, tmp_path: Path, ansible_dir: Path) -> None:
    async with fleet_on(database_url, tmp_path / "data", ansible_dir, 3) as fleet:
        one, two, three, free = [await fleet.submit(*places) for places in ([0], [0, 1], [1], [2])]
        found = await waits_of([one, two, three, free, 99])
        shown = {job: [(wait.job.id, wait.holds, wait.servers) for wait in waits] for job, waits in found.items()}
        assert shown == {one: [], two: [(one, True, ["s0"])], three: [(two, False, ["s1"])], free: [], 99: []}
