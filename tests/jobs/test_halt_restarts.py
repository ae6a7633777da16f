"""The server is away while a job stands still: the next one ends it as this one would have done."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from runner.jobs.transitions import lost_message
from tests.jobs.test_cancel import cancel
from tests.jobs.test_halt import KILLED, LIMIT, LONG, begin
from tests.support.launchers import until
from tests.support.serving import serving
from tests.support.standing import debugged, state, stop

__all__ = ["begin"]

AddRecipe = Callable[[str, str], None]
BAD_RUNS = [b"", b"{}", b'{"boot_id": "x", "supervisor": {"pid": "1", "start": null}}', None]


async def test_a_job_that_is_stopped_while_no_server_runs_can_be_canceled(
    data_dir: Path, ansible_dir: Path, begin: Callable[..., Any]
) -> None:
    async with serving(data_dir, ansible_dir, cancel_grace=str(LONG)) as first:
        job = await begin(first.api)
        await first.kill()
    await stop([job.supervisor])
    async with serving(data_dir, ansible_dir, cancel_grace=str(LONG)) as second:
        job.api = second.api
        assert (await second.api.job(job.id))["status"] == "RUNNING"
        for _ in range(2):
            await cancel(second.api, job.id)
        assert await job.ended() == ("CANCELED", None, "canceled by local", 99)
        await job.server_is_free()


async def test_a_cancel_is_carried_out_from_outside_by_the_next_server(
    data_dir: Path, ansible_dir: Path, begin: Callable[..., Any]
) -> None:
    async with serving(data_dir, ansible_dir, cancel_grace="0.3") as first:
        job = await begin(first.api)
        with debugged(job.supervisor):
            await cancel(first.api, job.id)
            await first.kill()
            assert not job.dir.exit.exists()
            async with serving(data_dir, ansible_dir, cancel_grace="0.3") as second:
                job.api = second.api
                told = "its supervisor did not end it (it was held by a debugger), so Playcast killed its processes"
                assert await job.ended() == ("CANCELED", None, f"canceled by local: {told}", KILLED)
                await job.server_is_free()


async def test_a_deadline_that_passed_meanwhile_holds(
    data_dir: Path, ansible_dir: Path, begin: Callable[..., Any]
) -> None:
    """One of the jobs was judged lost meanwhile, and still holds its server."""
    async with serving(data_dir, ansible_dir, worker="w1", cancel_grace=str(LONG)) as first:
        late = await begin(first.api, "late", timeoutSeconds=LIMIT)
        lost = await begin(first.api, "lost", timeoutSeconds=LIMIT)
        await first.kill()
    await stop([late.supervisor, lost.supervisor])
    with closing(sqlite3.connect(data_dir / "playcast.sqlite3")) as database, database:
        judged = (
            "UPDATE provision_job SET status='ERROR', failure_reason='WORKER_LOST', fence=fence+1, message=? WHERE id=2"
        )
        database.execute(judged, [lost_message("w1")])
    await until(lambda: time.time() > lost.run["started_at"] + LIMIT + 1)
    assert [state(job.supervisor) for job in (late, lost)] == ["T", "T"]
    async with serving(data_dir, ansible_dir, worker="w1", cancel_grace=str(LONG)) as second:
        late.api = lost.api = second.api
        assert (await late.ended())[:3] == ("ERROR", "TIMEOUT", f"stopped after {LIMIT} seconds")
        await lost.server_is_free()
        told = f"its worker came back: it ended as ERROR (stopped after {LIMIT} seconds)"
        assert (await second.api.job(lost.id))["message"] == f"{lost_message('w1')}; {told}"
        assert state(lost.supervisor) == "Z"


async def test_a_supervisor_that_run_json_does_not_name_is_found(
    data_dir: Path, ansible_dir: Path, begin: Callable[..., Any]
) -> None:
    """Its log is followed while it runs, and a cancel reaches it, also where it was stopped."""
    async with serving(data_dir, ansible_dir, cancel_grace=str(LONG), slots="4") as first:
        jobs = [await begin(first.api, f"s{number}") for number in range(len(BAD_RUNS))]
        await first.kill()
    for job, content in zip(jobs, BAD_RUNS, strict=True):
        if content is None:
            job.dir.run.unlink()
        else:
            job.dir.run.write_bytes(content)
    await stop([jobs[0].supervisor])
    log = data_dir / "server.log"
    async with serving(data_dir, ansible_dir, cancel_grace=str(LONG), log=log) as second:
        for job in jobs:
            job.api = second.api
            await cancel(second.api, job.id)
        assert [await job.ended() for job in jobs] == [("CANCELED", None, "canceled by local", 99)] * len(jobs)
        await jobs[0].server_is_free()
    assert "Traceback" not in log.read_text()
