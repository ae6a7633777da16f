"""Tortoise's client of SQLite, which notices that its files are no longer the ones that their names lead to.

The system lets a process go on in a file that was deleted: all that it writes there is gone when it ends.
"""

from pathlib import Path

import aiosqlite
import structlog
from tortoise.backends.base.client import ConnectionWrapper, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.exceptions import DBConnectionError

log = structlog.get_logger()


class DatabaseGone(DBConnectionError):
    """The files of the database were deleted or replaced: nothing that is written would be there after a restart."""


class OpenFiles:
    """The file of a database that is open, and the two that SQLite keeps beside it, each as it was first seen."""

    def __init__(self, file: Path) -> None:
        # SQLite keeps them beside the file itself, not beside a link to it.
        itself = file.resolve()
        self._seen: dict[Path, tuple[int, int] | None] = {
            path: _identity(path)
            for path in (itself, *(itself.with_name(itself.name + end) for end in ("-wal", "-shm")))
        }
        self._told = False

    def check(self) -> None:
        """DatabaseGone if one of them is another now, or there is none; the log says so once."""
        for path, seen in self._seen.items():
            try:
                now = _identity(path)
            except OSError:
                # Nobody can look there now. What is open goes on.
                continue
            if seen is None:
                self._seen[path] = now
            elif now != seen:
                what = "deleted" if now is None else "replaced by another"
                message = (
                    f"the database file {path} was {what} while Playcast worked with it: put it back, then restart"
                )
                if not self._told:
                    self._told = True
                    log.error("the database is refused", error=message)
                raise DatabaseGone(message)
        self._told = False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


class WatchfulClient(SqliteClient):
    """A connection that takes and gives nothing once its files are gone."""

    _files: OpenFiles | None = None

    async def create_connection(self, with_db: bool) -> None:  # noqa: FBT001 (Tortoise's signature)
        """Connect, and remember what was opened."""
        await super().create_connection(with_db)
        self._files = OpenFiles(Path(self.filename))

    async def close(self) -> None:
        """Close it; SQLite removes the files beside it then."""
        self._files = None
        await super().close()

    def acquire_connection(self) -> ConnectionWrapper[aiosqlite.Connection]:
        """The connection for a statement; DatabaseGone if that would be lost."""
        self._check()
        return super().acquire_connection()

    def _in_transaction(self) -> TransactionContext:
        self._check()
        return super()._in_transaction()

    def _check(self) -> None:
        if self._files is not None:
            self._files.check()


client_class = WatchfulClient
