"""Why a database cannot be opened, in one line for a person: which one, what the cause is, and what to do."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from tortoise.exceptions import BaseORMException, ConfigurationError

from playcast.settings import file_of
from runner.errors import PlaycastError
from runner.programs.system_errors import explained

_BACKUP = "put it back from your backup, or name another in PLAYCAST_DATA_DIR or PLAYCAST_DATABASE_URL"
# By what SQLite says of it.
_SQLITE = {
    "not a database": f"it is damaged, or no SQLite database: {_BACKUP}",
    "malformed": f"it is damaged: {_BACKUP}",
    "readonly": "it cannot be written: give this account (uid {uid}) access to it and to its directory",
    "unable to open": "it cannot be opened: give this account (uid {uid}) access to it and to its directory",
    "disk is full": "the disk is full: make room on it",
    "disk I/O": "the disk fails (input/output error): see the kernel's log",
    "locked": "another program holds it: end that first",
}
_UNREADABLE = "the URL cannot be read: write postgres://user:password@host:port/name, with %40 for an @ in a password"


@contextmanager
def opening(url: str) -> Iterator[None]:
    """Turns what keeps a database from being opened or brought up to date into a PlaycastError."""
    embedded = url.startswith("sqlite://")
    try:
        yield
    except OSError as error:
        if embedded:
            raise PlaycastError(f"the database {file_of(url)} cannot be opened: {explained(error)}") from error
        raise _unreachable(str(error) or "it does not answer") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, BaseORMException, sqlite3.Error) as error:
        if embedded:
            raise _unusable(url, error) from error
        raise _unreachable(_UNREADABLE if isinstance(error, ConfigurationError) else str(error)) from error
    except (ValueError, OverflowError) as error:
        # Of the parts of a URL. Its own words may quote the password.
        if embedded:
            raise
        raise _unreachable(_UNREADABLE) from error


def _unusable(url: str, error: Exception) -> PlaycastError:
    said = " ".join(str(error).split())
    known = (words.format(uid=os.geteuid()) for part, words in _SQLITE.items() if part in said)
    return PlaycastError(f"the database {file_of(url)} cannot be used: {next(known, said)}")


def _unreachable(said: str) -> PlaycastError:
    return PlaycastError(f"PLAYCAST_DATABASE_URL: the database cannot be reached: {' '.join(said.split())}")
