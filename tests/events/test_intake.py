"""Copying `events.jsonl` into the tables: each event once, whatever stands in the file and whatever breaks."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tortoise.exceptions import OperationalError

from gql.types.event import HostTaskEvent, event_of
from models import FenceLost, JobEvent, JobHost, ProvisionJob
from runner import outages
from runner.bus import LocalBus, Topic
from runner.events import intake
from runner.events.host_progress import HostProgress
from runner.events.intake import Intake
from tests.support.postgres import fresh_database
from tests.support.told import ZEROES, Desk, desk_on, line


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(outages, "RETRY_SECONDS", 0.01)
    url = f"sqlite://{tmp_path}/intake.sqlite3"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    async with desk_on(url, tmp_path) as found:
        yield found


async def test_events_become_rows_in_their_order(desk: Desk) -> None:
    desk.write(line("start", progress=0.0), line("play"), line("task"), line("host", progress=0.5), line("recap"))

    with desk.bus.listen((Topic.EVENTS, desk.job.id)) as listener:
        await desk.take()
        assert await listener.wait(0.01) == {(Topic.EVENTS, desk.job.id)}

    assert [row.kind for row in await desk.rows()] == ["play", "task", "host", "recap"]
    job = await ProvisionJob.get(id=desk.job.id)
    assert (job.progress, job.events_size) == (0.5, desk.job_dir.events.stat().st_size)
    assert (await desk.counters(), await desk.counters("srv-2")) == ({"ok": 1}, {"failed": 1})


async def test_what_is_no_event_is_passed_over(desk: Desk) -> None:
    bad = [b"\n", b"null\n", b"\xff\0\n", b"{}\n", b'{"kind": "task"}\n', b"x" * 3_000_000 + b"\n", b"[" * 2000 + b"\n"]
    for number, text in enumerate([*bad, line("task", log_offset=-1), line("host", result=float("nan"))]):
        desk.write(text, line("host", task=f"after {number}"))
    desk.write(line("task", task="torn")[:-1])

    await desk.take()

    assert [row.details["task"] for row in await desk.rows()] == [f"after {number}" for number in range(9)]
    assert await desk.counters() == {"ok": 9}


async def test_strange_texts_are_stored_and_can_be_shown(desk: Desk) -> None:
    strange = "NUL \0, half a pair \ud800, €, 😀"
    desk.write(
        line("play", play=strange, hosts=[strange]),
        line("task", task=strange * 100, action=strange, path=strange),
        line("host", host=strange, message=strange, result={strange: [strange, 10**400, 1e308]}),
        line("host", task=strange),
        line("recap", hosts={strange: ZEROES, "x" * 500: ZEROES, "srv-1": {**ZEROES, "ok": 10**9}}),
    )
    await desk.take()
    desk.write(line("host"), line("host", at="9999-12-31T23:59:59.999999+00:00"))
    desk.write(line("host", at="0001-01-01T00:00:00+00:00"))
    await desk.take()

    rows = await desk.rows()
    assert [row.kind for row in rows] == ["play", "task", "host", "host", "recap", "host", "host", "host"]
    assert [row.at.year for row in rows[-2:]] == [9999, 1]
    shown = [event_of(row) for row in rows]
    assert isinstance(shown[2], HostTaskEvent)
    assert str(shown[2].result) == str({strange: [strange, 10**400, 1e308]})
    assert shown[2].message == "NUL \ufffd, half a pair ?, €, 😀"
    assert await desk.counters() == {"ok": 10**9 + 3}


async def test_an_event_waits_for_the_log_that_it_names(desk: Desk) -> None:
    async with desk.following():
        desk.write(line("task", log_offset=10), line("host", log_offset=20), line("task", log_offset=20))
        await asyncio.sleep(0.15)
        assert await desk.rows() == []
        desk.job.log_size = 19
        assert [row.kind for row in await desk.stored(1)] == ["task"]
        await asyncio.sleep(0.1)
        assert len(await desk.rows()) == 1
        desk.job.log_size = 20
        assert [row.kind for row in await desk.stored(3)] == ["task", "host", "task"]
        # More than the log ever had, as when it could not be written.
        desk.write(line("recap", log_start=20, log_offset=99))
    assert [(row.kind, row.log_line) for row in (await desk.rows())[3:]] == [("recap", None)]


async def test_a_line_comes_in_pieces(desk: Desk) -> None:
    whole = line("task", task="whole")
    async with desk.following():
        for piece in (whole[:10], whole[10:-1]):
            desk.write(piece)
            await asyncio.sleep(0.05)
            assert await desk.rows() == []
        desk.write(whole[-1:] + whole[:5])
        assert [row.details["task"] for row in await desk.stored(1)] == ["whole"]


async def test_lines_of_the_log_are_counted(desk: Desk) -> None:
    parts = [b"head\n", b"\n\nTASK [x]\n", b"ok: [srv-1]\n", b"", b"no end", b" of line\nfatal:\n", b"\n"]
    await desk.log(b"".join(parts))
    end = 0
    for part in parts:
        desk.write(line("host", log_start=end, log_offset=end + len(part)))
        end += len(part)
    desk.write(line("host", log_start=4, log_offset=3))

    await desk.take()

    assert [row.log_line for row in await desk.rows()] == [1, 4, 5, None, 6, 6, 9, None]


async def test_hosts_show_where_they_are(desk: Desk) -> None:
    async def current() -> list[str | None]:
        await desk.take()
        return [row.current_task for row in await JobHost.filter(job_id=desk.job.id).order_by("host")]

    desk.write(line("play"), line("task", task="One"))
    assert await current() == ["One", "One"]
    desk.write(line("host", host="srv-2", status="FAILED"))
    assert await current() == ["One", None]
    # A new intake, as after a restart, has to look the play up; who failed takes no part any more.
    await desk.again()
    desk.write(line("task", task="Two" * 200))
    assert await current() == [("Two" * 200)[:255], None]
    desk.write(line("play", hosts=["srv-2"]), line("task", task="Elsewhere"))
    assert await current() == [None, None]
    desk.write(line("play", hosts=["srv-1"]), line("task", task="Here"), line("recap"))
    assert await current() == [None, None]
    rows = await JobHost.filter(job_id=desk.job.id)
    assert [row.served for row in rows] == [True, True]


async def test_each_result_counts_as_in_the_recap_of_ansible(desk: Desk) -> None:
    statuses = ["OK", "CHANGED", "SKIPPED", "FAILED", "IGNORED", "RESCUED", "UNREACHABLE"]
    for status in statuses:
        desk.write(line("host", status=status), line("host", status=status, host="srv-2", result={"changed": True}))
    desk.write(line("host", host="localhost"))

    await desk.take()

    once = dict.fromkeys(["failed", "skipped", "rescued", "unreachable", "ignored"], 1)
    assert await desk.counters() == {"ok": 3, "changed": 1, **once}
    # A task that changed something and failed counts as changed where its failure is ignored.
    assert await desk.counters("srv-2") == {"ok": 3, "changed": 2, **once}
    # The recap has the last word.
    desk.write(line("recap"))
    await desk.take()
    assert (await desk.counters(), await desk.counters("srv-2")) == ({"ok": 1}, {"failed": 1})


async def test_a_lost_claim_writes_nothing_more(desk: Desk) -> None:
    with pytest.raises(FenceLost):  # noqa: PT012 (the context's end is what raises)
        async with desk.following():
            desk.write(line("host"))
            await desk.stored(1)
            await ProvisionJob.filter(id=desk.job.id).update(fence=desk.job.fence + 1)
            desk.write(line("host"), line("recap"))
            await asyncio.sleep(0.1)
    assert (len(await desk.rows()), await desk.counters()) == (1, {"ok": 1})


async def test_a_commit_whose_answer_was_lost_counts_once(desk: Desk) -> None:
    desk.write(line("host"), line("task"))
    await desk.take()
    # As if the connection had broken after the commit: the same intake tries the same again.
    desk.job.events_size = 0
    await desk.take()
    assert (len(await desk.rows()), await desk.counters()) == (2, {"ok": 1})
    assert desk.job.events_size == desk.job_dir.events.stat().st_size


@dataclass
class Faults:
    """Makes steps of an intake fail at random, with `error`."""

    rng: random.Random
    error: type[BaseException]
    share: float
    count: int = 0

    def put(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        """Let the function `name` of `owner` fail before it does anything."""
        real = getattr(owner, name)

        def maybe(*given: Any, **named: Any) -> Any:
            if self.rng.random() < self.share:
                self.count += 1
                raise self.error
            return real(*given, **named)

        patch.setattr(owner, name, maybe)


IN_A_TRANSACTION = ((HostProgress, "write"), (JobEvent, "bulk_create"), (ProvisionJob, "get"))


async def test_a_database_that_fails_in_the_middle_doubles_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(random.Random(7), OperationalError, 0.3)  # noqa: S311 (places to fail, not secrets)
    with monkeypatch.context() as patch:
        for owner, name in IN_A_TRANSACTION:
            faults.put(patch, owner, name)
        for number in range(40):
            desk.write(line("task", task=f"T{number}"), line("host"), line("host", host="srv-2", status="CHANGED"))
            await desk.take()

    assert faults.count > 20
    assert len(await desk.rows()) == 120
    assert (await desk.counters(), await desk.counters("srv-2")) == ({"ok": 40}, {"ok": 40, "changed": 40})


async def test_an_intake_that_is_killed_anywhere_goes_on_where_the_table_stands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = time.time_ns()
    print("seed", seed)  # noqa: T201 (to repeat a failure)
    faults = Faults(random.Random(seed), asyncio.CancelledError, 0.1)  # noqa: S311 (moments to kill, not secrets)
    lines = [line("host", task=str(number), status=faults.rng.choice(["OK", "CHANGED"])) for number in range(600)]
    lines[10:10] = [line("task", task="shown")]
    with monkeypatch.context() as patch:
        patch.setattr(intake, "MOST_EVENTS", 7)
        # The bus is told right after the commit, the file is read right before all else.
        for owner, name in (*IN_A_TRANSACTION, (LocalBus, "publish"), (Intake, "_pump")):
            faults.put(patch, owner, name)
        for start in range(0, len(lines), 20):
            desk.write(*lines[start : start + 20])
            while desk.job.events_size < desk.job_dir.events.stat().st_size:
                with suppress(asyncio.CancelledError):
                    await desk.take()
                (desk.job,) = await ProvisionJob.filter(id=desk.job.id)

    assert faults.count > 20
    tasks = [row.details["task"] for row in await desk.rows()]
    assert tasks == [*map(str, range(10)), "shown", *map(str, range(10, 600))]
    assert await desk.counters() == {"ok": 600, "changed": sum(b"CHANGED" in text for text in lines)}


async def test_ten_thousand_events(desk: Desk) -> None:
    for number in range(100):
        desk.write(*(line("host", host=f"srv-{1 + other % 2}", task=f"{number}.{other}") for other in range(100)))

    await desk.take()

    rows = await desk.rows()
    assert [row.details["task"] for row in rows[::777]] == [f"{at // 100}.{at % 100}" for at in range(0, 10_000, 777)]
    assert (len(rows), await desk.counters(), await desk.counters("srv-2")) == (10_000, {"ok": 5000}, {"ok": 5000})
