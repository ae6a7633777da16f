"""Fills a database for reading: `python -m bench.rig.fill_history URL [LOG]`.

The jobs are those of the tests, all of them finished, and with a log of 1 GiB and one of small pieces if LOG is given:
then the same bytes go to that file.
"""

import asyncio
import sqlite3
import sys
from pathlib import Path

from tortoise.connection import get_connection

from playcast.settings import file_of
from playcast.storage.database import dialect, migrate, opened
from tests.support.many_jobs import fill

BIG_LOG = 99_000
SMALL_CHUNKS = 99_001
BLOCK = 64 * 1024
BLOCKS = 16 * 1024
SMALL = 100
SMALLS = 400_000
_LINE = b"TASK [base : install the packages of this server] *********************************************************\n"
_AT = "2026-01-01 00:00:00+00:00"
_CHUNK = "INSERT INTO log_chunk (job_id, start, first_line, data, emitted_at) VALUES (?, ?, ?, ?, ?)"


async def history(url: str) -> None:
    """100,000 jobs that are all over, so that no worker takes them up."""
    await migrate(url)
    async with opened(url):
        await fill(dialect(url))
        connection = get_connection("default")
        await connection.execute_script("DELETE FROM server_lock")
        await connection.execute_script(
            "UPDATE provision_job SET status = 'SUCCESS', ended_at = created_at WHERE status IN ('PENDING', 'RUNNING')"
        )


def logs(database: Path, file: Path) -> None:
    """The two long logs."""
    block = (_LINE * (BLOCK // len(_LINE) + 1))[: BLOCK - 1] + b"\n"
    lines = block.count(b"\n")
    with file.open("wb") as raw:
        for _ in range(BLOCKS):
            raw.write(block)
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DELETE FROM log_chunk WHERE job_id IN (?, ?)", (BIG_LOG, SMALL_CHUNKS))
        big = ((BIG_LOG, at * BLOCK, at * lines + 1, block, _AT) for at in range(BLOCKS))
        connection.executemany(_CHUNK, big)
        small = (_LINE * 2)[: SMALL - 1] + b"\n"
        count = small.count(b"\n")
        connection.executemany(_CHUNK, ((SMALL_CHUNKS, at * SMALL, at * count + 1, small, _AT) for at in range(SMALLS)))
        for job, size in ((BIG_LOG, BLOCK * BLOCKS), (SMALL_CHUNKS, SMALL * SMALLS)):
            connection.execute("UPDATE provision_job SET log_size = ? WHERE id = ?", (size, job))
    connection.close()


if __name__ == "__main__":
    asyncio.run(history(sys.argv[1]))
    if len(sys.argv) > 2:
        logs(file_of(sys.argv[1]), Path(sys.argv[2]))
