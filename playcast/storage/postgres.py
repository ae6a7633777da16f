"""What an installation on PostgreSQL is made of, beside Tortoise: plain connections, the queue, migrations in turn."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import asyncpg
from tortoise.backends.base.config_generator import expand_db_url

from runner.errors import PlaycastError

# Options of a URL that Tortoise takes for itself.
_TORTOISE = {
    "minsize",
    "maxsize",
    "max_queries",
    "max_inactive_connection_lifetime",
    "schema",
    "application_name",
    "statement_cache_size",
}
NEEDS_EXTRA = "PostgreSQL needs the extra `cluster`: pip install 'playcast[cluster]'"
CONNECT_SECONDS = 10.0
# Any number that nothing else in this database locks.
_MIGRATING = 0x706C6D67


def plain_url(url: str) -> str:
    """The same database for libpq and asyncpg, which refuse what they do not know."""
    base, _, options = url.partition("?")
    kept = [(name, value) for name, value in parse_qsl(options, keep_blank_values=True) if name not in _TORTOISE]
    rest = base.partition("://")[2]
    return f"postgresql://{rest}" + (f"?{urlencode(kept, safe='/')}" if kept else "")


class Pooled(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection of the pool. asyncpg would reset it by a statement of its own after each of ours."""

    def get_reset_query(self) -> str:
        """Nothing: no session is ever changed. Locks end with their transaction, and LISTEN has other connections."""
        return ""


def pool_of(url: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Tortoise's configuration of the pool for this database; `options` are asyncpg's."""
    credentials = expand_db_url("asyncpg://" + url.partition("://")[2])["credentials"]
    return {"engine": "models.postgres", "credentials": {**credentials, **options, "connection_class": Pooled}}


def connector(url: str) -> Callable[[], Awaitable[asyncpg.Connection]]:
    """Makes connections of their own, outside of every pool."""
    return lambda: asyncpg.connect(plain_url(url))


@asynccontextmanager
async def migrating(url: str) -> AsyncIterator[None]:
    """Wait until no other process migrates this database, and keep the others waiting; the queue's tables come last."""
    connection = await asyncpg.connect(plain_url(url), timeout=CONNECT_SECONDS)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATING)
        yield
        await _add_queue(connection)
    finally:
        await connection.close()


async def _add_queue(connection: asyncpg.Connection) -> None:
    try:
        from procrastinate.schema import SchemaManager  # noqa: PLC0415 (an extra: one machine does without it)
    except ImportError as error:
        raise PlaycastError(NEEDS_EXTRA) from error
    if await connection.fetchval("SELECT to_regclass('procrastinate_jobs')") is None:
        async with connection.transaction():
            await connection.execute(SchemaManager.get_schema())
