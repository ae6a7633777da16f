"""Lists: pages that stay right, filters, counts, global ids."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import JobHost, JobStatus, ProvisionJob
from tests.conftest import StartApp
from tests.support.api import Api

JOBS = """
query Jobs($first: Int, $after: String, $filter: JobFilter) {
  jobs(first: $first, after: $after, filter: $filter) {
    totalCount
    nodes { number }
    edges { cursor node { number } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
SERVERS = """
query Servers($first: Int, $after: String, $filter: ServerFilter) {
  servers(first: $first, after: $after, filter: $filter) {
    totalCount
    nodes { id name tags lastJob { number } jobs(first: 30) { totalCount nodes { number } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def api(start_app: StartApp, database_url: str) -> Api:
    """The API of an app on each kind of database."""
    return await start_app(database_url=database_url)


async def add_job(number: int, **columns: Any) -> ProvisionJob:
    """A finished job straight in the table, a minute after the one before."""
    job = await ProvisionJob.create(
        **{
            "recipe": "base",
            "revision": "r",
            "status": JobStatus.SUCCESS,
            "tags": [],
            "skip_tags": [],
            "timeout_seconds": 1,
            "requested_by": "local",
            **columns,
        }
    )
    await ProvisionJob.filter(id=job.id).update(created_at=START + timedelta(minutes=number))
    return job


def numbers(connection: dict[str, Any]) -> list[int]:
    return [node["number"] for node in connection["nodes"]]


async def test_pages_of_jobs_neither_miss_nor_repeat_while_jobs_come(api: Api) -> None:
    for number in range(1, 8):
        await add_job(number)
    first = (await api.ask(JOBS, first=3))["jobs"]
    assert (numbers(first), first["totalCount"]) == ([7, 6, 5], 7)
    assert [edge["node"]["number"] for edge in first["edges"]] == [7, 6, 5]
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"],
        "endCursor": first["edges"][2]["cursor"],
    }
    await add_job(8)
    second = (await api.ask(JOBS, first=3, after=first["pageInfo"]["endCursor"]))["jobs"]
    third = (await api.ask(JOBS, first=3, after=second["pageInfo"]["endCursor"]))["jobs"]
    assert (numbers(second), numbers(third)) == ([4, 3, 2], [1])
    assert (second["pageInfo"]["hasPreviousPage"], third["pageInfo"]["hasNextPage"]) == (True, False)
    empty = (await api.ask(JOBS, after=third["pageInfo"]["endCursor"]))["jobs"]
    assert (empty["edges"], empty["pageInfo"]["endCursor"]) == ([], None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"status": ["ERROR"]}, [2]),
        ({"status": ["ERROR", "CANCELED"]}, [3, 2]),
        ({"status": []}, []),
        ({"recipe": "demo"}, [4]),
        ({"recipe": "demo.yml"}, [4]),
        ({"requestedBy": "token"}, [5]),
        ({"createdAfter": "2026-01-01T00:03:00+00:00"}, [5, 4]),
        ({"createdBefore": "2026-01-01T01:03:00+01:00"}, [2, 1]),
        (
            {"createdAfter": "2026-01-01T00:01:00Z", "createdBefore": "2026-01-01T00:04:00Z", "status": ["CANCELED"]},
            [3],
        ),
        ({"serverId": "1"}, [4]),
        ({"serverId": "99"}, []),
        ({}, [5, 4, 3, 2, 1]),
    ],
)
async def test_filters_of_jobs(api: Api, wanted: dict[str, Any], found: list[int]) -> None:
    await api.create_server()
    await add_job(1)
    await add_job(2, status=JobStatus.ERROR)
    await add_job(3, status=JobStatus.CANCELED)
    demo = await add_job(4, recipe="demo")
    await add_job(5, requested_by="token")
    await JobHost.create(job_id=demo.id, server_id=1, host="srv-1", server_name="here")
    connection = (await api.ask(JOBS, filter=wanted))["jobs"]
    assert (numbers(connection), connection["totalCount"]) == (found, len(found))


async def test_an_instant_without_an_offset_is_refused(api: Api) -> None:
    (error,) = (await api.raw(JOBS, filter={"createdAfter": "2026-01-01T00:03:00"}))["errors"]
    assert "a DateTime is RFC 3339 with an offset" in error["message"]


async def test_servers_by_name_and_tag_with_their_jobs(api: Api) -> None:
    for name, tags in (("web-1", ["web", "eu"]), ("web-2", ["web"]), ("db-1", ["db"])):
        await api.create_server(name=name, tags=tags)
    for number in (1, 2):
        job = await add_job(number)
        await JobHost.create(job_id=job.id, server_id=1, host="srv-1", server_name="web-1")
    by_tag = (await api.ask(SERVERS, filter={"tag": "web"}))["servers"]
    assert [(node["name"], node["tags"]) for node in by_tag["nodes"]] == [("web-1", ["eu", "web"]), ("web-2", ["web"])]
    assert by_tag["nodes"][0]["lastJob"] == {"number": 2}
    assert by_tag["nodes"][0]["jobs"] == {"totalCount": 2, "nodes": [{"number": 2}, {"number": 1}]}
    assert by_tag["nodes"][1]["lastJob"] is None
    by_name = (await api.ask(SERVERS, filter={"nameContains": "B-"}))["servers"]
    assert ([node["name"] for node in by_name["nodes"]], by_name["totalCount"]) == (["web-1", "web-2", "db-1"], 3)
    assert (await api.ask(SERVERS, filter={"nameContains": "%"}))["servers"]["totalCount"] == 0
    page = (await api.ask(SERVERS, first=2))["servers"]
    rest = (await api.ask(SERVERS, first=2, after=page["pageInfo"]["endCursor"]))["servers"]
    assert [node["name"] for node in [*page["nodes"], *rest["nodes"]]] == ["web-1", "web-2", "db-1"]


async def test_node_finds_anything_by_its_global_id(api: Api) -> None:
    server = await api.create_server()
    await add_job(1)
    job = (await api.ask('{ job(id: "1") { id } }'))["job"]["id"]
    query = "query Node($id: ID!) { node(id: $id) { __typename id } }"
    assert (await api.ask(query, id=server))["node"] == {"__typename": "Server", "id": server}
    assert (await api.ask(query, id=job))["node"] == {"__typename": "ProvisionJob", "id": job}
    assert (await api.ask(query, id="U2VydmVyOjk5"))["node"] is None
    assert (await api.ask('query { a: server(id: "1") { id } b: server(id: "7") { id } }')) == {
        "a": {"id": server},
        "b": None,
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_deleted_server_leaves_its_history(api: Api) -> None:
    server = await api.create_server()
    job = await api.run("base", server)
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    gone = await api.ask('mutation { deleteServer(input: {id: "1"}) { deletedId userErrors { code } } }')
    assert gone == {"deleteServer": {"deletedId": server, "userErrors": []}}
    query = "query Job($id: ID!) { job(id: $id) { status servers { id } recipe { name } } }"
    assert (await api.ask(query, id=job["id"]))["job"] == {
        "status": "SUCCESS",
        "servers": [],
        "recipe": {"name": "base"},
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_system_tells_version_limits_and_queue(api: Api) -> None:
    queue = "queue { pending running workers { name running slots } }"
    system = (await api.ask(f"{{ system {{ version maxPageSize maxLogChunkBytes {queue} }} }}"))["system"]
    assert system == {
        "version": "0.1.0",
        "maxPageSize": 100,
        "maxLogChunkBytes": 65536,
        "queue": {"pending": 0, "running": 0, "workers": [{"name": "test", "running": 0, "slots": 4}]},
    }
