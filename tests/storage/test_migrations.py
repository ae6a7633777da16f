"""The migrated schema is the schema of the models, on both databases, and rows survive every step."""

import asyncio
import contextvars
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aerich import Command
from tortoise import Tortoise
from tortoise.connection import get_connection

from models import JobHost, JobStatus, ProvisionJob, Server, ServerLock, ServerTag, ServerWait
from playcast.storage import database
from playcast.storage.database import dialect, migrate, migrations_dir, opened, tortoise_config
from tests.support.postgres import fresh_database

_SQLITE_SHAPE = """
SELECT m.name AS table_name, c.name, c.type, c."notnull", c.dflt_value, c.pk
FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, 2
"""
_SQLITE_INDEXES = """
SELECT m.name AS table_name, i."unique", group_concat(c.name) AS columns
FROM sqlite_master m JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c
WHERE m.type = 'table' GROUP BY m.name, i.name ORDER BY 1, 2, 3
"""
_SQLITE_KEYS = """
SELECT m.name AS table_name, f."from", f."table", f.on_delete
FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1, 2
"""
# The queue brings tables of its own, which are not ours to compare.
_POSTGRES_SHAPE = """
SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'procrastinate%' ORDER BY 1, 2
"""
_POSTGRES_INDEXES = """
SELECT tablename, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename NOT LIKE 'procrastinate%' ORDER BY 1, 2
"""
_POSTGRES_KEYS = """
SELECT conrelid::regclass::text AS table_name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'procrastinate%'
ORDER BY 1, 2
"""
T = TypeVar("T")
SHAPES = {
    "sqlite": (_SQLITE_SHAPE, _SQLITE_INDEXES, _SQLITE_KEYS),
    "postgres": (_POSTGRES_SHAPE, _POSTGRES_INDEXES, _POSTGRES_KEYS),
}


async def apart(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in an empty context, as Tortoise keeps its state there."""

    async def call() -> T:
        return await work()

    return await asyncio.create_task(call(), context=contextvars.Context())


def steps_of(folder: str) -> list[Path]:
    """The migrations of a dialect, in their order: 10 comes after 9."""
    return sorted(
        (migrations_dir() / folder / "models").glob("[0-9]*.py"), key=lambda file: int(file.name.split("_")[0])
    )


async def shape(url: str) -> list[list[dict[str, Any]]]:
    """Columns, indexes and constraints as the database itself tells them."""

    async def read() -> list[list[dict[str, Any]]]:
        async with opened(url):
            connection = get_connection("default")
            return [[dict(row) for row in await connection.execute_query_dict(sql)] for sql in SHAPES[dialect(url)]]

    return await apart(read)


async def generate(url: str) -> None:
    """Make the tables from the models, without any migration."""

    async def make() -> None:
        context = await Tortoise.init(config=tortoise_config(url))
        await Tortoise.generate_schemas()
        await context.close_connections()

    await apart(make)


async def check(migrated: str, generated: str) -> None:
    """Compare two empty databases, one made by each way."""
    steps = await migrate(migrated)
    assert steps == [path.name for path in steps_of(dialect(migrated))]
    assert await migrate(migrated) == []
    await generate(generated)
    ours, theirs = await shape(migrated), await shape(generated)
    assert len(ours[0]) > 40
    assert ours == theirs
    await apart(lambda: nothing_left_to_write(migrated))


async def nothing_left_to_write(url: str) -> None:
    """Aerich itself finds no difference between the last file and the models."""
    command = Command(tortoise_config(url), app="models", location=str(migrations_dir() / dialect(url)))
    try:
        await command.init()
        assert await command.migrate("unexpected") == ""
    finally:
        await Tortoise.close_connections()


async def test_sqlite_is_what_the_models_say(tmp_path: Path) -> None:
    await check(f"sqlite://{tmp_path}/migrated.sqlite3", f"sqlite://{tmp_path}/generated.sqlite3")


@pytest.mark.postgres
async def test_postgres_is_what_the_models_say(postgres_url: str, tmp_path: Path) -> None:
    one, two = [await fresh_database(postgres_url, f"{tmp_path.name}-{name}") for name in ("one", "two")]
    await check(one, two)


_OLD_ROWS = (
    """INSERT INTO server (name, host, port, "user", auth, variables, created_at, updated_at)
    VALUES ('old', 'h', 22, 'u', 'LOCAL', '{"a": 1}', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')""",
    """INSERT INTO provision_job (recipe, revision, status, check_mode, diff, tags, skip_tags, timeout_seconds,
    priority, requested_by, fence, log_size, line_count, created_at) VALUES ('base', 'r', 'RUNNING', false, false,
    '[]', '["slow"]', 60, 0, 'local', 1, 4, 1, '2026-01-01 00:00:00+00:00')""",
    """INSERT INTO provision_job (recipe, revision, status, check_mode, diff, tags, skip_tags, timeout_seconds,
    priority, requested_by, fence, log_size, line_count, created_at) VALUES ('base', 'r', 'PENDING', false, false,
    '[]', '[]', 60, 3, 'local', 0, 0, 0, '2026-01-01 00:00:00+00:00')""",
    """INSERT INTO log_chunk (job_id, start, first_line, data, emitted_at)
    VALUES (1, 0, 1, {bytes}, '2026-01-01 00:00:00+00:00')""",
    """INSERT INTO job_host (job_id, server_id, host, server_name)
    VALUES (1, 1, 'srv-1', 'old'), (2, 1, 'srv-1', 'old')""",
    "INSERT INTO server_tag (server_id, tag) VALUES (1, 'web')",
)


# b"one\n"
_BYTES = {"sqlite": "X'6f6e650a'", "postgres": r"'\x6f6e650a'"}


async def check_rows_survive(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill the first schema of all with one row each, and take every later step."""
    first = tmp_path / "migrations" / dialect(url) / "models"
    first.mkdir(parents=True)
    steps = steps_of(dialect(url))
    shutil.copy(steps[0], first)
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations_dir", lambda: tmp_path / "migrations")
        assert await migrate(url) == [steps[0].name]

    async def fill() -> None:
        async with opened(url):
            for statement in _OLD_ROWS:
                await get_connection("default").execute_script(statement.replace("{bytes}", _BYTES[dialect(url)]))

    async def look() -> None:
        async with opened(url):
            job = await ProvisionJob.get(id=1).prefetch_related("hosts", "chunks")
            assert (job.recipe, job.status, job.skip_tags, job.fence) == ("base", JobStatus.RUNNING, ["slow"], 1)
            assert [(row.host, row.server_id) for row in job.hosts] == [("srv-1", 1)]  # type: ignore[attr-defined]  # a reverse relation
            assert [bytes(row.data) for row in job.chunks] == [b"one\n"]  # type: ignore[attr-defined]  # same
            assert (await Server.get(id=1)).variables == {"a": 1}
            assert await ServerTag.filter(tag="web").count() == 1
            # A job that ran before there were locks holds its servers, and counts as launched.
            assert await ServerLock.all().values_list("server_id", "job_id") == [(1, 1)]
            assert await ServerWait.all().values_list("server_id", "rank", "job_id") == [(1, -3, 2)]
            assert job.admitted_at == job.launched_at == job.created_at

    await apart(fill)
    assert await migrate(url) == [step.name for step in steps[1:]]
    await apart(look)


_RECAPS = """INSERT INTO job_host (job_id, host, server_name, failed, unreachable, in_recap)
    VALUES (1, 'srv-2', 'well', 0, 0, true), (1, 'srv-3', 'failed', 2, 0, true), (1, 'srv-4', 'away', 0, 1, true)"""


async def check_recaps_tell_who_was_served(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts in the recap of a job that ended before the step count as served unless they were in trouble."""
    first = tmp_path / "migrations" / dialect(url) / "models"
    first.mkdir(parents=True)
    steps = steps_of(dialect(url))
    for step in steps[:8]:
        shutil.copy(step, first)
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations_dir", lambda: tmp_path / "migrations")
        assert await migrate(url) == [step.name for step in steps[:8]]

    async def fill() -> None:
        async with opened(url):
            for statement in (*_OLD_ROWS[:3], _OLD_ROWS[4], _RECAPS):
                await get_connection("default").execute_script(statement)

    async def look() -> None:
        async with opened(url):
            rows = await JobHost.filter(job_id=1).order_by("id").values_list("server_name", "served")
            assert rows == [("old", None), ("well", True), ("failed", False), ("away", False)]

    await apart(fill)
    assert await migrate(url) == [step.name for step in steps[8:]]
    await apart(look)


async def test_recaps_tell_who_was_served_on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await check_recaps_tell_who_was_served(f"sqlite://{tmp_path}/old.sqlite3", tmp_path, monkeypatch)


@pytest.mark.postgres
async def test_recaps_tell_who_was_served_on_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    url = await fresh_database(postgres_url, tmp_path.name)
    await check_recaps_tell_who_was_served(url, tmp_path, monkeypatch)


async def test_rows_survive_every_step_on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await check_rows_survive(f"sqlite://{tmp_path}/old.sqlite3", tmp_path, monkeypatch)


@pytest.mark.postgres
async def test_rows_survive_every_step_on_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    url = await fresh_database(postgres_url, tmp_path.name)
    await check_rows_survive(url, tmp_path, monkeypatch)


async def test_a_sqlite_file_gives_space_back_and_keeps_its_rows(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/playcast.sqlite3"
    await migrate(url)
    async with opened(url):
        assert (await get_connection("default").execute_query_dict("PRAGMA auto_vacuum"))[0] == {"auto_vacuum": 2}
        assert (await get_connection("default").execute_query_dict("PRAGMA journal_mode"))[0] == {"journal_mode": "wal"}
        await Server.create(name="kept", host="h", port=22, user="u", auth="LOCAL", variables={"a": [1, None]})
    await migrate(url)
    async with opened(url):
        server = await Server.get(name="kept")
        assert server.variables == {"a": [1, None]}
    assert (tmp_path / "playcast.sqlite3").stat().st_mode & 0o777 == 0o600
