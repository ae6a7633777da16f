"""The migrated schema is the schema of the models, on both databases, and rows survive every step."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aerich import Command
from tortoise import Tortoise
from tortoise.connection import get_connection

from models import Server
from playcast.database import dialect, migrate, migrations_dir, opened, tortoise_config
from tests import postgres

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
_POSTGRES_SHAPE = """
SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
_POSTGRES_INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
_POSTGRES_KEYS = """
SELECT conrelid::regclass::text AS table_name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
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
    assert steps == sorted(path.name for path in (migrations_dir() / dialect(migrated) / "models").glob("[0-9]*.py"))
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
async def test_postgres_is_what_the_models_say(tmp_path: Path) -> None:
    with postgres.started(tmp_path / "one") as one, postgres.started(tmp_path / "two") as two:
        await check(one, two)


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
