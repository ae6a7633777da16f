"""Streams and pages of events at their edges: every state, wrong cursors, large batches, hosts by their ids."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models import JobEvent, JobHost, JobStatus, ProvisionJob
from runner.jobs import launch
from runner.verbs.read_events import MAX_BATCH
from tests.conftest import StartApp
from tests.events.test_events import FOLLOW, batches, follow, until
from tests.jobs.test_cancel import cancel, until_it_prints
from tests.support.api import JSON, Api
from tests.support.playbooks import SLEEPY
from tests.support.standin import make_program

PAGE = """
query Page($id: ID!, $first: Int, $after: String) {
  job(id: $id) { events(first: $first, after: $after) { nodes { seq } pageInfo { hasNextPage endCursor } } }
}
"""
HOST = "{ node(id: %s) { id __typename ... on JobHost { name serverName ok currentTask server { id } } } }"


async def states(api: Api, job: str) -> list[tuple[str, str | None]]:
    events = await follow(api, job)
    found = [(event["state"], event["failureReason"]) for event in events if event["__typename"] == "JobStatusEvent"]
    job_now = await api.job(job)
    assert found[-1] == (job_now["status"], job_now["failureReason"])
    return found


async def test_each_state_is_an_event(
    start_app: StartApp, add_recipe: Callable[[str, str], None], ansible_dir: Path
) -> None:
    add_recipe("sleepy", SLEEPY.format(seconds=60))
    add_recipe("gone", SLEEPY.format(seconds=0))
    api = await start_app(slots=1, cancel_grace=0.2)
    servers = [await api.create_server(name=f"s{number}") for number in range(4)]
    running = await api.run("sleepy", servers[0])
    waiting = await api.run("sleepy", servers[0])
    await until_it_prints(api, running["id"], "TASK [Sleep]")
    # Both are admitted, and wait for the one slot.
    late, gone = await api.run("sleepy", servers[1], timeoutSeconds=1), await api.run("gone", servers[2])
    (ansible_dir / "playbooks/gone.yml").unlink()
    await cancel(api, waiting["id"])
    assert await states(api, waiting["id"]) == [("PENDING", None), ("CANCELED", None)]
    # Events are stored a moment later than the log.
    await until(api, running["id"], "Sleep")

    await cancel(api, running["id"])

    started: list[tuple[str, str | None]] = [("PENDING", None), ("RUNNING", None)]
    assert await states(api, running["id"]) == [*started, ("CANCELED", None)]
    assert await states(api, late["id"]) == [*started, ("ERROR", "TIMEOUT")]
    assert await states(api, gone["id"]) == [*started, ("ERROR", "LAUNCH_FAILED")]
    # A task that was cut off is over as well.
    assert await JobHost.filter(current_task__isnull=False).count() == 0


async def stored_job(events: int, size: int = 0) -> ProvisionJob:
    """A finished job with so many events, each a result of so many bytes."""
    job = await ProvisionJob.create(
        recipe="base", revision="r", status=JobStatus.SUCCESS, tags=[], skip_tags=[], timeout_seconds=60,
        requested_by="test", event_count=events,
    )  # fmt: skip
    details: JSON = {"host": "srv-1", "task_id": "t", "task": "T", "status": "OK", "duration": None, "message": None}
    details |= {"result": "x" * size, "truncated": False}
    now = datetime.now(UTC)
    await JobEvent.bulk_create([JobEvent.of(job.id, seq, "host", now, details) for seq in range(1, events + 1)])
    return job


@pytest.mark.parametrize(
    ("cursor", "sizes"), [(0, [100, 100, 50]), (1, [100, 100, 49]), (50, [100, 100]), (249, [1]), (250, [0])]
)
async def test_a_stream_goes_on_behind_any_cursor(api: Api, cursor: int, sizes: list[int]) -> None:
    job = await stored_job(250)
    found = [batch async for batch in batches(api, str(job.id), str(cursor))]
    assert [len(batch["events"]) for batch in found] == sizes
    assert [event["seq"] for batch in found for event in batch["events"]] == list(range(cursor + 1, 251))
    assert [batch["end"] for batch in found] == [False] * (len(sizes) - 1) + [True]
    assert found[-1]["cursor"] == "250"


async def test_a_batch_of_large_results_stays_small(api: Api) -> None:
    """A client that takes 4 MiB at a time, as aiohttp's does, gets them all."""
    job = await stored_job(110, 60_000)
    large = await JobEvent.get(job_id=job.id, seq=50)
    large.payload = large.payload.replace("x" * 60_000, "y" * 900_000)
    await large.save()
    seen, sizes = [], []
    async for batch in batches(api, str(job.id)):
        seen += [event["seq"] for event in batch["events"]]
        sizes.append(len(json.dumps(batch)))
    assert seen == list(range(1, 111))
    assert sorted(sizes)[-2] <= MAX_BATCH + 50_000
    assert 900_000 < max(sizes) < 1_000_000


WRONG = ["", "x", "-1", "+1", "1.0", " 1", "0x1", "٣", "1" * 11, "4", "99999"]


@pytest.mark.parametrize("cursor", WRONG)
async def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    job = await stored_job(3)
    answer = await api.raw(PAGE, id=str(job.id), after=cursor)
    (error,) = answer["errors"]
    assert (answer["data"], error["extensions"]) == ({"job": None}, {"code": "BAD_USER_INPUT"})
    if cursor in {"4", "99999"}:
        assert error["message"] == f"cursor {cursor} is past the last event of job {job.id}, which has 3"
    else:
        assert error["message"].endswith(
            "is not a valid event cursor: use a `cursor` that this API gave you, or none to start"
        )
    assert await refusal(api, str(job.id), cursor) == error["message"]


async def refusal(api: Api, job: str, after: str | None) -> str:
    """What the one answer of a subscription says that must not begin."""
    async with api.socket() as socket:
        payload = {"query": FOLLOW, "variables": {"id": job, "after": after}}
        await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
        answer = await socket.receive_json()
        assert answer["type"] == "next"
        assert (await socket.receive_json())["type"] == "complete"
    (error,) = answer["payload"]["errors"]
    assert (answer["payload"]["data"], error["extensions"]) == (None, {"code": "BAD_USER_INPUT"})
    return str(error["message"])


async def test_what_is_asked_for_wrongly_is_refused(api: Api) -> None:
    job = await stored_job(3)
    assert await refusal(api, "99", None) == "there is no job 99"
    for first in (0, -1, 101):
        (error,) = (await api.raw(PAGE, id=str(job.id), first=first))["errors"]
        assert (error["message"], error["extensions"]) == ("first must be from 1 to 100", {"code": "BAD_USER_INPUT"})
    page = (await api.ask(PAGE, id=str(job.id), first=2, after="1"))["job"]["events"]
    assert page == {"nodes": [{"seq": 2}, {"seq": 3}], "pageInfo": {"hasNextPage": False, "endCursor": "3"}}
    empty = (await api.ask(PAGE, id=str(job.id), after="3"))["job"]["events"]
    assert empty == {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}


async def test_a_job_of_a_version_without_events_ends_at_once(api: Api) -> None:
    job = await stored_job(0)
    assert [batch async for batch in batches(api, str(job.id))] == [{"cursor": "0", "events": [], "end": True}]


async def test_hosts_have_ids_of_their_own(
    start_app: StartApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make_program(tmp_path, tmp_path, 0.0)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: program)
    api = await start_app()
    servers = [await api.create_server(name=name) for name in ("one", "two")]
    job = await api.run("base", *servers)
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    query = '{ job(id: "1") { hosts { id name } } }'
    first, second = (await api.ask(query))["job"]["hosts"]
    assert [first["name"], second["name"]] == ["srv-1", "srv-2"]

    async def node(host: JSON) -> Any:
        return (await api.ask(HOST % json.dumps(host["id"])))["node"]

    shown = {"__typename": "JobHost", "ok": 0, "currentTask": None}
    assert await node(second) == {
        **shown, "id": second["id"], "name": "srv-2", "serverName": "two", "server": {"id": servers[1]}
    }  # fmt: skip
    await api.ask('mutation { deleteServer(input: {id: "1"}) { deletedId } }')
    assert await node(first) == {**shown, "id": first["id"], "name": "srv-1", "serverName": "one", "server": None}
    assert await node({"id": "Sm9iSG9zdDo5OQ=="}) is None
