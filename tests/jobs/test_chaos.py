"""Chaos: the server dies again and again while real playbooks print, and in the end nothing is lost or doubled.

The short form runs with the other tests, the long one by `make chaos`. CHAOS_SEED repeats a run's choices.
"""

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from tests.support.chaos import FULL_LENGTH, Plan, Run
from tests.support.chaos_truth import Figures, check
from tests.support.keeper import Keeper, end_processes_of
from tests.support.serving import serving

SHORT = Plan(jobs=6, lines=1000, kills=10, slots=3, pause=0.005, timeout=20, limit=600)
LONG = Plan(jobs=20, lines=5000, kills=60, slots=8, pause=0.02, timeout=60, limit=2400)


@pytest.mark.alone("counts on deaths between the lines of its jobs")
@pytest.mark.timeout(2700)
async def test_no_death_of_the_server_loses_or_doubles_anything(tmp_path: Path, ansible_dir: Path) -> None:
    plan = LONG if FULL_LENGTH else SHORT
    seed = int(os.environ.get("CHAOS_SEED") or time.time_ns())
    print(f"\nCHAOS_SEED={seed}")  # noqa: T201 (pytest shows it with a failure)
    rng = random.Random(seed)  # noqa: S311 (moments to kill at, not secrets)
    keeper = Keeper(tmp_path, ansible_dir, rng, slots=str(plan.slots), cancel_grace="20")
    run = Run(plan, keeper, tmp_path / "begun")
    (ansible_dir / "playbooks" / "chaos.yml").write_text(plan.playbook(run.begun, keeper.deaths))
    async with serving(keeper.data_dir, ansible_dir) as server:
        for number in range(plan.jobs):
            await server.api.create_server(name=f"s{number}")
    began = time.monotonic()
    try:
        await run.go()
        figures = await asyncio.to_thread(check, run)
    finally:
        end_processes_of(keeper.data_dir)
    assert sum(keeper.kills.values()) >= plan.kills
    print_table(run, figures, time.monotonic() - began)


def print_table(run: Run, figures: Figures, seconds: float) -> None:
    """The figures, one in a line."""
    keeper = run.keeper
    watches = [watch for number in run.logs for watch in (*run.logs[number], *run.events[number])]
    rows: list[tuple[str, int]] = [
        ("jobs", run.plan.jobs),
        *((f"  {ending}", count) for ending, count in sorted(figures.endings.items())),
        ("server killed with -9", sum(keeper.kills.values())),
        *((f"  {way}", count) for way, count in sorted(keeper.kills.items())),
        *((f"  at these: {what}", count) for what, count in sorted(keeper.found.items())),
        ("watchers", len(watches)),
        ("  sockets cut by a death", sum(watch.cuts for watch in watches)),
        ("numbered lines printed", figures.lines),
        ("  lost", figures.lost),
        ("  doubled", figures.doubled),
        ("bytes of log, the same in file, table and each watcher", figures.bytes),
        ("chunks", figures.chunks),
        ("events, without a gap", figures.events),
        ("seconds", round(seconds)),
    ]
    for what, figure in rows:
        print(f"{what:<70} {figure:>10}")  # noqa: T201 (the table is for people)
