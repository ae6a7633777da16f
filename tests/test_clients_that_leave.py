"""Clients that hang up in the middle of a call: the server works on for everybody else."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.serving import serving

# The server as it is; only the beginning of each transaction takes long, as it does when the database is busy.
DRIVER = """
import asyncio
from tortoise.backends.sqlite.client import SqliteTransactionWrapper
begin = SqliteTransactionWrapper.begin
async def late(self):
    await asyncio.sleep(1.5)
    await begin(self)
SqliteTransactionWrapper.begin = late
from playcast.cli import main
main()
"""


async def test_a_client_that_hangs_up_does_not_keep_the_database(data_dir: Path, ansible_dir: Path) -> None:
    async with serving(data_dir, ansible_dir, program=[sys.executable, "-c", DRIVER]) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await server.api.create_server(name="gone")

        try:
            async with asyncio.timeout(120):
                names = (await server.api.ask("{ servers { nodes { name } } }"))["servers"]["nodes"]
                await server.api.create_server(name="here")
        finally:
            # It may not end by itself.
            await server.kill()
    assert names == []
