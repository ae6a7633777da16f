"""One suite for both databases: what is stored comes back as it was, and is found and sorted alike."""

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.exceptions import IntegrityError, OperationalError

from models import JobStatus, ProvisionJob, Server, ServerTag, WorkerEntry
from models.chunk import Run
from playcast.settings import load
from runner import outages
from runner.errors import PlaycastError
from runner.host_keys import learned_keys
from runner.log.stored import read_range
from runner.verbs.list_jobs import JobQuery, count_jobs, newest_jobs
from runner.verbs.list_workers import alive_workers
from runner.verbs.servers import ServerQuery, count_servers, oldest_servers
from runner.viewer import LOCAL_VIEWER
from tests.support.locking import append_runs, job_row

SECOND = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
EXTREMES: dict[str, Any] = {
    "z": 1e22, "aa": 1e308, "b": -0.0, "a": [5e-324, 1.0, 100000.0, 2**63 - 1, -(2**63)], "": {}, "é€😀": [[], {}, ""],
    "quotes": "'\"\\", "control": "\x01\x1f\x7f\u2028", "nested": {"z": {"y": [{"x": None}]}, "a": True},
}  # fmt: skip


async def server_row(name: str, **columns: Any) -> Server:
    return await Server.create(
        **{"host": "h", "port": 22, "user": "u", "auth": "LOCAL", "variables": {}, **columns}, name=name
    )


async def test_json_comes_back_as_it_was(stored: None) -> None:
    job = await job_row(JobStatus.SUCCESS, extra_vars=EXTREMES)
    server = await server_row("s", variables=EXTREMES)

    # As text, since 1 and 1.0 and the orders of keys are equal in Python.
    expected = json.dumps(EXTREMES)
    assert json.dumps((await ProvisionJob.get(id=job.id)).extra_vars) == expected
    assert json.dumps((await Server.get(id=server.id)).variables) == expected
    found = await ProvisionJob.find(job.id)
    assert found is not None
    assert json.dumps(found.extra_vars) == expected
    await ProvisionJob.filter(id=job.id).update(tags=["z", "a"], extra_vars=None)
    assert await ProvisionJob.filter(id=job.id).values_list("tags", "extra_vars") == [(["z", "a"], None)]


@given(value=VALUES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_json_of_every_kind_comes_back_as_it_was(stored: None, value: object) -> None:
    job = await job_row(JobStatus.SUCCESS, extra_vars={"value": value})
    assert json.dumps((await ProvisionJob.get(id=job.id)).extra_vars) == json.dumps({"value": value})


async def test_json_that_is_none_is_not_stored(stored: None) -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
            await job_row(JobStatus.SUCCESS, extra_vars={"a": value})
    assert await ProvisionJob.all().count() == 0


async def test_instants_keep_their_microseconds_and_are_utc(stored: None) -> None:
    moments = [SECOND - TICK, SECOND, SECOND + TICK, SECOND.replace(year=1), SECOND.replace(year=9999)]
    elsewhere = timezone(timedelta(hours=5, minutes=45))
    for moment in moments:
        await job_row(JobStatus.SUCCESS, started_at=moment, ended_at=moment.astimezone(elsewhere))

    rows = await ProvisionJob.all().order_by("id")
    assert [row.started_at for row in rows] == [row.ended_at for row in rows] == moments
    assert {row.ended_at.utcoffset() for row in rows if row.ended_at is not None} == {timedelta(0)}
    assert [row.id for row in await ProvisionJob.all().order_by("started_at")] == [4, 1, 2, 3, 5]


async def test_a_list_by_time_is_exact_to_the_microsecond(stored: None) -> None:
    for moment in (SECOND - TICK, SECOND, SECOND + TICK):
        job = await job_row(JobStatus.SUCCESS)
        await ProvisionJob.filter(id=job.id).update(created_at=moment)

    async def found(**span: datetime) -> list[int]:
        wanted = JobQuery(**span)  # type: ignore[arg-type]  # two of its fields
        jobs = [job.id for job in await newest_jobs(LOCAL_VIEWER, wanted, 10)]
        assert await count_jobs(LOCAL_VIEWER, wanted) == len(jobs)
        return jobs

    assert await found(created_after=SECOND) == [3]
    assert await found(created_before=SECOND) == [1]
    assert await found(created_after=SECOND - TICK, created_before=SECOND + TICK) == [2]
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert await found(created_after=first, created_before=last) == [3, 2, 1]
    assert await found(created_after=last) == await found(created_before=first) == []


async def test_a_log_is_the_same_bytes_from_every_offset(stored: None) -> None:
    content = b"one\n\0two\xff\xfe\nth" + "ré€😀\n".encode() + b"\xc3\n\n\x80" + bytes(range(256)) + b"\\x00'\"end"
    job = await job_row(JobStatus.PENDING)
    cuts = [0, 1, 4, 5, 9, 20, 21, 22, 23, 100, len(content)]
    for low, high in pairwise(cuts):
        run = Run(low, content[:low].count(b"\n") + 1, content[low:high], SECOND)
        assert await append_runs(job, [run], high, content[:high].count(b"\n"))
        job.log_size = high

    for start in range(len(content)):
        pieces = [piece async for piece in read_range(job.id, start, len(content))]
        assert b"".join(piece.data for piece in pieces) == content[start:]
        assert pieces[0].first_line == content[:start].count(b"\n") + 1
        assert pieces[0].emitted_at == SECOND
    assert [piece async for piece in read_range(job.id, len(content), len(content) + 1)] == []
    row = await ProvisionJob.get(id=job.id)
    assert (row.log_size, row.line_count) == (len(content), content.count(b"\n"))


NAMES = ["Über", "übrig", "STRASSE", "straße", "a_b", "axb", "50%", "back\\slash", "ΣΊΣΥΦΟΣ", "'; --"]


FOUND = {
    "ü": ["Über", "übrig"],
    "ÜB": ["Über", "übrig"],
    "str": ["STRASSE", "straße"],
    "ß": ["straße"],
    "ss": ["STRASSE"],
    "A_B": ["a_b"],
    "%": ["50%"],
    "\\": ["back\\slash"],
    "φ": ["ΣΊΣΥΦΟΣ"],
    "'": ["'; --"],
    "Z": [],
    "": NAMES,
}


async def test_servers_are_found_by_a_part_of_their_name(stored: None) -> None:
    for name in NAMES:
        await server_row(name)
    for part, found in FOUND.items():
        wanted = ServerQuery(name_contains=part)
        assert [row.name for row in await oldest_servers(LOCAL_VIEWER, wanted, 50)] == found
        assert await count_servers(LOCAL_VIEWER, wanted) == len(found)


async def test_a_name_is_unique_letter_by_letter(stored: None) -> None:
    for name in ("web", "Web", "wéb", "we\u0301b"):
        await server_row(name)
    with pytest.raises(IntegrityError):
        await server_row("web")
    assert await Server.all().count() == 4


async def test_texts_are_sorted_letter_by_letter(stored: None) -> None:
    """Whatever the alphabet of the database: that of a dictionary passes over the signs between letters."""
    server, now = await server_row("s"), datetime.now(UTC)
    for tag in ("ab", "a_c", "a", "b", "a1"):
        await ServerTag.create(server_id=server.id, tag=tag)
    for name in ("b1", "b-1", "a", "B"):
        await WorkerEntry.create(name=name, home="", slots=1, version="", started_at=now, heartbeat_at=now)

    assert await ServerTag.of_servers([server.id]) == {server.id: ["a", "a1", "a_c", "ab", "b"]}
    assert [worker.name for worker in await alive_workers(None)] == ["B", "a", "b-1", "b1"]


@pytest.mark.parametrize("database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_what_a_database_never_takes_is_not_tried_for_ever(stored: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite takes both; whoever waited for PostgreSQL to take them would never see the job end."""
    monkeypatch.setattr(outages, "RETRY_SECONDS", 0.01)
    job = await job_row(JobStatus.RUNNING)
    for columns in ({"message": "a\0b"}, {"exit_code": 2**40}):
        tries: list[int] = []

        async def write(columns: dict[str, Any] = columns, tries: list[int] = tries) -> int:
            tries.append(1)
            return await ProvisionJob.filter(id=job.id).update(**columns)

        with pytest.raises(OperationalError) as refused:
            await outages.until_stored("result", job.id, write)
        assert isinstance(refused.value.__cause__, asyncpg.DataError)
        assert len(tries) == 1


def test_a_worker_has_a_name_that_every_database_takes() -> None:
    assert load({}, worker="w" * 128).worker == "w" * 128
    with pytest.raises(PlaycastError, match="PLAYCAST_WORKER: String should have at most 128 characters"):
        load({}, worker="w" * 129)


def test_a_host_key_that_no_database_takes_is_not_learned() -> None:
    text = "srv-1 ssh-ed25519 AAAA\nsrv-2 ssh-ed25519 AA\0AA\nsrv-3 ssh-ed25519 \ufffd\n"
    assert learned_keys(text) == {1: "ssh-ed25519 AAAA"}
