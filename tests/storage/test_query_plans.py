"""With 100,000 jobs every list, page and lookup still goes by an index, and reads little more than it shows.

The plans are those of the statements that the API really sends, captured while it answers.
"""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tortoise.connection import get_connection

from models import ProvisionJob, ServerWait
from tests.support.asking import Asking, asking
from tests.support.many_jobs import WIDE_LOG, fill
from tests.support.postgres import fresh_database
from tests.support.statements import Statement, recorded

JOBS = "query($after: String, $filter: JobFilter) { jobs(after: $after, filter: $filter) { nodes { number } } }"
SERVER_LIST = (
    "query($after: String, $filter: ServerFilter) { servers(after: $after, filter: $filter) { nodes { name } } }"
)
MIDDLE = "cm93OjYwMDAw"
EARLY = "2026-01-02T00:00:00Z"
# Each as SQLite must look for it: PostgreSQL knows how rare a value is, and may know better.
JOB_FILTERS: list[tuple[dict[str, Any] | None, str]] = [
    (None, ""),
    ({"status": ["CANCELED"]}, "(status=?"),
    ({"status": ["SUCCESS"]}, "(status=?"),
    ({"status": ["ERROR", "CANCELED"]}, "(status=?"),
    ({"status": ["PENDING", "RUNNING"]}, "(status=?"),
    ({"recipe": "rare"}, "(recipe=?"),
    ({"recipe": "base"}, "(recipe=?"),
    ({"requestedBy": "rare"}, "(requested_by=?"),
    ({"requestedBy": "token"}, "(requested_by=?"),
    ({"serverId": "20000"}, "(server_id=?"),
    ({"serverId": "1"}, "(server_id=?"),
    ({"createdBefore": EARLY}, "(created_at<?"),
    ({"createdAfter": "2026-03-01T00:00:00Z"}, "(created_at>?"),
    ({"createdAfter": EARLY, "createdBefore": "2026-01-02T01:00:00Z"}, "(created_at>?"),
    ({"status": ["ERROR"], "recipe": "rare"}, "(recipe=? AND status=?"),
    ({"status": ["CANCELED"], "recipe": "base"}, "(recipe=? AND status=?"),
    ({"status": ["SUCCESS"], "recipe": "rare"}, "(recipe=? AND status=?"),
    ({"status": ["CANCELED"], "requestedBy": "token"}, "(requested_by=? AND status=?"),
    ({"status": ["SUCCESS"], "requestedBy": "rare"}, "(requested_by=? AND status=?"),
    ({"status": ["CANCELED"], "createdBefore": EARLY}, "(status=? AND id<?"),
    ({"recipe": "rare", "createdBefore": EARLY}, "(recipe=? AND id<?"),
    ({"requestedBy": "rare", "createdAfter": EARLY}, "(requested_by=? AND id>?"),
    ({"serverId": "20000", "createdBefore": EARLY}, "(server_id=? AND job_id<?"),
    ({"serverId": "20000", "status": ["SUCCESS"]}, "(server_id=?"),
]
SERVER_FILTERS: list[tuple[dict[str, Any] | None, str]] = [
    (None, ""),
    ({"tag": "rare"}, "(tag=?"),
    ({"tag": "all"}, "(tag=?"),
    ({"tag": "rare", "nameContains": "web"}, "(tag=?"),
]
NESTED = """{ jobs { nodes {
    message waitingFor { number } servers { name } events(first: 1) { nodes { seq } } log(maxBytes: 100) { cursor }
    hosts { server { tags lockedBy { number } lastJob { number } jobs(first: 1) { nodes { number } } } }
} } }"""
PAGES = f"""{{ job(id: "{WIDE_LOG}") {{
    events(first: 100, after: "2000") {{ nodes {{ seq }} }}
    log(after: "20005", maxBytes: 1000) {{ cursor }} end: log(last: true, maxBytes: 1000) {{ cursor }}
}} }}"""
# What a page may read: itself, the jobs of a day for one by time of creation, or all chunks that fill 64 KiB.
MOST_ROWS = 3000


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def api(request: pytest.FixtureRequest, tmp_path: Path, ansible_dir: Path) -> AsyncIterator[Asking]:
    url = f"sqlite://{tmp_path}/plans.sqlite3"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    async with asking(url, tmp_path, ansible_dir) as found:
        await fill(found.dialect)
        yield found


async def test_every_list_and_page_goes_by_an_index(api: Asking) -> None:
    for query, filters in ((JOBS, JOB_FILTERS), (SERVER_LIST, SERVER_FILTERS)):
        for chosen, way in filters:
            for after in (None, MIDDLE):
                found = await plans(api, (await api.ask(query, filter=chosen, after=after))[1])
                assert api.dialect != "sqlite" or all(way in plan for plan in found), (chosen, after, found)
    for query in (NESTED, PAGES):
        await plans(api, (await api.ask(query))[1])
    async with recorded() as statements:
        await ProvisionJob.runnable()
        first = await ServerWait.first_on(range(450, 550))
        assert sorted(rank.job_id for rank in first.values())[:2] == [99991, 99992]
    await plans(api, list(statements))


async def plans(api: Asking, statements: list[Statement]) -> list[str]:
    """The plan of each statement, which must be good."""
    assert statements
    explain = _sqlite_plan if api.dialect == "sqlite" else _postgres_plan
    return [await explain(statement) for statement in statements]


async def _sqlite_plan(statement: Statement) -> str:
    """Looks up everything; only a list without any condition goes along its table, which lies in order."""
    connection = get_connection("default")
    rows = await connection.execute_query_dict(f"EXPLAIN QUERY PLAN {statement.sql}", list(statement.values))
    lines = [str(row["detail"]) for row in rows]
    limited = "LIMIT" in statement.sql
    scans = [line for line in lines if line.startswith("SCAN") and line != "SCAN asked VIRTUAL TABLE INDEX 1:"]
    assert scans == [] or (limited and "WHERE" not in statement.sql), (statement, lines)
    # What has no limit is shown as a whole, and may be sorted; so may the rows of one job, but not those of all.
    assert not (limited and "USE TEMP B-TREE FOR ORDER BY" in lines), (statement, lines)
    return "\n".join(lines)


async def _postgres_plan(statement: Statement) -> str:
    """Executed: no step of it comes by many rows, be it to sort, to join or to leave them out."""
    sql = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.sql}"
    rows = await get_connection("default").execute_query_dict(sql, list(statement.values))
    told = rows[0]["QUERY PLAN"]
    plan = json.loads(told) if isinstance(told, str) else told
    for step in _steps(plan[0]["Plan"]):
        seen = (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"]
        assert seen <= MOST_ROWS, (statement, plan)
    return json.dumps(plan)


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _steps(below)
