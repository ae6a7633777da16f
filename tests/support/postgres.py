"""A throw-away PostgreSQL from the wheel, for tests that carry the `postgres` marker."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from bench.rig.postgres import throwaway_postgres
from playcast.storage.database import migrate


@contextmanager
def started() -> Iterator[str]:
    """The URL of a server that lives as long as the context."""
    # Not below pytest's own directory: PostgreSQL runs as another account when root tests, and whoever starts pytest
    # meanwhile closes that directory to others.
    room = Path(tempfile.mkdtemp(prefix="playcast-pg-", dir="/tmp"))
    server = throwaway_postgres(room / "data")
    try:
        # Nothing here has to outlive the machine, and to write it all through at the end takes longer than the tests.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(room)


_EMPTY = """
DO $$ DECLARE tables text; BEGIN
    SELECT string_agg(format('%I', tablename), ', ') INTO tables FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'aerich';
    -- What a test has left open shall fail the next one, and not stop it.
    SET LOCAL lock_timeout = '20s';
    EXECUTE 'TRUNCATE ' || tables || ' RESTART IDENTITY CASCADE';
END $$
"""


async def emptied_database(server_url: str) -> str:
    """The URL of one database with its schema, the same for all tests of this process, without a row.

    To make one for each test takes longer than most of them.
    """
    connection = await asyncpg.connect(server_url)
    try:
        found = await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = 'emptied'")
    finally:
        await connection.close()
    if not found:
        url = await fresh_database(server_url, "emptied")
        await migrate(url)
        return url
    url = _url_of(server_url, "emptied")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_EMPTY)
    finally:
        await connection.close()
    return url


async def fresh_database(server_url: str, name: str) -> str:
    """The URL of a new, empty database in a PostgreSQL server."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return _url_of(server_url, name)


def _url_of(server_url: str, name: str) -> str:
    base, _, options = server_url.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
