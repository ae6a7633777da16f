"""A cheap program in the place of ansible-playbook: it marks in a file per server when it begins and ends there."""

import sys
from pathlib import Path

_PROGRAM = """#!{python}
import json, os, random, re, time
from pathlib import Path

job = Path.cwd().name
hosts = sorted(set(re.findall(r"^srv-\\d+", Path("hosts.ini").read_text(), re.MULTILINE)))


def mark(word):
    for host in hosts:
        with open("{marks}/" + host, "a") as file:
            file.write(f"{{word}} {{job}} {{time.monotonic_ns()}}\\n")


mark("start")
time.sleep(random.random() * {seconds})
mark("end")
counts = dict.fromkeys(("ok", "changed", "failed", "skipped", "unreachable", "rescued", "ignored"), 0)
event = {{"kind": "recap", "at": "2026-01-01T00:00:00Z", "log_offset": 0, "hosts": dict.fromkeys(hosts, counts)}}
Path("events.jsonl").write_text(json.dumps(event) + "\\n")
"""


def make_program(folder: Path, marks: Path, seconds: float) -> str:
    """The path of a program that is on its servers for up to `seconds`, and leaves a recap without failures."""
    program = folder / "ansible-playbook"
    program.write_text(_PROGRAM.format(python=sys.executable, marks=marks, seconds=seconds))
    program.chmod(0o755)
    return str(program)
