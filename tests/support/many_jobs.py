"""A history of 100,000 jobs on 20,000 servers, unevenly spread, filled in a few statements of SQL."""

from tortoise.connection import get_connection

JOBS = 100_000
SERVERS = 20_000
WIDE_LOG = 50_000
"""The job with a log of 5,000 chunks, and as many events."""
_MINUTES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S+00:00', '2026-01-01', '+' || i || ' minutes')",
    "postgres": "'2026-01-01T00:00:00Z'::timestamptz + i * interval '1 minute'",
}
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
_FILL = (
    """
    INSERT INTO server (name, host, port, "user", auth, variables, created_at, updated_at) {upto:SERVERS}
    SELECT 'web-' || i, '10.0.0.1', 22, 'deploy', 'LOCAL', '{{}}', {at}, {at} FROM n
    """,
    # "all" is on every server, "rare" on three.
    """
    INSERT INTO server_tag (server_id, tag) {upto:SERVERS}
    SELECT i, 'all' FROM n UNION ALL SELECT i * 5000, 'rare' FROM n WHERE i < 4
    """,
    # SUCCESS but for one ERROR in 20, four CANCELED, and the end of the table. A few of a rare recipe and caller.
    """
    INSERT INTO provision_job (recipe, revision, status, check_mode, diff, tags, skip_tags, timeout_seconds, priority,
        requested_by, fence, log_size, line_count, created_at, ended_at, admitted_at, event_count) {upto:JOBS}
    SELECT CASE WHEN i % 30000 = 7 THEN 'rare' WHEN i % 3 = 0 THEN 'deploy' ELSE 'base' END, 'r',
        CASE WHEN i > 99980 THEN 'PENDING' WHEN i > 99960 THEN 'RUNNING' WHEN i % 30000 = 9 THEN 'CANCELED'
            WHEN i % 20 = 0 THEN 'ERROR' ELSE 'SUCCESS' END,
        false, false, '[]', '[]', 60, 0, CASE WHEN i % 20000 = 11 THEN 'rare' ELSE 'token' END, 1, 10, 1, {at},
        CASE WHEN i > 99960 THEN NULL ELSE {at} END, CASE WHEN i > 99990 THEN NULL ELSE {at} END, 1 FROM n
    """,
    # Half of the jobs ran on server 1; each on one of the others, but none on the last hundred; three on the very last.
    """
    INSERT INTO job_host (job_id, server_id, host, server_name) {upto:JOBS}
    SELECT i, 2 + i % 19898, 'srv-x', 'x' FROM n UNION ALL SELECT i, 1, 'srv-1', 'web-1' FROM n WHERE i % 2 = 0
    UNION ALL SELECT i * 1000, 20000, 'srv-y', 'y' FROM n WHERE i < 4
    """,
    "INSERT INTO server_lock (server_id, job_id, taken_at) {upto:20} SELECT 2 + i, 99960 + i, {at} FROM n",
    # As runner.queue.admission leaves it: the last ten wait.
    """
    INSERT INTO server_wait (server_id, rank, job_id)
    SELECT h.server_id, 0, h.job_id FROM job_host h JOIN provision_job j ON j.id = h.job_id
    WHERE j.status = 'PENDING' AND j.admitted_at IS NULL
    """,
    """
    INSERT INTO job_event (job_id, seq, at, kind, payload) {upto:JOBS}
    SELECT i, 1, {at}, 'status', '{{"status":"SUCCESS","reason":null}}' FROM n UNION ALL
    SELECT 50000, i + 1, {at}, 'status', '{{"status":"SUCCESS","reason":null}}' FROM n WHERE i < 5000
    """,
    """
    INSERT INTO log_chunk (job_id, start, first_line, data, emitted_at) {upto:JOBS}
    SELECT i, 0, 1, {bytes}, {at} FROM n UNION ALL
    SELECT 50000, i * 10, i + 1, {bytes}, {at} FROM n WHERE i < 5000
    """,
    "UPDATE provision_job SET log_size = 50000, event_count = 5000 WHERE id = 50000",
)
# b"ten bytes\n"
_BYTES = {"sqlite": "X'74656e2062797465730a'", "postgres": r"'\x74656e2062797465730a'::bytea"}


async def fill(dialect: str) -> None:
    """Write it all into a database with an empty schema."""
    connection = get_connection("default")
    for statement in _FILL:
        sql = statement
        for name, count in (("SERVERS", SERVERS), ("JOBS", JOBS), ("20", 20)):
            sql = sql.replace(f"{{upto:{name}}}", _NUMBERS.replace("{count}", str(count)))
        sql = sql.replace("{at}", _MINUTES[dialect]).replace("{bytes}", _BYTES[dialect])
        if dialect == "postgres":
            # Written as text, since no type is known where a JSON column takes a union.
            sql = sql.replace("'[]'", "'[]'::jsonb").replace("'{{}}'", "'{{}}'::jsonb")
        await connection.execute_script(sql.replace("{{", "{").replace("}}", "}"))
    if dialect == "postgres":
        # What its autovacuum does within a minute. SQLite is never told anything.
        await connection.execute_script("VACUUM ANALYZE")
