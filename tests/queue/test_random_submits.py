"""Many jobs on few servers, submitted at random over the API: never two on one server, and none is forgotten.

Two hundred with a cheap program in the place of ansible, and fewer with the real one over real ssh; all two hundred of
those too where LONG_TESTS is set.
"""

import asyncio
import itertools
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from runner.jobs import launch
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.sshd import Sshd, make_key, require_sshd, start_sshd
from tests.support.standin import make_program

SERVERS = 12
ALL = 200
REAL = ALL if os.environ.get("LONG_TESTS") else 25
MARKS = """
- name: Marks
  hosts: all
  gather_facts: false
  tasks:
    - name: Mark
      ansible.builtin.raw: >-
        echo start {{ turn }} >> {{ marks }}/{{ inventory_hostname }}; sleep 0.02;
        echo end {{ turn }} >> {{ marks }}/{{ inventory_hostname }}
      changed_when: false
"""
JOBS = """
query Jobs($after: String) {
  jobs(first: 15, after: $after) {
    nodes {
      number status message startedAt endedAt extraVars
      servers { name }
      events { nodes { at ... on JobStatusEvent { status } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
QUEUE = "{ system { queue { pending running } } servers { nodes { lockedBy { number } } } }"
IDLE = {"pending": 0, "running": 0}
Job = dict[str, Any]


async def submit_all(api: Api, servers: list[str], count: int, recipe: str, **extra: str) -> dict[int, int]:
    """Submit jobs in bursts, each on a few random servers; the priority of each, by number."""
    seed = time.time_ns()
    print("seed", seed)  # noqa: T201 (to repeat a failure)
    rng = random.Random(seed)  # noqa: S311 (choices, not secrets)
    priorities: dict[int, int] = {}
    turns = itertools.count()

    async def submit() -> None:
        places = rng.sample(servers, rng.choice([1, 1, 2, 2, 3, 4]))
        priority = rng.choice([0, 0, 0, 0, 1])
        job = await api.run(recipe, *places, priority=priority, extraVars={**extra, "turn": str(next(turns))})
        priorities[job["number"]] = priority

    while len(priorities) < count:
        await asyncio.gather(*(submit() for _ in range(min(rng.randint(1, 10), count - len(priorities)))))
        await asyncio.sleep(rng.random() * 0.1)
    return priorities


async def all_ended(api: Api, seconds: float) -> list[Job]:
    """Every job once nothing waits or runs any more, in the order of their numbers."""
    async with asyncio.timeout(seconds):
        while (await api.ask(QUEUE))["system"]["queue"] != IDLE:  # noqa: ASYNC110 (the queue as a whole tells no event)
            await asyncio.sleep(0.2)
    # Asked anew: the locks may have been read before the queue, in the moment of the last end.
    servers = (await api.ask(QUEUE))["servers"]["nodes"]
    assert [node["lockedBy"] for node in servers] == [None] * SERVERS
    jobs: list[Job] = []
    more, after = True, None
    while more:
        page = (await api.ask(JOBS, after=after))["jobs"]
        jobs += page["nodes"]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    return jobs[::-1]


def check_history(jobs: list[Job], priorities: dict[int, int]) -> None:
    """What the tables say: each job ran once, alone on its servers, and in its turn."""
    assert [job["number"] for job in jobs] == sorted(priorities)
    assert {(job["status"], job["message"]) for job in jobs} == {("SUCCESS", None)}
    for job in jobs:
        states = [(event["status"], event["at"]) for event in job["events"]["nodes"] if "status" in event]
        assert [state for state, _ in states] == ["PENDING", "RUNNING", "SUCCESS"]
        assert [at for _, at in states][1:] == [job["startedAt"], job["endedAt"]]
    spans = {job["number"]: [datetime.fromisoformat(job[name]) for name in ("startedAt", "endedAt")] for job in jobs}
    servers = {job["number"]: {server["name"] for server in job["servers"]} for job in jobs}
    for older, younger in combinations(sorted(spans), 2):
        if not servers[older] & servers[younger]:
            continue
        first, second = sorted([spans[older], spans[younger]])
        assert first[1] <= second[0], (older, younger)
        if priorities[older] >= priorities[younger]:
            assert first is spans[older], f"{younger} went ahead of {older}"


def check_marks(marks: Path, counts: list[int]) -> None:
    """What the programs wrote on each server: one begins only where the one before has ended."""
    for number, count in enumerate(counts, start=1):
        lines = (marks / f"srv-{number}").read_text().split("\n")[:-1] if count else []
        words = [line.split() for line in lines]
        assert len(words) == 2 * count
        for begin, end in zip(words[::2], words[1::2], strict=True):
            assert (begin[0], end[0], begin[1]) == ("start", "end", end[1])
        times = [int(moment) for _, _, *rest in words for moment in rest]
        assert times == sorted(times)


def uses(jobs: list[Job]) -> list[int]:
    """How many jobs were on each server, in the order of the servers."""
    named = [server["name"] for job in jobs for server in job["servers"]]
    return [named.count(f"s{place}") for place in range(SERVERS)]


@pytest.mark.timeout(300)
async def test_two_hundred_random_jobs(start_app: StartApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    program = make_program(tmp_path, marks, 0.02)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: program)
    api = await start_app(slots=8)
    servers = [await api.create_server(name=f"s{place}") for place in range(SERVERS)]

    priorities = await submit_all(api, servers, ALL, "base")
    jobs = await all_ended(api, 250)

    check_history(jobs, priorities)
    check_marks(marks, uses(jobs))


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[list[Sshd], str]]:
    """Twelve real servers, and the private key for them."""
    require_sshd()
    private, public = make_key(tmp_path)
    with ExitStack() as stack:
        addresses = [f"127.0.0.{2 + place}" for place in range(SERVERS)]
        started = [start_sshd(tmp_path, address, authorized_key=public) for address in addresses]
        for sshd in started:
            stack.enter_context(sshd)
        yield started, private


def check_sessions(sshd: Sshd, count: int) -> None:
    """What the server itself saw: one connection per job, and each command ended before the next began."""
    # It says so a moment after the job has its answer.
    deadline = time.monotonic() + 60
    while (text := sshd.log.read_text()).count("Close session: ") < count and time.monotonic() < deadline:
        time.sleep(0.1)
    assert text.count("Accepted publickey for deploy") == count
    steps = re.findall(r"^(Starting|Close) session: .* port (\d+) id \d+$", text, re.MULTILINE)
    assert [word for word, _ in steps] == ["Starting", "Close"] * count
    assert [begin == end for (_, begin), (_, end) in zip(steps[::2], steps[1::2], strict=True)] == [True] * count


@pytest.mark.timeout(300 if REAL < ALL else 1800)
async def test_real_random_jobs_over_ssh(
    start_app: StartApp, tmp_path: Path, add_recipe: Callable[[str, str], None], machines: tuple[list[Sshd], str]
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    add_recipe("marks", MARKS)
    api = await start_app(slots=4)
    sshds, private = machines
    servers = [
        await api.create_server(
            name=f"s{place}", host=sshd.address, port=sshd.port, user=sshd.user, credential={"privateKey": private}
        )
        for place, sshd in enumerate(sshds)
    ]

    priorities = await submit_all(api, servers, REAL, "marks", marks=str(marks))
    jobs = await all_ended(api, 250 if REAL < ALL else 1700)

    check_history(jobs, priorities)
    check_marks(marks, uses(jobs))
    for sshd, count in zip(sshds, uses(jobs), strict=True):
        check_sessions(sshd, count)
