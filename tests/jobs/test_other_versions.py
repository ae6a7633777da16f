"""Job directories of other versions, and broken ones: a job is taken for what it is, and ends with the right words."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.job_dir import JobDir
from tests.jobs.test_halt import begin
from tests.support.api import JSON
from tests.support.launchers import until
from tests.support.serving import serving

__all__ = ["begin"]

OLDEST = ("argv", "env", "scratch", "timeout", "grace")
"""What a specification had in the beginning."""
THEN = "it is not known how far it came; look at the servers, then run it again"
NO_RECORD = ("ERROR", "WORKER_LOST", f"the record of the job's end (exit.json) cannot be read: {THEN}", None)
WELL = ("SUCCESS", None, None, 0)
EXITED = '"reason": "exited", "code": 0, "message": null'


def end_of(job: JSON) -> tuple[str, str | None, str | None, int | None]:
    return job["status"], job["failureReason"], job["message"], job["exitCode"]


def rewrite(file: Path, content: str | None) -> None:
    """Put something else in the file's place; a directory for `dir`, nothing for None."""
    file.unlink()
    if content == "dir":
        file.mkdir()
    elif content is not None:
        file.write_text(content)


def oldest(job_dir: JobDir) -> str:
    """Its specification as the first version wrote it."""
    spec = job_dir.read_json(job_dir.spec)
    assert spec is not None
    return json.dumps({name: spec[name] for name in OLDEST})


def newer(job_dir: JobDir) -> str:
    """The same of a version to come."""
    spec = job_dir.read_json(job_dir.spec)
    assert spec is not None
    return json.dumps({**spec, "unknown": {"a": [1]}, "settings": {**spec["settings"], "more": "1"}, "limits": None})


@pytest.mark.parametrize("over", [False, True], ids=["running", "ended"])
async def test_a_job_of_another_version_is_followed_though_its_start_was_not_stored(
    data_dir: Path, ansible_dir: Path, begin: Callable[..., Any], go: Path, over: bool
) -> None:
    """The server died between the start of the job and storing it. Files are missing keys, or have some more."""
    async with serving(data_dir, ansible_dir, slots="4") as first:
        jobs = [await begin(first.api, f"s{number}") for number in range(4)]
        await first.kill()
    dirs = [job.dir for job in jobs]
    if over:
        go.touch()
        await until(lambda: all(job_dir.exit.exists() and not job_dir.held() for job_dir in dirs))
    for job_dir, content in zip(dirs, (oldest(dirs[0]), newer(dirs[1]), None, "{"), strict=True):
        rewrite(job_dir.spec, content)
    run = dirs[1].read_json(dirs[1].run)
    assert run is not None
    dirs[1].write(
        dirs[1].run, json.dumps({**run, "cgroup": "/x", "supervisor": {**run["supervisor"], "uid": 0}}).encode()
    )
    with closing(sqlite3.connect(data_dir / "playcast.sqlite3")) as database, database:
        database.execute("UPDATE provision_job SET launched_at = NULL")
    log = data_dir / "server.log"
    async with serving(data_dir, ansible_dir, log=log) as second:
        if not over:
            assert [(await second.api.job(job.id))["status"] for job in jobs] == ["RUNNING"] * 4
            go.touch()
        assert [end_of(await second.api.finished(job.id)) for job in jobs] == [WELL] * 4
        for job in jobs:
            job.api = second.api
            await job.server_is_free()
    assert "Traceback" not in log.read_text()
    assert [job_dir.log.read_bytes().count(b"TASK [Hold]") for job_dir in dirs] == [1] * 4


BROKEN = [
    ("exit.json", "", NO_RECORD),
    ("exit.json", '{"reason": "exited", "co', NO_RECORD),
    ("exit.json", "[0]", NO_RECORD),
    ("exit.json", '{"reason": "exited"}', NO_RECORD),
    ("exit.json", '{"reason": "exited", "code": "0"}', NO_RECORD),
    ("exit.json", "[" * 200_000, NO_RECORD),
    ("exit.json", "dir", NO_RECORD),
    ("exit.json", None, ("ERROR", "WORKER_LOST", f"the job's processes were killed: {THEN}", None)),
    ("exit.json", f'{{{EXITED}, "usage": {{"seconds": 3}}}}', WELL),
    ("exit.json", '{"reason": "timeout", "code": -9}', ("ERROR", "TIMEOUT", "stopped at its deadline", -9)),
    ("exit.json", '{"reason": "canceled", "code": 99, "by": "x"}', ("CANCELED", None, "canceled", 99)),
    ("run.json", "", WELL),
    ("run.json", '{"supervisor": null, "boot_id": 7}', WELL),
    ("run.json", '{"supervisor": {"pid": 1099511627776, "start": 1}, "boot_id": "x", "started_at": "y"}', WELL),
    ("spec.json", None, WELL),
    ("spec.json", "{}", WELL),
    ("spec.json", '{"scratch": 5, "first_contacts": [1], "connections": "x", "interpreters": 3, "env": []}', WELL),
    ("spec.json", '{"first_contacts": {"x": 1}, "interpreters": {"1": [2]}, "expects": {}, "grace": "z"}', WELL),
    ("spec.json", "dir", WELL),
]


async def test_broken_files_of_a_job_that_has_ended(
    data_dir: Path, ansible_dir: Path, begin: Callable[..., Any], go: Path
) -> None:
    """A job for each, which all do well."""
    async with serving(data_dir, ansible_dir, slots=str(len(BROKEN))) as first:
        jobs = [await begin(first.api, f"s{number}") for number in range(len(BROKEN))]
        await first.kill()
    go.touch()
    await until(lambda: all(job.dir.exit.exists() and not job.dir.held() for job in jobs), 180)
    for job, (name, content, _) in zip(jobs, BROKEN, strict=True):
        rewrite(job.dir.path / name, content)
    log = data_dir / "server.log"
    async with serving(data_dir, ansible_dir, log=log) as second:
        ended = [end_of(await second.api.finished(job.id)) for job in jobs]
        jobs[0].api = second.api
        await jobs[0].server_is_free()
    assert ended == [end for _, _, end in BROKEN]
    assert "Traceback" not in log.read_text()
