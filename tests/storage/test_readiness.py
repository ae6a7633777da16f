"""`/readyz` says 503 while no job could be taken, with the reason, and nothing is taken by a database that has gone."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tortoise.connection import get_connection

from models.writing import write_probe
from playcast.routes import readiness
from tests.conftest import StartApp
from tests.jobs.test_bad_conditions import fill
from tests.support.api import JSON, Api
from tests.support.disk import bound, mount, small_disk
from tests.support.drip import add_drip, drip, dripped
from tests.support.launchers import until

CREATE = """
mutation Create($input: CreateServerInput!) { createServer(input: $input) { server { id } userErrors { message } } }
"""
SERVER = {"name": "late", "host": "localhost", "user": "root", "credential": {"local": True}}
NAMES = "{ servers { nodes { name } } }"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes are told apart by what they find; how often they are made has a test of its own."""
    monkeypatch.setattr(readiness, "WELL_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "REFUSED_SECONDS", 0.0)


async def ready(api: Api) -> tuple[int, str]:
    async with api.client.get("/readyz") as response:
        text = await response.text()
    if response.status == 200:
        return 200, text
    told = json.loads(text)
    assert told["code"] == "UNAVAILABLE"
    return response.status, told["error"]


async def refused(api: Api) -> str:
    """What a mutation and a call over plain HTTP are told; both must be refused alike."""
    answer: JSON = await api.raw(CREATE, input=SERVER)
    (error,) = answer["errors"]
    assert (answer["data"], error["extensions"]["code"]) == (None, "UNAVAILABLE")
    async with api.client.post("/ansible/run", json={"recipe": "base", "serverIds": [1]}) as response:
        told = await response.json()
        assert (response.status, told) == (503, {"error": error["message"], "code": "UNAVAILABLE"})
    return str(error["message"])


WELL = (200, "ready\n")


async def test_a_full_disk_until_there_is_room_again(start_app: StartApp, data_dir: Path, tmp_path: Path) -> None:
    with small_disk(data_dir, "8m"):
        api = await start_app(jobs_dir=tmp_path / "jobs")
        await api.create_server()
        assert await ready(api) == WELL
        filler = fill(data_dir)
        taken = 1
        while (await api.raw(CREATE, input={**SERVER, "name": f"s{taken}"}))["data"] is not None:
            taken += 1
        assert await ready(api) == (503, "the database takes nothing: database or disk is full")
        await refused(api)
        filler.unlink()
        assert await ready(api) == WELL
        assert len((await api.ask(NAMES))["servers"]["nodes"]) == taken
        assert (await api.finished((await api.run("base", "1"))["id"]))["status"] == "SUCCESS"
        await api.client.close()


async def test_a_full_disk_of_jobs(start_app: StartApp, tmp_path: Path) -> None:
    jobs = tmp_path / "elsewhere"
    with small_disk(jobs, "1m"):
        api = await start_app(jobs_dir=jobs)
        assert await ready(api) == WELL
        filler = fill(jobs)
        told = f"the directory of jobs takes nothing: {jobs}: the disk is full: make room on it"
        assert await ready(api) == (503, told)
        filler.unlink()
        assert await ready(api) == WELL
        assert list(jobs.iterdir()) == []


async def test_a_directory_of_jobs_that_cannot_be_written(start_app: StartApp, tmp_path: Path) -> None:
    jobs = tmp_path / "elsewhere"
    api = await start_app(jobs_dir=jobs)
    assert await ready(api) == WELL
    with bound(jobs, jobs):
        mount(["-o", "remount,bind,ro", str(jobs)])
        told = f"the directory of jobs takes nothing: {jobs}: the file system is read-only: mount it writable"
        assert await ready(api) == (503, told)
    assert await ready(api) == WELL
    jobs.rmdir()
    jobs.touch()
    code, told = await ready(api)
    assert (code, told.startswith("the directory of jobs takes nothing: ")) == (503, True)
    jobs.unlink()
    assert await ready(api) == WELL


def delete(file: Path) -> None:
    file.unlink()


def replace_by_another(file: Path) -> None:
    """By a restored backup, for one."""
    with closing(sqlite3.connect(file.with_name("other"))) as other:
        other.execute("CREATE TABLE t (i)")
    file.with_name("other").replace(file)


def replace_by_a_copy(file: Path) -> None:
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


def delete_log(file: Path) -> None:
    file.with_name(file.name + "-wal").unlink()


def delete_index(file: Path) -> None:
    file.with_name(file.name + "-shm").unlink()


def delete_all(file: Path) -> None:
    shutil.rmtree(file.parent)


@pytest.mark.parametrize(
    ("trouble", "end", "what"),
    [
        (delete, "", "deleted"),
        (replace_by_another, "", "replaced by another"),
        (replace_by_a_copy, "", "replaced by another"),
        (delete_log, "-wal", "deleted"),
        (delete_index, "-shm", "deleted"),
        (delete_all, "", "deleted"),
    ],
)
async def test_a_database_that_has_gone_takes_nothing(
    start_app: StartApp, data_dir: Path, tmp_path: Path, trouble: Callable[[Path], None], end: str, what: str
) -> None:
    api = await start_app(jobs_dir=tmp_path / "jobs")
    await api.create_server()
    assert await ready(api) == WELL
    file = data_dir / "playcast.sqlite3"
    trouble(file)
    told = f"the database file {file}{end} was {what} while Playcast worked with it: put it back, then restart"
    with capture_logs() as logs:
        for _ in range(3):
            assert await ready(api) == (503, told)
            assert await refused(api) == told
            assert (await api.raw(NAMES))["errors"][0]["message"] == told
    assert [one["error"] for one in logs if one["event"] == "the database is refused"] == [told]
    assert [one["event"] for one in logs if one["event"] != "the database is refused"] == []
    assert list((tmp_path / "jobs").iterdir()) == []


async def test_a_job_goes_on_while_the_database_is_away(
    api: Api, data_dir: Path, ansible_dir: Path, tmp_path: Path
) -> None:
    add_drip(ansible_dir, tmp_path / "begun")
    job = await drip(api, await api.create_server(), 60)
    files = [data_dir / f"playcast.sqlite3{end}" for end in ("", "-wal", "-shm")]
    for file in files:
        file.rename(file.with_name(f"{file.name}.away"))
    with pytest.raises(AssertionError, match="was deleted while Playcast worked with it"):
        await api.job(job["id"])
    written = (data_dir / job["logPath"]).stat().st_size
    await until(lambda: (data_dir / job["logPath"]).stat().st_size > written)
    for file in files:
        file.with_name(f"{file.name}.away").rename(file)
    ended = await api.finished(job["id"])
    whole = (data_dir / job["logPath"]).read_bytes()
    copy = "".join([chunk["text"] async for chunk in api.log(job["id"])]).encode()
    assert (ended["status"], ended["failureReason"]) == ("SUCCESS", None)
    assert (copy, dripped(whole)) == (whole, list(range(60)))
    assert await ready(api) == WELL


async def test_probes_are_few_and_shared(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, probes = [1000.0], list[float]()
    fails: list[Exception] = []

    async def probe(db: object) -> None:
        probes.append(clock[0])
        await asyncio.sleep(0)
        if fails:
            raise fails[0]
        await write_probe(get_connection("default"))

    monkeypatch.setattr(readiness, "write_probe", probe)
    monkeypatch.setattr(readiness, "WELL_SECONDS", 15.0)
    monkeypatch.setattr(readiness, "REFUSED_SECONDS", 2.0)
    one = readiness.Readiness(None, lambda: clock[0])
    assert await asyncio.gather(*(one.refusal() for _ in range(20))) == [None] * 20
    clock[0] += 14.9
    assert await one.refusal() is None
    assert probes == [1000.0]
    clock[0] += 0.1
    fails.append(OSError(28, "No space left on device"))
    told = "the database takes nothing: [Errno 28] No space left on device"
    assert await asyncio.gather(*(one.refusal() for _ in range(20))) == [told] * 20
    clock[0] += 1.9
    assert await one.refusal() == told
    assert probes == [1000.0, 1015.0]
    clock[0] += 0.1
    fails.clear()
    assert await one.refusal() is None
    assert probes == [1000.0, 1015.0, 1017.0]
