"""Jobs that print while their server is killed again and again: what is run, and how it is asked for.

keeper.py kills the server, watch.py reads over every death, chaos_truth.py says what must be true afterwards.
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.jobs.test_cancel import CANCEL
from tests.support.api import JSON, RUN
from tests.support.keeper import Keeper
from tests.support.launchers import until
from tests.support.watch import CUTS, EventWatch, LogWatch

FULL_LENGTH = os.environ.get("CHAOS") == "long"
"""Whether `make chaos` runs, and not `make test`."""
BLOCK = 250
WATCHERS = 2
HEAD = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Begin
      ansible.builtin.shell: echo {{{{ job }}}} >>{begun}; wc -l <{deaths}
      register: deaths
"""
# Half of a block drips, so that deaths come between its lines; half comes at once. Then it waits for its deaths.
PRINTS = """
    - name: Drip {block}
      ansible.builtin.debug:
        msg: "job {{{{ '%02d' | format(job) }}}} line {{{{ item }}}}"
      loop: "{{{{ range({first}, {middle}) | list }}}}"
      loop_control: {{pause: {pause}, label: .}}
    - name: Pour {block}
      ansible.builtin.debug:
        msg: "{{{{ range({middle}, {last}) | map('string') | map('regex_replace', '^', prefix) | list }}}}"
      vars:
        prefix: "job {{{{ '%02d' | format(job) }}}} line "
    - name: Outlive {block}
      ansible.builtin.shell: while [ $(wc -l <{deaths}) -lt $(({{{{ deaths.stdout }}}} + {share})) ]; do sleep 0.2; done
"""
TAIL = """
    - name: Fail
      ansible.builtin.command: sh -c 'exit 3'
      when: ending == 'fail'
    - name: Hang
      ansible.builtin.command: sleep 3600
      when: ending in ['cancel', 'timeout']
"""


@dataclass(frozen=True)
class Plan:
    """How much of it. `kills` is the least number of deaths; `pause` the seconds between dripping lines."""

    jobs: int
    lines: int
    kills: int
    slots: int
    pause: float
    timeout: int
    limit: float
    """Seconds until the whole run counts as stuck."""

    @property
    def endings(self) -> list[str]:
        """How each job is to end: one by cancel, one by timeout, each fourth by failure."""
        rest = ["fail" if number % 4 == 0 else "ok" for number in range(self.jobs - 2)]
        return ["cancel", "timeout", *rest]

    @property
    def share(self) -> int:
        """The deaths that each job must outlive: so many jobs follow each other in one slot that it adds up."""
        in_a_row = -(-(self.jobs - 2) // self.slots)
        return -(-self.kills // in_a_row)

    def playbook(self, begun: Path, deaths: Path) -> str:
        """The recipe of every job."""
        blocks = self.lines // BLOCK
        text = HEAD.format(begun=begun, deaths=deaths)
        for block in range(blocks):
            first = block * BLOCK
            spots = {"first": first, "middle": first + BLOCK // 2, "last": first + BLOCK}
            share = self.share * (block + 1) // blocks
            text += PRINTS.format(block=block, pause=self.pause, deaths=deaths, share=share, **spots)
        return text + TAIL


async def insist(keeper: Keeper, query: str, **given: Any) -> JSON:
    """The payload of one mutation, asked again after each death of the server."""
    while True:
        try:
            payload: JSON = next(iter((await (await keeper.up()).ask(query, input=given)).values()))
        except CUTS:
            await asyncio.sleep(0.05)
        else:
            return payload


async def submit(keeper: Keeper, server_id: str, number: int, ending: str, limit: int) -> str:
    """The id of a new job, however often the server dies meanwhile."""
    given: JSON = {"extraVars": {"job": number, "ending": ending}, "idempotencyKey": f"chaos {number}"}
    if ending == "timeout":
        given["timeoutSeconds"] = limit
    payload = await insist(keeper, RUN, recipe="chaos", serverIds=[server_id], **given)
    assert payload["userErrors"] == [], payload
    return str(payload["job"]["id"])


async def cancel_at(keeper: Keeper, watch: LogWatch, line: int) -> None:
    """Cancel the watched job once it has printed that line, and let the server die at once."""
    printed = f'line {line}"'.encode()
    while printed not in watch.data:  # noqa: ASYNC110 (a watcher tells no event)
        await asyncio.sleep(0.05)
    payload = await insist(keeper, CANCEL, jobId=watch.job_id)
    keeper.kill_now()
    # Asked a second time, since the answer got lost, it may have ended.
    assert [error["code"] for error in payload["userErrors"]] in ([], ["JOB_FINISHED"]), payload


@dataclass
class Run:
    """Everything that a run has done and seen."""

    plan: Plan
    keeper: Keeper
    begun: Path
    logs: dict[int, list[LogWatch]] = field(default_factory=dict)
    events: dict[int, list[EventWatch]] = field(default_factory=dict)

    async def go(self) -> None:
        """Submit every job, watch each to its end, and kill the server all the time."""
        async with asyncio.timeout(self.plan.limit), asyncio.TaskGroup() as group:
            keeping = group.create_task(self.keeper.run())
            watching = [await self._begin(group, number) for number in range(self.plan.jobs)]
            await asyncio.gather(*(task for tasks in watching for task in tasks))
            self.keeper.stop()
            await keeping
        # What never goes is shown by the check that follows.
        with suppress(TimeoutError):
            await until(lambda: not self.keeper.left())

    async def _begin(self, group: asyncio.TaskGroup, number: int) -> list[asyncio.Task[None]]:
        """Submit one job and follow it; now and then the server dies right after it has answered."""
        ending = self.plan.endings[number]
        job_id = await submit(self.keeper, str(number + 1), number, ending, self.plan.timeout)
        if number % 3 == 1:
            self.keeper.kill_now()
        self.logs[number] = [LogWatch(self.keeper.up, job_id) for _ in range(WATCHERS)]
        self.events[number] = [EventWatch(self.keeper.up, job_id) for _ in range(WATCHERS)]
        tasks = [group.create_task(watch.run()) for watch in (*self.logs[number], *self.events[number])]
        if ending == "cancel":
            tasks.append(group.create_task(cancel_at(self.keeper, self.logs[number][0], self.plan.lines // 3)))
        return tasks
