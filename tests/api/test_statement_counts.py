"""However many rows an answer has, it takes the same few statements."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import JobEvent, JobHost, JobStatus, ProvisionJob, Server, ServerLock, ServerTag, ServerWait
from tests.support.asking import Asking, asking
from tests.support.postgres import fresh_database

ROWS = 60
NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = "number status tags duration logSize recipe { name }"
SERVER = "name tags lockedBy { number } lastJob { number }"
PAGE = "pageInfo { hasNextPage endCursor }"


JOBS = [
    (f"nodes {{ {JOB} }}", 1),
    (f"nodes {{ {JOB} }} {PAGE} totalCount", 2),
    ("edges { cursor node { hosts { name ok } } }", 2),
    ("nodes { servers { name } }", 3),
    ("nodes { hosts { server { name } } }", 3),
    ("nodes { retryOf { number status } }", 2),
    # The hosts of those that wait, the locks, who waits first, and the jobs in the way.
    ("nodes { message }", 5),
    ("nodes { message waitingFor { number } }", 5),
    (f"nodes {{ events(first: 2) {{ nodes {{ seq at }} {PAGE} }} }}", 2),
    ('nodes { a: events(first: 2) { nodes { seq } } b: events(first: 2, after: "2") { nodes { seq } } }', 3),
    # The hosts, their servers; then tags, locks and their jobs, newest jobs, pages of jobs and their counts.
    (
        f"nodes {{ hosts {{ server {{ {SERVER} jobs(first: 1) {{ nodes {{ number }} {PAGE} totalCount }} }} }} }}",
        11,
    ),
]
SERVERS = [
    ("nodes { name }", 1),
    (f"nodes {{ name }} {PAGE} totalCount", 2),
    ("nodes { tags }", 2),
    # Each of these two is a look at numbers, and one at the jobs that they name.
    ("nodes { lockedBy { number } }", 3),
    ("nodes { lastJob { number } }", 3),
    (f"nodes {{ jobs(first: 5) {{ nodes {{ {JOB} }} {PAGE} }} }}", 3),
    (f"nodes {{ jobs(first: 1) {{ edges {{ cursor }} {PAGE} totalCount }} }}", 4),
    ("nodes { jobs(first: 2) { nodes { hosts { server { tags } } } } }", 6),
    ("nodes { jobs(first: 2) { nodes { events(first: 1) { nodes { seq } } message } } }", 8),
]


ONE = [
    (f'job(id: "1") {{ id {JOB} message extraVars }}', 1),
    ('job(id: "1") { hosts { name } events { nodes { seq } } }', 3),
    ('job(id: "999") { id hosts { name } }', 1),
    ('node(id: "UHJvdmlzaW9uSm9iOjE=") { id }', 1),
    ('server(id: "1") { name }', 1),
    ('server(id: "1") { tags jobs { nodes { number } } }', 4),
    ("recipes { name } viewer { name }", 0),
]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def api(request: pytest.FixtureRequest, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Asking]:
    """Sixty servers, each held by a job that runs and wanted by one that waits, with tags and events."""
    url = f"sqlite://{tmp_path}/counts.sqlite3"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    async with asking(url, tmp_path, ansible_dir) as found:
        await fill()
        yield found


async def fill() -> None:
    """Job n runs on server n and the one after it, and job n + ROWS waits for them; it is a retry of job n."""
    plain = {"host": "h", "port": 22, "user": "u", "auth": "LOCAL", "variables": {}}
    numbers = range(1, ROWS + 1)
    await Server.bulk_create([Server(name=f"s{number}", **plain) for number in numbers])
    await ServerTag.bulk_create([ServerTag(server_id=number, tag=tag) for number in numbers for tag in ("eu", "web")])
    await ProvisionJob.bulk_create([job(JobStatus.RUNNING, None) for _ in numbers])
    await ProvisionJob.bulk_create([job(JobStatus.PENDING, number) for number in numbers])
    await ServerLock.bulk_create([ServerLock(server_id=number, job_id=number, taken_at=NOW) for number in numbers])
    await JobHost.bulk_create(
        [
            JobHost(job_id=job_id, server_id=server, host=f"srv-{server}", server_name=f"s{server}")
            for number in numbers
            for job_id in (number, number + ROWS)
            for server in (number, number % ROWS + 1)
        ]
    )
    waits = [(number, number) for number in numbers] + [(number % ROWS + 1, number) for number in numbers]
    await ServerWait.bulk_create([ServerWait(server_id=server, rank=0, job_id=ROWS + job) for server, job in waits])
    details = {"status": "RUNNING", "reason": None}
    rows = [JobEvent.of(job_id, seq, "status", NOW, details) for job_id in range(1, 2 * ROWS + 1) for seq in (1, 2, 3)]
    await JobEvent.bulk_create(rows)


def job(status: JobStatus, retry_of: int | None) -> ProvisionJob:
    return ProvisionJob(
        recipe="base",
        revision="r",
        status=status,
        tags=[],
        skip_tags=[],
        timeout_seconds=1,
        requested_by="local",
        retry_of_id=retry_of,
        event_count=3,
        created_at=NOW,
    )


async def same(api: Asking, query: str, field: str, taken: int) -> None:
    """Ask for one row and for fifty: the same number of statements."""
    for first in (1, 50):
        data, statements = await api.ask(query, first=first)
        assert len(statements) == taken, [statement.sql for statement in statements]
        rows = data[field].get("nodes") or data[field]["edges"]
        assert len(rows) == first


async def test_a_list_of_jobs(api: Asking) -> None:
    for asked, taken in JOBS:
        query = f"query($first: Int) {{ jobs(first: $first, filter: {{status: PENDING}}) {{ {asked} }} }}"
        await same(api, query, "jobs", taken)


async def test_a_list_of_servers(api: Asking) -> None:
    for asked, taken in SERVERS:
        await same(api, f"query($first: Int) {{ servers(first: $first) {{ {asked} }} }}", "servers", taken)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 119, 120, 121])
async def test_hosts_of_many_jobs_are_those_of_each(api: Asking, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("gql.loaders.ROWS_AT_ONCE", rows)
    data, _ = await api.ask("{ jobs(first: 60) { nodes { number hosts { name } servers { name } } } }")
    for node in data["jobs"]["nodes"]:
        first = (node["number"] - 1) % ROWS + 1
        both = [first, first % ROWS + 1]
        assert [host["name"] for host in node["hosts"]] == [f"srv-{number}" for number in both]
        assert [server["name"] for server in node["servers"]] == [f"s{number}" for number in both]


async def test_one_thing(api: Asking) -> None:
    for asked, taken in ONE:
        statements = (await api.ask(f"{{ {asked} }}"))[1]
        assert len(statements) == taken, [statement.sql for statement in statements]


async def test_pages_of_the_jobs_of_many_servers_are_those_of_each(api: Asking) -> None:
    page = "nodes { number } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    jobs = f"jobs(first: 3, after: $after) {{ {page} }}"
    query = f"query($after: String) {{ servers(first: 50) {{ nodes {{ id {jobs} }} }} }}"
    one = f"query($id: ID!, $after: String) {{ server(id: $id) {{ {jobs} }} }}"
    after = None
    for _ in range(2):
        servers = (await api.ask(query, after=after))[0]["servers"]["nodes"]
        for server in servers:
            assert server["jobs"] == (await api.ask(one, id=server["id"], after=after))[0]["server"]["jobs"]
        after = servers[10]["jobs"]["pageInfo"]["endCursor"]
    second = (await api.ask(query, after=None))[0]["servers"]["nodes"][1]["jobs"]
    assert [node["number"] for node in second["nodes"]] == [62, 61, 2]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (True, False)
    rest = (await api.ask(one, id="2", after=second["pageInfo"]["endCursor"]))[0]["server"]["jobs"]
    assert [node["number"] for node in rest["nodes"]] == [1]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
