"""Moves what SQLite's write-ahead log holds into the database file, beside the writer instead of in its way.

Each move waits for the disk twice. Done by a commit, as SQLite does by itself, it held a flood up for 30 ms every 4 MB.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import structlog

from playcast.settings import file_of

EVERY_SECONDS = 0.2

log = structlog.get_logger()


def checkpointer(url: str) -> Callable[[], Awaitable[None]]:
    """Work for as long as the database of `url` is open. Should it fail, commits move it once 64 MB have gathered."""
    # SQLite keeps its log beside the file itself, not beside a link to it.
    file = file_of(url).resolve()
    written = file.with_name(file.name + "-wal")

    async def work() -> None:
        seen = 0
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            changed = written.stat().st_mtime_ns if written.exists() else seen
            if changed != seen:
                seen = changed
                await asyncio.to_thread(_move, file)

    return work


def _move(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:
        if not file.exists():
            # Whoever works with it tells that.
            return
        log.warning("the write-ahead log could not be moved, it is tried again", error=str(error))
