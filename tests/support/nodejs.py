"""Node, and the packages that client programs of tests need, installed once for each lock file."""

import asyncio
import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.serving import CHECKOUT
from web.build import NO_NODE, Node, find_node

PROGRAMS = Path(__file__).parent / "node"
ROOM = CHECKOUT / ".cache" / "node"


def require_node() -> Node:
    """A Node; without one the test is skipped, or fails in continuous integration."""
    found = find_node()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(NO_NODE)
        pytest.skip(NO_NODE)
    return found


def prepare(node: Node) -> Path:
    """The folder with the packages, below which programs find them."""
    lock = (PROGRAMS / "package-lock.json").read_bytes()
    done = ROOM / "node_modules" / ".installed"
    ROOM.mkdir(parents=True, exist_ok=True)
    (ROOM.parent / ".gitignore").write_text("*\n")
    with (ROOM / ".lock").open("w") as alone:
        # Tests run several at a time.
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not done.exists() or done.read_bytes() != lock:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copyfile(PROGRAMS / name, ROOM / name)
            command = [*node.npm, "ci", "--ignore-scripts"]
            subprocess.run(command, cwd=ROOM, env=node.environment, check=True, capture_output=True, timeout=180)
            done.write_bytes(lock)
    return ROOM


async def run(program: str, *words: str, given: bytes = b"", said: str = "") -> bytes:
    """What a program of tests/node prints; it must end well, and say this on its standard error."""
    node = require_node()
    folder = await asyncio.to_thread(prepare, node)
    await asyncio.to_thread(shutil.copyfile, PROGRAMS / program, folder / program)
    process = await asyncio.create_subprocess_exec(
        *(node.node, program, *words),
        cwd=folder,
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(given), 200)
    assert (process.returncode, errors.decode()) == (0, said)
    return out
