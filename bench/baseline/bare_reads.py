"""The least that could answer the same: an aiohttp handler with one statement, on a file or a database.

`python -m bench.baseline.bare_reads URL LOG`: `/job/N`, `/jobs`, and `/log?start=…&size=…` from the file LOG.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
from aiohttp import web

from playcast.settings import file_of
from playcast.storage.database import dialect

JOB = """
SELECT id, recipe, status, failure_reason, exit_code, requested_by, created_at, started_at, ended_at, log_size,
line_count FROM provision_job
"""
JOBS = f"""
SELECT j.*, h.host, h.ok, h.changed, h.failed, s.name, s.host AS address
FROM ({JOB} ORDER BY id DESC LIMIT 50) j JOIN job_host h ON h.job_id = j.id LEFT JOIN server s ON s.id = h.server_id
ORDER BY j.id DESC
"""  # noqa: S608 (both parts are constants)
Ask = Callable[..., Awaitable[list[dict[str, Any]]]]
ASK: web.AppKey[Ask] = web.AppKey("ask")


async def job(request: web.Request) -> web.Response:
    """One job."""
    number = int(request.match_info["id"])
    mark = "?" if dialect(sys.argv[1]) == "sqlite" else "$1"
    found = await request.app[ASK](f"{JOB} WHERE id = {mark}", number)
    return web.json_response(found[0], dumps=_dumps)


async def jobs(request: web.Request) -> web.Response:
    """Fifty jobs with their hosts and servers."""
    return web.json_response(await request.app[ASK](JOBS), dumps=_dumps)


async def log(request: web.Request) -> web.Response:
    """A part of the file."""

    def read() -> bytes:
        with Path(sys.argv[2]).open("rb") as file:
            file.seek(int(request.query["start"]))
            return file.read(int(request.query["size"]))

    return web.Response(body=await asyncio.to_thread(read))


def _dumps(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


async def database(app: web.Application) -> AsyncIterator[None]:
    """One connection to the file, or a pool."""
    if dialect(sys.argv[1]) == "sqlite":
        async with aiosqlite.connect(file_of(sys.argv[1])) as connection:
            connection.row_factory = aiosqlite.Row

            async def ask(sql: str, *values: object) -> list[dict[str, Any]]:
                return [dict(row) for row in await connection.execute_fetchall(sql, values)]

            app[ASK] = ask
            yield
        return
    async with asyncpg.create_pool(sys.argv[1]) as pool:

        async def ask_pool(sql: str, *values: object) -> list[dict[str, Any]]:
            return [dict(row) for row in await pool.fetch(sql, *values)]

        app[ASK] = ask_pool
        yield


async def serve() -> None:
    """Serve until the process is told to stop."""
    app = web.Application()
    app.cleanup_ctx.append(database)
    app.add_routes([web.get("/job/{id}", job), web.get("/jobs", jobs), web.get("/log", log)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
