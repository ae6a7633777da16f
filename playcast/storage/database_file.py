"""The file of an embedded database: where it is, how it is made, and the lock that keeps a second writer off."""

import errno
import fcntl
import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import structlog

from playcast.settings import Settings, file_of
from playcast.storage.open_errors import opening
from runner.errors import PlaycastError
from runner.new_file import made_whole

# Bytes. Against SQLite's own 4096 a flood takes a sixth less CPU, and a single line writes hardly more.
PAGE_SIZE = 8192
# A byte far behind those that SQLite locks, which lie at 1 GiB, and behind the end of any file.
_LOCKED_BYTE = 1 << 62
_TAKEN = {errno.EAGAIN, errno.EACCES}

log = structlog.get_logger()


class DatabaseInUse(PlaycastError):
    """Another process already writes this database."""


def make_file(file: Path) -> None:
    """Create an empty database that can give space back; this and its pages cannot be chosen once it has tables."""
    # Through a link to a file that is still to be made.
    file = file.resolve()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        with made_whole(file) as draft, closing(sqlite3.connect(draft)) as connection:
            _choose(connection)
    elif not file.stat().st_size:
        # As a start on a full disk once left it: SQLite takes it for a new database with its own choices.
        with closing(sqlite3.connect(file)) as connection:
            _choose(connection)


def check_file(file: Path) -> None:
    """sqlite3.Error if the database cannot be read and written. Of some such errors Tortoise would wait for ever."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master")
        connection.execute("ROLLBACK")


def _choose(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute("VACUUM")


class WriterLock:
    """Keeps a second writing process off an embedded database: SQLite's own lock would fail its transactions.

    Two locks: one on the database itself, whatever name leads to it, and one on the file `….lock` beside the name, the
    only one that earlier versions know.
    """

    def __init__(self, settings: Settings) -> None:
        self._fds: list[int] = []
        if not settings.embedded:
            return
        file = file_of(settings.database_url)
        try:
            with opening(settings.database_url):
                self._take(file)
        except BaseException:
            self.release()
            raise

    def _take(self, file: Path) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._opened(file.with_name(file.name + ".lock"), os.O_CREAT)
        try:
            fcntl.flock(beside, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _in_use(file) from error
        make_file(file)
        # Open until the end: closing any descriptor of the file would drop the locks that SQLite holds in this process.
        itself = self._opened(file)
        try:
            _lock_itself(itself)
        except OSError as error:
            if error.errno in _TAKEN:
                raise _in_use(file) from error
            raise
        if (names := os.fstat(itself).st_nlink) > 1:
            log.warning(
                "the database file has several names; use one only, as its newest rows are in files beside that one",
                file=str(file),
                names=names,
            )

    def _opened(self, file: Path, flags: int = 0) -> int:
        self._fds.append(os.open(file, os.O_RDWR | os.O_CLOEXEC | flags, 0o600))
        return self._fds[-1]

    def release(self) -> None:
        """Let the next process in; the database must be closed by then."""
        while self._fds:
            os.close(self._fds.pop())


def _lock_itself(fd: int) -> None:
    """Lock one byte of the file for as long as `fd` is open; OSError with a number of _TAKEN if another has it.

    The lock belongs to the descriptor, so that nothing that SQLite closes drops it. flock would do as well on a local
    disk, but on NFS it locks every byte, and SQLite out.
    """
    # struct flock: type, whence, start, length, pid.
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0))


def _in_use(file: Path) -> DatabaseInUse:
    return DatabaseInUse(f"another Playcast already works on {file}: stop it first, or use its API")
