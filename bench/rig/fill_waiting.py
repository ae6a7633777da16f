"""Fills a database with jobs that wait: `python -m bench.rig.fill_waiting URL KIND COUNT`.

It may hold others that are over. The first 40 new servers are free for whoever measures. KIND says what the jobs wait
for: `slot`, each holds a server of its own and stands in the queue; `held`, all want one server, which a job holds that
comes last; `same`, all want the first of these 40.
"""

import asyncio
import sys

from tortoise.connection import get_connection

from playcast.storage.database import dialect, migrate, opened
from runner.cluster.procrastinate_queue import QUEUE, TASK

FREE = 40
KINDS = {
    "slot": "others wait for a slot",
    "held": "others wait for a held server",
    "same": "all wait for the same server",
}
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
_AT = "'2026-01-01 00:00:00+00:00'"
_LAST = -1000
"""The priority of the job that holds the server that others wait for."""
_SERVERS = """
INSERT INTO server (name, host, port, "user", auth, variables, strict_host_key, created_at, updated_at) {numbers}
SELECT 's' || i, 'localhost', 22, 'root', 'LOCAL', '{{}}'{json}, true, {at}, {at} FROM n
"""
_JOBS = """
INSERT INTO provision_job (recipe, revision, status, check_mode, diff, tags, skip_tags, timeout_seconds, priority,
    requested_by, fence, log_size, line_count, created_at, admitted_at, event_count) {numbers}
SELECT 'flood', 'r', 'PENDING', false, false, '[]'{json}, '[]'{json}, 60, {priority}, 'local', 0, 0, 0, {at},
    {admitted}, 1 FROM n
"""
_HOSTS = """
INSERT INTO job_host (job_id, server_id, host, server_name)
SELECT id, {server}, 'srv-' || ({server}), 's' || ({server}) FROM provision_job WHERE id > {old}
"""
_EVENTS = """
INSERT INTO job_event (job_id, seq, at, kind, payload)
SELECT id, 1, {at}, 'status', '{{"status":"PENDING","reason":null}}' FROM provision_job WHERE id > {old}
"""
_LOCKS = """
INSERT INTO server_lock (server_id, job_id, taken_at)
SELECT h.server_id, h.job_id, {at} FROM job_host h JOIN provision_job j ON j.id = h.job_id
WHERE j.id > {old} AND j.admitted_at IS NOT NULL
"""
_WAITS = """
INSERT INTO server_wait (server_id, rank, job_id)
SELECT h.server_id, -j.priority, h.job_id FROM job_host h JOIN provision_job j ON j.id = h.job_id
WHERE j.id > {old} AND j.admitted_at IS NULL
"""
_ENTRIES = f"""
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)
SELECT '{QUEUE}', '{TASK}', priority, jsonb_build_object('job_id', id) FROM provision_job
WHERE status = 'PENDING' AND admitted_at IS NOT NULL ORDER BY id
"""  # noqa: S608 (names of ours alone)


async def fill(url: str, kind: str, count: int) -> None:
    """Bring the database to the newest schema and write servers and jobs."""
    await migrate(url)
    async with opened(url):
        servers, old = await _last("server"), await _last("provision_job")
        await _write(_SERVERS, url, count=FREE + max(1, count))
        if kind == "held":
            await _write(_JOBS, url, count=1, priority=_LAST, admitted=_AT)
        if count:
            await _write(_JOBS, url, count=count, priority=0, admitted=_AT if kind == "slot" else "NULL")
        own = servers + FREE - old
        server = {"slot": f"{own} + id", "held": f"{servers + FREE + 1}", "same": f"{servers + 1}"}[kind]
        for statement in (_HOSTS, _EVENTS, _LOCKS, _WAITS):
            await _write(statement, url, server=server, old=old)
        if dialect(url) == "postgres":
            # What autovacuum does within a minute. SQLite is never told anything. The entries come last: with them
            # the jobs begin, if a worker is there.
            for sql in ("VACUUM ANALYZE", _ENTRIES, "ANALYZE procrastinate_jobs"):
                await get_connection("default").execute_script(sql)


async def _last(table: str) -> int:
    rows = await get_connection("default").execute_query_dict(f"SELECT max(id) AS last FROM {table}")  # noqa: S608 (a name of ours)
    return int(rows[0]["last"] or 0)


async def _write(statement: str, url: str, count: int = 0, **values: object) -> None:
    # Written as text, since no type is known where a JSON column takes a union.
    json = "::jsonb" if dialect(url) == "postgres" else ""
    numbers = _NUMBERS.format(count=count)
    sql = statement.format(numbers=numbers, at=_AT, json=json, **values)
    await get_connection("default").execute_script(sql)


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], sys.argv[2], int(sys.argv[3])))
