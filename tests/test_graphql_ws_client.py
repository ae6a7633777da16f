"""The client library that most browsers use reads a whole log, however often its connection breaks."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api import Api
from tests.serving import CHECKOUT
from web.build import NO_NODE, Node, find_node

CLIENT = Path(__file__).parent / "node"
FILES = ("package.json", "package-lock.json", ".npmrc", "client.mjs")
CUTS = 6

STEPS = "- hosts: all\n  gather_facts: false\n  tasks:\n" + "".join(
    f"    - ansible.builtin.debug:\n        msg: Grüße {step}, 世界 😀\n" for step in range(30)
)


def prepare(folder: Path, node: Node) -> None:
    """Install the client's packages; done once for each lock file."""
    lock = (CLIENT / "package-lock.json").read_bytes()
    done = folder / "node_modules" / ".installed"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / ".gitignore").write_text("*\n")
    for name in FILES:
        shutil.copyfile(CLIENT / name, folder / name)
    if not done.exists() or done.read_bytes() != lock:
        command = [*node.npm, "ci", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, env=node.environment, check=True, capture_output=True, timeout=90)
        done.write_bytes(lock)


@pytest.fixture
def node() -> Node:
    """A Node that runs the client."""
    found = find_node()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(NO_NODE)
        pytest.skip(NO_NODE)
    return found


async def test_a_graphql_ws_client_reads_every_byte_once(
    api: Api, add_recipe: Callable[[str, str], None], data_dir: Path, node: Node
) -> None:
    folder = CHECKOUT / ".cache" / "node"
    await asyncio.to_thread(prepare, folder, node)
    add_recipe("steps", STEPS)
    job = await api.run("steps", await api.create_server())
    url = api.client.make_url("/graphql").with_scheme("ws")

    client = await asyncio.create_subprocess_exec(
        *(node.node, "client.mjs"),
        *(str(url), job["id"], str(CUTS)),
        cwd=folder,
        env={},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, said = await asyncio.wait_for(client.communicate(), 60)

    assert (client.returncode, said.decode()) == (0, f"{CUTS + 1} connections\n")
    assert out == await asyncio.to_thread((data_dir / job["logPath"]).read_bytes)
    assert "Grüße 29, 世界 😀" in out.decode()
    assert (await api.job(job["id"]))["status"] == "SUCCESS"
