"""Floods: a hundred thousand lines, a line of 30 MB, and a watcher that stops reading while 100 MB are written."""

import asyncio
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models import LogChunk
from models.chunk import MAX_BYTES
from runner.jobs import launch
from tests.support.api import LOG, Api
from tests.support.serving import Served, serving

AddRecipe = Callable[[str, str], None]
MB = 1024 * 1024
LINES = 100_000

DEBUG = f"""
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{{{ range({LINES}) | map('string') | map('regex_replace', '^', 'line ') | list }}}}"
"""

# Ansible needs a minute and a gigabyte to print what these tests need. The supervisor runs any program, so a small
# one stands in for ansible-playbook here; everything that handles its output is the real thing.
PRINTER = f"""#!{sys.executable}
import json, os, sys, time
%s
sys.stdout.flush()
with open("events.jsonl", "w") as events:
    json.dump({{"kind": "recap", "hosts": {{"srv-1": {{"ok": 1}}}}}}, events)
"""
ONE_LINE = """
for number in range(30):
    sys.stdout.write("é" * (512 * 1024))
sys.stdout.write("\\n")
"""
MANY_LINES = """
print("ready", flush=True)
while not os.path.exists({go!r}):
    time.sleep(0.01)
for number in range(1000):
    sys.stdout.write(f"{{number:06d}} {{'x' * 92}}\\n" * 1024)
"""

# A server that takes the printer for ansible-playbook.
DRIVER = """
import runner.jobs.launch
runner.jobs.launch.find_ansible_playbook = lambda: {printer!r}
from playcast.commands.cli import main
main()
"""


def write_printer(tmp_path: Path, body: str) -> str:
    program = tmp_path / "printer"
    program.write_text(PRINTER % body)
    program.chmod(0o755)
    return str(program)


async def test_every_line_of_a_flood_arrives_once(api: Api, add_recipe: AddRecipe, data_dir: Path) -> None:
    add_recipe("flood", DEBUG)
    job = await api.run("flood", await api.create_server())

    chunks = [chunk async for chunk in api.log(job["id"])]

    assert (await api.job(job["id"]))["status"] == "SUCCESS"
    text = "".join(chunk["text"] for chunk in chunks)
    assert text.encode() == await asyncio.to_thread((data_dir / job["logPath"]).read_bytes)
    found = [line.strip(' ",') for line in text.splitlines() if line.startswith('        "line ')]
    assert found == [f"line {number}" for number in range(LINES)]
    line = 1
    for chunk in chunks:
        assert len(chunk["text"].encode()) <= MAX_BYTES
        assert chunk["firstLine"] == line
        line += chunk["text"].count("\n")
    assert await LogChunk.all().count() * 20 < LINES


async def test_a_line_without_end_arrives_whole(
    api: Api, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printer = write_printer(tmp_path, ONE_LINE)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: printer)
    job = await api.run("base", await api.create_server())

    digest, size = hashlib.sha256(), 0
    async for chunk in api.log(job["id"]):
        data = chunk["text"].encode()
        assert (len(data) <= MAX_BYTES, chunk["firstLine"]) == (True, 1 if size <= 30 * MB else 2)
        size += len(data)
        digest.update(data)

    whole = await asyncio.to_thread((data_dir / job["logPath"]).read_bytes)
    assert (size, len(whole)) == (30 * MB + 1, 30 * MB + 1)
    assert digest.digest() == hashlib.sha256(whole).digest()
    ended = await api.job(job["id"])
    assert (ended["status"], ended["logSize"], ended["lineCount"]) == ("SUCCESS", 30 * MB + 1, 1)


@pytest.mark.alone("measures the memory of a server under full load")
async def test_a_watcher_that_stops_reading_costs_nothing(data_dir: Path, ansible_dir: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    driver = DRIVER.format(printer=write_printer(tmp_path, MANY_LINES.format(go=str(go))))
    async with serving(data_dir, ansible_dir, program=[sys.executable, "-c", driver], launcher="cold") as server:
        job = await server.api.run("base", await server.api.create_server())
        async with server.api.subscribe(LOG, id=job["id"], after=None) as stalled:
            first = (await anext(stalled))["jobLog"]["text"]
            before = memory(server, "VmRSS")
            go.touch()
            watched = hashlib.sha256()
            async for chunk in server.api.log(job["id"]):
                watched.update(chunk["text"].encode())
            grown = memory(server, "VmHWM") - before
            late = hashlib.sha256(first.encode())
            async for answer in stalled:
                late.update(answer["jobLog"]["text"].encode())

        ended = await server.api.job(job["id"])
    content = await asyncio.to_thread((data_dir / job["logPath"]).read_bytes)
    assert (ended["status"], ended["logSize"]) == ("SUCCESS", len(content))
    assert len(content) > 100_000_000
    assert grown < 120 * MB
    assert watched.digest() == hashlib.sha256(content).digest()
    assert late.digest() == watched.digest()


def memory(server: Served, name: str) -> int:
    """Bytes of the server's memory: now (VmRSS), or at most so far (VmHWM)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
