"""What must be true after the faults: of every job, of its log at both watchers, of its servers and of what is left."""

import asyncio
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg

from gql.ids import row_number
from playcast.storage.postgres import plain_url
from runner.cluster.procrastinate_queue import MEND_SECONDS
from runner.job_dir import JobDir
from tests.support.faults import HELD, LINES, SERVERS, Faults

JOBS = "SELECT * FROM provision_job ORDER BY id"
CHUNKS = "SELECT start, first_line, data FROM log_chunk WHERE job_id = $1 ORDER BY start"
EVENTS = "SELECT seq FROM job_event WHERE job_id = $1 ORDER BY seq"
ENTRIES = "SELECT id, status, (args->>'job_id')::bigint AS job, worker_id FROM procrastinate_jobs"
# An ended job's entry counts as left over after 120 seconds, and one of the workers looks every 15, or later.
MENDED = 120 + 10 * MEND_SECONDS
LATE = "; its worker came back: it ended as SUCCESS"


async def check(faults: Faults, marks: Path) -> Counter[str]:
    """Assert everything; how many jobs ended in which way."""
    connection = await asyncpg.connect(plain_url(faults.cluster.url))
    try:
        rows = await connection.fetch(JOBS)
        numbers = {row_number("ProvisionJob", job_id): number for number, job_id in faults.jobs.items()}
        assert [row["id"] for row in rows] == sorted(numbers)
        endings: Counter[str] = Counter()
        for row in rows:
            endings[_check_end(row, faults)] += 1
            await _check_log(connection, faults, numbers[row["id"]], row)
        assert await connection.fetchval(HELD) == 0
        await _check_queue(connection, faults)
    finally:
        await connection.close()
    _check_marks(marks, sorted(set(faults.jobs) - faults.unstarted))
    _check_servers_said_nothing_strange(faults.cluster.folder)
    return endings


async def _check_queue(connection: Any, faults: Faults) -> None:
    """No entry waits, and none stays but of jobs that ran in a worker when it was killed.

    The engine removes that of an ended job a moment later. Where it was away itself just then, that is left to whoever
    mends the queue, minutes later.
    """
    deadline = time.monotonic() + MENDED
    while True:
        entries = await connection.fetch(ENTRIES)
        if all(entry["status"] == "doing" and entry["job"] in faults.fetched for entry in entries):
            return
        assert time.monotonic() < deadline, [dict(entry) for entry in entries]
        await asyncio.sleep(1)


def _check_end(row: Any, faults: Faults) -> str:
    """SUCCESS, but for the jobs of a worker that was away for too long; those say in the end what became of them."""
    if row["status"] == "SUCCESS":
        assert (row["failure_reason"], row["message"], row["exit_code"]) == (None, None, 0), dict(row)
        return "SUCCESS"
    assert (row["status"], row["failure_reason"]) == ("ERROR", "WORKER_LOST"), dict(row)
    lost = f"the worker {row['worker']} was not heard of for 15 seconds; nobody knows how the job ended"
    if row["id"] in faults.left:
        assert row["message"] == lost, row["message"]
        return "WORKER_LOST"
    assert row["id"] in faults.may_be_lost, dict(row)
    assert row["message"] == lost + LATE, row["message"]
    return "WORKER_LOST, told late"


async def _check_log(connection: Any, faults: Faults, number: int, row: Any) -> None:
    """Table and watchers hold the same bytes, whole; of a lost job, what had been stored by then."""
    job_dir = JobDir(faults.cluster.folder / row["worker"] / "jobs", row["id"])
    if row["id"] in faults.left and not job_dir.log.exists():
        # Its worker died between claim and start: nobody has started it since.
        assert (row["launched_at"], row["log_size"]) == (None, 0), number
        faults.unstarted.add(number)
        return
    whole = job_dir.log.read_bytes()
    position, line, stored = 0, 1, b""
    for chunk in await connection.fetch(CHUNKS, row["id"]):
        assert (chunk["start"], chunk["first_line"]) == (position, line), number
        position += len(chunk["data"])
        line += chunk["data"].count(b"\n")
        stored += chunk["data"]
    assert (row["log_size"], row["line_count"]) == (len(stored), stored.count(b"\n")), number
    assert [bytes(watch.data) for watch in faults.logs[number]] == [stored, stored], number
    watches = [*faults.logs[number], faults.events[number]]
    assert [watch.cut_by_a_living_server for watch in watches] == [0, 0, 0], number
    assert [event["seq"] for event in faults.events[number].events] == list(range(1, row["event_count"] + 1)), number
    assert [entry["seq"] for entry in await connection.fetch(EVENTS, row["id"])] == [
        event["seq"] for event in faults.events[number].events
    ]
    found = [int(text) for text in re.findall(rb'"msg": "job %d line (\d+)"' % number, whole)]
    assert found == list(range(LINES)), number
    if row["status"] == "SUCCESS":
        assert stored == whole, number
    else:
        assert whole.startswith(stored), number


def _check_marks(marks: Path, jobs: list[int]) -> None:
    """On every server one job at a time, each once, and each to its end."""
    begun = []
    for number in range(SERVERS):
        words = [line.split() for line in (marks / f"s{number}").read_text().splitlines()]
        begins, ends = words[::2], words[1::2]
        assert [word for word, _ in begins] == ["start"] * len(ends), words
        assert [["start", job] for _, job in ends] == begins, words
        assert {word for word, _ in ends} == {"end"}, words
        begun += [int(job) for _, job in begins]
    assert sorted(begun) == sorted(jobs)


def _check_servers_said_nothing_strange(folder: Path) -> None:
    for file in sorted(folder.glob("*.log")):
        said = file.read_text()
        assert "Traceback" not in said, f"{file.name}: {said[said.index('Traceback') - 500 :][:5000]}"
