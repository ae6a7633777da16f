"""The client library that most browsers use reads a whole log, however often its connection breaks."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.support.api import Api
from tests.support.nodejs import run

CUTS = 6

STEPS = "- hosts: all\n  gather_facts: false\n  tasks:\n" + "".join(
    f"    - ansible.builtin.debug:\n        msg: Grüße {step}, 世界 😀\n" for step in range(30)
)


async def test_a_graphql_ws_client_reads_every_byte_once(
    api: Api, add_recipe: Callable[[str, str], None], data_dir: Path
) -> None:
    add_recipe("steps", STEPS)
    job = await api.run("steps", await api.create_server())
    url = api.client.make_url("/graphql").with_scheme("ws")

    out = await run("client.mjs", str(url), job["id"], str(CUTS), said=f"{CUTS + 1} connections\n")

    assert out == await asyncio.to_thread((data_dir / job["logPath"]).read_bytes)
    assert "Grüße 29, 世界 😀" in out.decode()
    assert (await api.job(job["id"]))["status"] == "SUCCESS"
