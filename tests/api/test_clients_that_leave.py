"""Clients that leave before their query is answered: that is no news for whoever reads the server's log."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

from tests.support.api import Api
from tests.support.serving import serving

MUCH = "{ servers(first: 50) { nodes { name lockedBy { number } lastJob { number hosts { name server { name } } } } } }"
AT_ONCE = 10
ROUNDS = 60


async def leave(api: Api, seconds: float) -> bool:
    """Ask for much and wait only so long; whether the client left before it was answered."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), api.client.post("/graphql", json={"query": MUCH}) as response:
            await response.read()
            return False
    return True


async def test_they_leave_no_word_in_the_log(data_dir: Path, ansible_dir: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with serving(data_dir, ansible_dir, log=log) as server:
        for number in range(20):
            await server.api.create_server(name=f"s{number}")
        assert (await server.api.ask(MUCH))["servers"]["nodes"]
        moments = random.Random(1)  # noqa: S311 (moments to leave at)
        left = 0
        for _ in range(ROUNDS):
            left += sum(
                await asyncio.gather(*(leave(server.api, moments.uniform(0.001, 0.06)) for _ in range(AT_ONCE)))
            )
    assert left > AT_ONCE
    assert "never awaited" not in log.read_text()
