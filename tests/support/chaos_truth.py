"""What must be true after chaos: of each job's log, events, counters and end, and of what is left on the machine."""

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from gql.ids import row_number
from runner.job_dir import JobDir
from runner.job_processes import marked
from tests.support.chaos import Run
from tests.support.untouched import processes_of

COUNTERS = ("ok", "changed", "failed", "skipped", "unreachable", "rescued", "ignored")
COUNTED = {
    "OK": ("ok",),
    "CHANGED": ("ok", "changed"),
    "SKIPPED": ("skipped",),
    "FAILED": ("failed",),
}
JOBS = "SELECT * FROM provision_job ORDER BY id"


@dataclass
class Figures:
    """What the run comes to."""

    lines: int = 0
    lost: int = 0
    doubled: int = 0
    bytes: int = 0
    chunks: int = 0
    events: int = 0
    endings: Counter[str] = field(default_factory=Counter)


def check(run: Run) -> Figures:
    """Assert everything, once the last server has ended; the figures of the run."""
    figures = Figures()
    with closing(sqlite3.connect(run.keeper.data_dir / "playcast.sqlite3")) as database:
        database.row_factory = sqlite3.Row
        assert [tuple(row) for row in database.execute("PRAGMA integrity_check")] == [("ok",)]
        assert database.execute("SELECT count(*) FROM server_lock").fetchone()[0] == 0
        jobs = database.execute(JOBS).fetchall()
        assert len(jobs) == run.plan.jobs
        numbers = {row_number("ProvisionJob", watches[0].job_id): number for number, watches in run.logs.items()}
        for job in jobs:
            _Job(run, numbers[job["id"]], database, job, figures).check()
    begun = Counter(int(line) for line in run.begun.read_text().split())
    assert begun == Counter(range(run.plan.jobs)), "a job was started twice, or never"
    _check_nothing_is_left(run, len(jobs))
    return figures


def _check_nothing_is_left(run: Run, jobs: int) -> None:
    assert processes_of(run.keeper.data_dir) == []
    specs = []
    for number in range(1, jobs + 1):
        job_dir = JobDir(run.keeper.data_dir / "jobs", number)
        assert marked(f"PLAYCAST_JOB={job_dir.path}") == []
        specs.append(job_dir.read_json(job_dir.spec) or {})
    scratch = {str(spec["scratch"]) for spec in specs}
    assert scratch <= run.keeper.made()
    assert run.keeper.left() == []
    said = run.keeper.log.read_text()
    assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:5000]


class _Job:
    """One job: what the machine, the table and every watcher hold of it."""

    def __init__(self, run: Run, number: int, database: sqlite3.Connection, row: sqlite3.Row, figures: Figures) -> None:
        self._run = run
        self._number = number
        self._database = database
        self._row = row
        self._figures = figures
        self._dir = JobDir(run.keeper.data_dir / "jobs", row["id"])
        self._ending = run.plan.endings[number]

    def check(self) -> None:
        """Assert everything about the job."""
        self._check_log()
        self._check_lines()
        self._check_end()
        told = [json.loads(line) for line in self._dir.events.read_bytes().splitlines()]
        self._check_events([event for event in told if event["kind"] != "start"])
        self._check_counters(told)

    def _query(self, query: str) -> list[sqlite3.Row]:
        return self._database.execute(query, (self._row["id"],)).fetchall()

    def _check_log(self) -> None:
        """File, table and each watcher hold the same bytes."""
        whole = self._dir.log.read_bytes()
        rows = self._query("SELECT start, first_line, data FROM log_chunk WHERE job_id = ? ORDER BY start")
        position, line = 0, 1
        for row in rows:
            assert (row["start"], row["first_line"]) == (position, line), self._number
            position += len(row["data"])
            line += row["data"].count(b"\n")
        assert b"".join(row["data"] for row in rows) == whole, self._number
        assert [bytes(watch.data) == whole for watch in self._run.logs[self._number]] == [True, True], self._number
        assert [watch.cut_by_a_living_server for watch in self._run.logs[self._number]] == [0, 0], self._number
        assert (self._row["log_size"], self._row["line_count"]) == (len(whole), whole.count(b"\n")), self._number
        self._figures.bytes += len(whole)
        self._figures.chunks += len(rows)

    def _check_lines(self) -> None:
        """Every printed line once, in order; of a job that was stopped, all up to where it was stopped."""
        printed = rb'^ +(?:"msg": )?"job %02d line (\d+)",?$' % self._number
        found = [int(line) for line in re.findall(printed, self._dir.log.read_bytes(), re.MULTILINE)]
        stopped = self._ending in {"cancel", "timeout"}
        wanted = list(range(len(found) if stopped else self._run.plan.lines))
        self._figures.lost += len(set(wanted) - set(found))
        self._figures.doubled += len(found) - len(set(found))
        self._figures.lines += len(found)
        assert found == wanted, (self._number, self._ending)
        assert len(found) > self._run.plan.lines // 3 or self._ending == "timeout"

    def _check_end(self) -> None:
        row = self._row
        wanted = {
            "ok": ("SUCCESS", None, 0, False),
            "fail": ("ERROR", "PLAYBOOK_FAILED", 2, True),
            "cancel": ("CANCELED", None, 99, True),
            "timeout": ("ERROR", "TIMEOUT", 99, True),
        }[self._ending]
        end = (row["status"], row["failure_reason"], row["exit_code"], bool(row["message"]))
        assert end == wanted, (self._number, end, row["message"])
        self._figures.endings[" ".join(str(word) for word in end[:2] if word)] += 1

    def _check_events(self, told: list[dict[str, Any]]) -> None:
        """Numbered without gaps; each event of the plugin once, in order; every watcher saw the same."""
        rows = self._query("SELECT seq, kind, log_line, payload FROM job_event WHERE job_id = ? ORDER BY seq")
        assert [row["seq"] for row in rows] == list(range(1, self._row["event_count"] + 1)), self._number
        details = [json.loads(row["payload"]) for row in rows]
        states = [detail["status"] for row, detail in zip(rows, details, strict=True) if row["kind"] == "status"]
        assert states == ["PENDING", "RUNNING", self._row["status"]], self._number
        assert rows[-1]["kind"] == "status"
        stored = [(row, detail) for row, detail in zip(rows, details, strict=True) if row["kind"] != "status"]
        assert [
            (row["kind"], detail.get("host"), detail.get("task_id"), detail.get("task"), detail.get("status"))
            for row, detail in stored
        ] == [tuple(event.get(key) for key in ("kind", "host", "task_id", "task", "status")) for event in told]
        on_hosts = Counter((event["host"], event["task_id"]) for event in told if event["kind"] == "host")
        # On a busy machine the job that times out may not come to the end of its first task.
        assert set(on_hosts.values()) == {1} or (self._ending == "timeout" and not on_hosts), self._number
        self._check_lines_of_events(stored, told)
        assert [watch.cut_by_a_living_server for watch in self._run.events[self._number]] == [0, 0], self._number
        for watch in self._run.events[self._number]:
            seen = [
                (event["seq"], event.get("host"), event.get("task"), event.get("logLine")) for event in watch.events
            ]
            assert seen == [_seen(row) for row in rows], self._number
        self._figures.events += len(rows)

    def _check_lines_of_events(self, stored: list[tuple[sqlite3.Row, Any]], told: list[dict[str, Any]]) -> None:
        """The line that an event names is where its output begins, below blank ones."""
        whole = self._dir.log.read_bytes()
        for (row, _), event in zip(stored, told, strict=True):
            start, stop = event["log_start"], event["log_offset"]
            blank = stop - start - len(whole[start:stop].lstrip(b"\n"))
            line = whole.count(b"\n", 0, start + blank) + 1 if start < stop else None
            assert row["log_line"] == line, (self._number, event)

    def _check_counters(self, told: list[dict[str, Any]]) -> None:
        """The counters are what the events add up to, and what the recap says if there is one."""
        (row,) = self._query("SELECT * FROM job_host WHERE job_id = ?")
        counters = {name: row[name] for name in COUNTERS}
        added = Counter(dict.fromkeys(COUNTERS, 0))
        for event in told:
            if event["kind"] == "host":
                added.update(COUNTED[event["status"]])
        assert counters == dict(added), self._number
        recaps = [event["hosts"][row["host"]] for event in told if event["kind"] == "recap"]
        assert recaps == ([] if self._ending in {"cancel", "timeout"} else [counters]), self._number
        assert (row["served"] is not None) == bool(recaps)


def _seen(row: sqlite3.Row) -> tuple[int, str | None, str | None, int | None]:
    """A row as the subscription shows it."""
    if row["kind"] == "task":
        return row["seq"], None, json.loads(row["payload"])["task"], None
    if row["kind"] == "host":
        return row["seq"], json.loads(row["payload"]).get("host"), json.loads(row["payload"])["task"], row["log_line"]
    return row["seq"], None, None, None
