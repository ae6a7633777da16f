"""One job by its number, in plain SQL: all that the ORM reads, as the ORM reads it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models import FailureReason, JobStatus, ProvisionJob
from playcast.storage.database import migrate, opened
from tests.support.postgres import fresh_database

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
EMPTY: dict[str, Any] = {
    "recipe": "base", "revision": "1", "status": JobStatus.PENDING, "tags": [], "skip_tags": [],
    "timeout_seconds": 60, "requested_by": "test",
}  # fmt: skip
FULL: dict[str, Any] = {
    "recipe": "grün", "revision": "2", "status": JobStatus.ERROR, "failure_reason": FailureReason.TIMEOUT,
    "message": "a\tb", "exit_code": -9, "check_mode": True, "diff": True, "tags": ["a", "é"], "skip_tags": ["b"],
    "extra_vars": {"x": [1, None, 1.5, {"y": "z"}]}, "secret_vars": b"\0\xff", "timeout_seconds": 7, "priority": -3,
    "requested_by": "me", "idempotency_key": "key", "fence": 4, "worker": "w", "cancel_requested_by": "you",
    "admitted_at": AT, "launched_at": AT, "retry_of_id": 1, "progress": 0.5, "event_count": 6, "events_size": 2**40,
    "log_pruned_at": AT, "log_path": "p", "log_size": 2**41, "line_count": 2**42, "started_at": AT, "ended_at": AT,
}  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[None]:
    url = f"sqlite://{tmp_path / 'db.sqlite3'}"
    if request.param == "postgres":
        url = await fresh_database(request.getfixturevalue("postgres_url"), tmp_path.name)
    await migrate(url)
    async with opened(url):
        yield


@pytest.mark.parametrize("columns", [EMPTY, FULL])
async def test_a_job_is_found_with_all_that_it_has(database: None, columns: dict[str, Any]) -> None:
    for _ in range(2):
        await ProvisionJob.create(**EMPTY)
    job = await ProvisionJob.create(**columns)

    found = await ProvisionJob.find(job.id)

    assert found is not None
    fields = ProvisionJob._meta.fields_db_projection
    assert set(FULL) | {"id", "created_at"} == set(fields)
    expected = await ProvisionJob.get(id=job.id)
    assert {name: getattr(found, name) for name in fields} == {name: getattr(expected, name) for name in fields}
    assert {name: getattr(found, name) for name in columns} == columns
    assert type(found.status) is JobStatus
    # It is stored as any other.
    found.fence += 1
    await found.save()
    assert (await ProvisionJob.get(id=job.id)).fence == expected.fence + 1


async def test_a_job_that_is_not_there_is_none(database: None) -> None:
    await ProvisionJob.create(**EMPTY)

    assert await ProvisionJob.find(2) is None
