"""Who keeps others waiting in the database, and stands still: a process that was stopped, or a machine that is cut off.

PostgreSQL itself ends a transaction that nobody goes on with (`idle_in_transaction_session_timeout`), but not one whose
client has sent half of what a statement takes: asyncpg has a statement prepared first, and runs it then. For PostgreSQL
that one is at work, and its locks would stay for as long as the network lets the connection be.
"""

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient

from runner.lease import STANDSTILL_SECONDS

# Only whom somebody waits for, and who has written or holds a lock of ours: a backup that reads slowly is left alone.
_END = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity stands
WHERE datname = current_database() AND usename = current_user
AND state = 'active' AND wait_event_type = 'Client' AND state_change < now() - make_interval(secs => $1)
AND (backend_xid IS NOT NULL
     OR EXISTS (SELECT 1 FROM pg_locks held WHERE held.pid = stands.pid AND locktype = 'advisory' AND granted))
AND EXISTS (SELECT 1 FROM pg_stat_activity waits WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND stands.pid = ANY (pg_blocking_pids(waits.pid)))
"""

log = structlog.get_logger()


async def end_holdups(database: BaseDBAsyncClient) -> None:
    """End the connections of those who keep others waiting and stand still. What they had under way is undone."""
    if database.capabilities.dialect != "postgres":
        return
    for row in await database.execute_query_dict(_END, [STANDSTILL_SECONDS]):
        log.warning("a connection that stood still and kept others waiting is ended", backend=row["pid"])
