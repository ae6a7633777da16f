"""What happens in a job, told live, late and in pages, by real ansible: complete, in order, and true to the log."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from tests.support.api import JSON, Api

AddRecipe = Callable[[str, str], None]
EVENT = """
  __typename seq at
  ... on JobStatusEvent { state: status failureReason }
  ... on PlayStartedEvent { play hosts }
  ... on TaskStartedEvent { play taskId task action path logLine }
  ... on HostTaskEvent { host taskId task status duration message result resultTruncated logLine }
  ... on RecapEvent { recap: hosts { name ok changed failed skipped unreachable rescued ignored } }
"""
FOLLOW = f"""
subscription Events($id: ID!, $after: String) {{
  jobEvents(jobId: $id, after: $after) {{ cursor end events {{ {EVENT} }} }}
}}
"""
PAGE = f"""
query Page($id: ID!, $first: Int, $after: String) {{
  job(id: $id) {{
    events(first: $first, after: $after) {{
      edges {{ cursor }} nodes {{ {EVENT} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    }}
  }}
}}
"""
HOSTS = """
query Hosts($id: ID!) {
  job(id: $id) {
    progress
    hosts { name serverName currentTask ok changed failed skipped unreachable rescued ignored server { name } }
  }
}
"""
WATCH = "subscription Watch($id: ID!) { jobUpdated(ids: [$id]) { status progress hosts { ok } } }"
RICH = """
- name: First
  hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug: {{msg: hello}}
    - name: Hide
      ansible.builtin.command: echo {secret}
      no_log: true
    - name: Skip
      ansible.builtin.command: "true"
      when: false
    - name: Ignore
      ansible.builtin.command: "false"
      ignore_errors: true
    - name: Wait
      ansible.builtin.shell: while [ ! -e {go} ]; do sleep 0.05; done
      changed_when: false
    - block:
        - name: Break
          ansible.builtin.fail: {{msg: broken here}}
      rescue:
        - name: Mend
          ansible.builtin.command: "true"
- name: Second
  hosts: all
  gather_facts: false
  tasks:
    - name: Fail on two
      ansible.builtin.command: "{{{{ 'false' if server_name == 'two' else 'true' }}}}"
"""
SECRET = "word-7f3a-of-no-log"
STATUSES = {
    "Say": ["OK", "OK"],
    "Hide": ["CHANGED", "CHANGED"],
    "Skip": ["SKIPPED", "SKIPPED"],
    "Ignore": ["IGNORED", "IGNORED"],
    "Wait": ["OK", "OK"],
    "Break": ["RESCUED", "RESCUED"],
    "Mend": ["CHANGED", "CHANGED"],
    "Fail on two": ["CHANGED", "FAILED"],
}
ONE = {"ok": 6, "changed": 4, "failed": 0, "skipped": 1, "unreachable": 0, "rescued": 1, "ignored": 1}
TWO = {**ONE, "ok": 5, "changed": 3, "failed": 1}


async def batches(api: Api, job: str, after: str | None = None) -> AsyncIterator[JSON]:
    async with api.subscribe(FOLLOW, id=job, after=after) as found:
        async for batch in found:
            yield batch["jobEvents"]


async def follow(api: Api, job: str, after: str | None = None) -> list[JSON]:
    """Every event after a cursor to the end, with what each batch must say of itself."""
    events: list[JSON] = []
    ends = []
    async for batch in batches(api, job, after):
        events += batch["events"]
        assert batch["events"] or batch["end"]
        assert batch["cursor"] == (str(events[-1]["seq"]) if events else after)
        ends.append(batch["end"])
    assert ends == [False] * (len(ends) - 1) + [True]
    return events


async def follow_with_cuts(api: Api, job: str, rng: random.Random) -> list[JSON]:
    """The same over sockets that are cut after one to three batches, and resumed from the last cursor."""
    events: list[JSON] = []
    cursor, cuts, end = None, 0, False
    while not end:
        patience = 1 if cuts <= 3 else rng.randint(1, 3)
        with suppress(StopAsyncIteration):
            async for batch in batches(api, job, cursor):
                events += batch["events"]
                cursor, end, patience = batch["cursor"], batch["end"], patience - 1
                if end or not patience:
                    cuts += 1
                    break
    assert cuts > 3
    return events


def named(events: list[JSON], kind: str) -> list[JSON]:
    return [event for event in events if event["__typename"] == kind]


async def until(api: Api, job: str, task: str) -> JSON:
    """The job with its hosts, once all are at a task."""
    deadline = time.monotonic() + 120
    while True:
        found: JSON = (await api.ask(HOSTS, id=job))["job"]
        if {host["currentTask"] for host in found["hosts"]} == {task}:
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def watch(api: Api, job: str) -> list[JSON]:
    """Every state that jobUpdated sends, to the final one."""
    seen: list[JSON] = []
    async with api.subscribe(WATCH, id=job) as found:
        async for changed in found:
            seen.append(changed["jobUpdated"])
            if seen[-1]["status"] == "ERROR":
                return seen
    raise AssertionError(seen)


def counters(host: JSON) -> JSON:
    return {name: host[name] for name in ONE}


async def check_pages(api: Api, job: str, events: list[JSON]) -> None:
    """Pages of any size are the same events."""
    for first in (1, 7, 100):
        after, walked, more = None, [], True
        while more:
            page = (await api.ask(PAGE, id=job, first=first, after=after))["job"]["events"]
            walked += page["nodes"]
            cursors = [str(event["seq"]) for event in page["nodes"]]
            more = len(walked) < len(events)
            assert [edge["cursor"] for edge in page["edges"]] == cursors
            assert page["pageInfo"] == {
                "hasNextPage": more,
                "hasPreviousPage": after is not None,
                "startCursor": cursors[0],
                "endCursor": cursors[-1],
            }
            after = cursors[-1]
        assert walked == events


def check_log(events: list[JSON], log: str) -> None:
    """The line that an event names begins its output."""
    lines = log.split("\n")
    for event in named(events, "TaskStartedEvent"):
        assert lines[event["logLine"] - 1].startswith(f"TASK [{event['task']}] ***")
        assert lines[event["logLine"]].endswith(event["path"])
    words = {"OK": "ok", "CHANGED": "changed", "SKIPPED": "skipping"}
    for event in named(events, "HostTaskEvent"):
        line = lines[event["logLine"] - 1]
        word = words.get(event["status"], "fatal")
        # Ansible explains a failure before it names the host.
        if line.startswith("[ERROR]: Task failed"):
            line = next(later for later in lines[event["logLine"] :] if later.startswith("fatal"))
        assert line.startswith(f"{word}: [{event['host']}]"), (event, line)


async def test_all_that_happens_is_told_live_late_and_in_pages(
    api: Api, add_recipe: AddRecipe, data_dir: Path, tmp_path: Path
) -> None:
    seed = time.time_ns()
    print("seed", seed)  # noqa: T201 (to repeat a failure)
    go = tmp_path / "go"
    add_recipe("rich", RICH.format(secret=SECRET, go=go))
    servers = [await api.create_server(name=name) for name in ("one", "two")]
    job = (await api.run("rich", *servers))["id"]
    live = asyncio.create_task(follow(api, job))
    cut = asyncio.create_task(follow_with_cuts(api, job, random.Random(seed)))  # noqa: S311 (places to cut)
    watched = asyncio.create_task(watch(api, job))

    waiting = await until(api, job, "Wait")
    halfway = {**dict.fromkeys(ONE, 0), "ok": 3, "changed": 2, "skipped": 1, "ignored": 1}
    assert [counters(host) for host in waiting["hosts"]] == [halfway, halfway]
    assert 0.3 < waiting["progress"] < 0.9
    go.touch()
    events = await live

    assert await cut == await follow(api, job) == events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    for cursor in range(len(events) + 1):
        assert await follow(api, job, str(cursor)) == events[cursor:]
    await check_pages(api, job, events)
    check_log(events, (data_dir / "jobs/1/ansible.log").read_text())
    check_order(events)
    ended = (await api.ask(HOSTS, id=job))["job"]
    assert [counters(host) for host in ended["hosts"]] == [ONE, TWO]
    assert [(host["currentTask"], host["server"]["name"]) for host in ended["hosts"]] == [(None, "one"), (None, "two")]
    (recap,) = named(events, "RecapEvent")
    assert recap["recap"] == [{"name": "srv-1", **ONE}, {"name": "srv-2", **TWO}]
    progress = [state["progress"] for state in await watched]
    shown = [value for value in progress if value is not None]
    assert progress == [None] * (len(progress) - len(shown)) + sorted(shown)
    assert (len(set(shown)) >= 4, shown[-1], ended["progress"]) == (True, 1.0, 1.0)
    assert SECRET not in json.dumps(events)


def check_order(events: list[JSON]) -> None:
    """Every task is told before its results, every result once, with all that is known of it."""
    states = [(event["state"], event["failureReason"]) for event in named(events, "JobStatusEvent")]
    assert states == [("PENDING", None), ("RUNNING", None), ("ERROR", "PLAYBOOK_FAILED")]
    kinds = [event["__typename"] for event in events]
    assert (kinds[:3], kinds[-2:]) == (
        ["JobStatusEvent", "JobStatusEvent", "PlayStartedEvent"],
        ["RecapEvent", "JobStatusEvent"],
    )
    plays = [(event["play"], event["hosts"]) for event in named(events, "PlayStartedEvent")]
    assert plays == [("First", ["srv-1", "srv-2"]), ("Second", ["srv-1", "srv-2"])]
    tasks = {event["taskId"]: event for event in named(events, "TaskStartedEvent")}
    assert [event["task"] for event in tasks.values()] == list(STATUSES)
    results: dict[str, dict[str, JSON]] = {}
    for event in named(events, "HostTaskEvent"):
        assert (tasks[event["taskId"]]["task"], event["resultTruncated"]) == (event["task"], False)
        assert tasks[event["taskId"]]["seq"] < event["seq"]
        assert event["duration"] >= 0
        results.setdefault(event["task"], {})[event["host"]] = event
    found = {task: [by_host[host]["status"] for host in sorted(by_host)] for task, by_host in results.items()}
    assert found == STATUSES
    assert results["Say"]["srv-1"]["result"] == {"msg": "hello", "changed": False}
    assert results["Break"]["srv-2"]["message"] == "broken here"
    assert results["Fail on two"]["srv-2"]["result"]["rc"] == 1
    assert results["Hide"]["srv-1"]["result"].keys() == {"censored", "changed"}
    at = [event["at"] for event in events]
    assert at == sorted(at)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", moment) for moment in at)
