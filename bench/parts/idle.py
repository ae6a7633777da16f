"""What each process asks of an idle database: statements a second and CPU, of one more server or worker.

Transactions as PostgreSQL counts them: each is one statement here. The baseline is a server and a worker alone.
"""

import asyncio
import time
from collections.abc import Iterator

import asyncpg

from bench.rig.cluster import Several, since
from bench.rig.table import compared
from playcast.storage.postgres import plain_url

ROUNDS = 3
MORE = 3
SECONDS = 20.0
_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

Row = tuple[str, str]


def rows() -> Iterator[Row]:
    """Each row of the table: what, and its figure."""
    found = [measured(SECONDS, MORE) for _ in range(ROUNDS)]
    yield from table(found)


def table(found: list[dict[str, tuple[float, float, float]]]) -> Iterator[Row]:
    """The rows; each kind against one server and one worker of its round."""
    for kind in ("one more server", "one more worker"):
        for at, what in enumerate(("statements/s", "CPU of PostgreSQL in ms/s", "connections")):
            pairs = [(each[kind][at], each["both"][at]) for each in found]
            yield f"idle: {what} of {kind}, against one server and one worker", compared(pairs, "")


def measured(seconds: float, more: int) -> dict[str, tuple[float, float, float]]:
    """(statements a second, milliseconds of PostgreSQL's CPU a second, connections) of a pair, and of one more each."""
    with Several("nothing") as several:
        several.serve()
        several.work(4)
        both = _rates(several, seconds)
        for _ in range(more):
            several.serve()
        servers = _rates(several, seconds)
        for _ in range(more):
            several.work(4)
        workers = _rates(several, seconds)
    return {
        "both": both,
        "one more server": _each(both, servers, more),
        "one more worker": _each(servers, workers, more),
    }


Rates = tuple[float, float, float]


def _each(before: Rates, after: Rates, more: int) -> Rates:
    first, second, third = ((new - old) / more for old, new in zip(before, after, strict=True))
    return first, second, third


def _rates(several: Several, seconds: float) -> Rates:
    # What a start brings is over by then.
    time.sleep(3)
    cpu, commits = several.cpu(), _told(several.url, _COMMITS)
    time.sleep(seconds)
    spent = since(cpu, several.cpu())["PostgreSQL"]
    # One of them is the connection that asked before.
    asked = _told(several.url, _COMMITS) - commits - 1
    return asked / seconds, spent / seconds * 1000, float(_told(several.url, _CONNECTIONS))


def _told(url: str, question: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(plain_url(url))
        try:
            return int(await connection.fetchval(question))
        finally:
            await connection.close()

    return asyncio.run(ask())
