"""Where Python is on each server, as ansible found it in an earlier job: the next one need not look for it again.

What is kept goes to the job in `spec.json` (`interpreters`: {server id: [host, port, path or null]}), where the
callback plugins read it. To ansible it is what it would have found itself, so every setting wins over it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from models import Server, ServerAuthKind
from models.transaction import transaction
from runner.host_keys import host_name
from runner.outcome.findings import EventSummary
from runner.reserved import is_python_path
from runner.start.inventory import Target

KEEP = timedelta(hours=24)
"""After this long ansible looks again: a newer Python may have come, or the old one be about to go."""
_TROUBLES = ("failed", "unreachable", "rescued", "ignored")


def kept(targets: Sequence[Target], now: datetime) -> dict[str, list[object]]:
    """For the specification of a job on `targets`. LOCAL servers are told where it is in any case."""
    over_ssh = [target.server for target in targets if target.server.auth is not ServerAuthKind.LOCAL]
    return {str(server.id): [server.host, server.port, _fresh(server, now)] for server in over_ssh}


def _fresh(server: Server, now: datetime) -> str | None:
    found_at = server.interpreter_found_at
    return server.interpreter if found_at is not None and found_at <= now < found_at + KEEP else None


async def learn(given: object, told: EventSummary) -> None:
    """Keep what a job found, and forget where one met trouble: a Python that is gone looks like any failed task.

    `given` is `interpreters` of its spec.json. A server that has moved to another address meanwhile stays as it is.
    """
    try:
        changes = _changes(given, told) if isinstance(given, Mapping) else []
    except (TypeError, ValueError):
        # A playbook that runs on this machine may have written there.
        return
    if not changes:
        return
    async with transaction():
        for server_id, host, port, path in changes:
            found_at = None if path is None else datetime.now(UTC)
            there = Server.filter(id=server_id, host=host, port=port)
            await there.update(interpreter=path, interpreter_found_at=found_at)


def _changes(given: Mapping[str, Any], told: EventSummary) -> list[tuple[int, str, int, str | None]]:
    """(server id, host, port, path or None) for each server that is to change."""
    changes: list[tuple[int, str, int, str | None]] = []
    for server_id, (host, port, path) in given.items():
        name = host_name(int(server_id))
        found = told.interpreters.get(name)
        if _in_trouble(name, told):
            if path is not None:
                changes.append((int(server_id), host, port, None))
        elif found is not None and is_python_path(found):
            changes.append((int(server_id), host, port, found))
    return changes


def _in_trouble(name: str, told: EventSummary) -> bool:
    recap = (told.recap or {}).get(name, {})
    return name in told.failed or name in told.away or any(recap.get(counter, 0) for counter in _TROUBLES)
