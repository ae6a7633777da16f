"""What the events plugin costs: ansible-playbook that writes events against the same without, interleaved."""

import tempfile
from pathlib import Path

from bench.baseline.bare import run
from bench.rig.server import ROOT
from bench.rig.table import spread

ROUNDS = 7
HOSTS = (1, 10)
PLUGIN = {
    "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "runner" / "programs" / "plugins" / "callback"),
    "ANSIBLE_CALLBACKS_ENABLED": "playcast_events",
}
TASKS = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: Debug 1, ansible.builtin.debug: {msg: "{{ inventory_hostname }}"}}
    - {name: Set 1, ansible.builtin.set_fact: {number: 1}}
    - {name: Command 1, ansible.builtin.command: echo one, changed_when: true}
    - {name: Debug 2, ansible.builtin.debug: {msg: "{{ range(20) | list }}"}}
    - {name: Skip, ansible.builtin.debug: {msg: never}, when: false}
    - {name: Command 2, ansible.builtin.command: echo two, changed_when: false}
    - {name: Assert, ansible.builtin.assert: {that: number == 1}}
    - {name: Loop, ansible.builtin.debug: {msg: "{{ item }}"}, loop: [1, 2, 3]}
"""


def rows() -> list[tuple[str, str]]:
    """Each row of the table: what, and its figure."""
    found = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for hosts in HOSTS:
            cpus, walls = measured(folder, hosts, ROUNDS)
            what = f"CPU of ansible-playbook that writes events, 8 tasks on {hosts} local, against none"
            found += [(what, spread(cpus)), ("  the same, wall", spread(walls))]
    return found


def measured(folder: Path, hosts: int, rounds: int) -> tuple[list[float], list[float]]:
    """The ratios of CPU, and of wall time, of each round."""
    playbook, events = folder / "tasks.yml", folder / "events.jsonl"
    playbook.write_text(TASKS)
    run(folder, playbook, hosts)
    cpus, walls = [], []
    for number in range(rounds):
        events.unlink(missing_ok=True)
        # By turns first and second: whatever gets slower meanwhile is none of the plugin's doing.
        variants: list[dict[str, str]] = [{}, {**PLUGIN, "PLAYCAST_EVENTS": str(events)}]
        spent = [run(folder, playbook, hosts, **extra) for extra in (variants if number % 2 else variants[::-1])]
        plain, writing = spent if number % 2 else spent[::-1]
        assert events.read_bytes().count(b'"kind":"host"') == 8 * hosts
        cpus.append(writing[0] / plain[0])
        walls.append(writing[1] / plain[1])
    return cpus, walls
