"""The callback plugins alone: what the real ansible-playbook writes into events.jsonl."""

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.events import Bench, Done

REFUSED = "ssh: connect to host 127.0.0.1 port {port}: Connection refused"
COMMON = {"seq", "at", "kind", "log_start", "log_offset", "progress"}
DETAILS = {
    "start": {"planned"},
    "play": {"play", "hosts"},
    "task": {"play", "task_id", "task", "action", "path"},
    "host": {"host", "task_id", "task", "status", "duration", "message", "result", "truncated"},
    "recap": {"hosts", "unserved", "unknown_tags"},
}

STATUSES = """
- name: Statuses
  hosts: all
  gather_facts: false
  tasks:
    - name: Reach
      ansible.builtin.ping:
    - name: Change
      ansible.builtin.command: echo out
      notify: Handle
    - name: Skip
      ansible.builtin.debug: {{msg: never}}
      when: false
    - name: Ignore
      ansible.builtin.shell: echo why >&2; exit 3
      ignore_errors: true
    - name: Away
      ansible.builtin.ping:
      ignore_unreachable: true
      vars: {{ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: {port}}}
    - name: Loop
      ansible.builtin.shell: echo no {{{{ item.n }}}} >&2; exit {{{{ item.n }}}}
      loop: [{{n: 0}}, {{n: 1}}, {{n: 2}}, {{n: 3}}, {{n: 4}}, {{n: 5}}]
      loop_control: {{label: "number {{{{ item.n }}}}"}}
      ignore_errors: true
    - ansible.builtin.import_role: {{name: probe}}
    - ansible.builtin.meta: flush_handlers
    - block:
        - name: Include
          ansible.builtin.include_tasks: included.yml
      rescue:
        - name: Crash
          crash:
        - name: Not reached
          ansible.builtin.debug: {{msg: never}}
      always:
        - block:
            - name: Again
              ansible.builtin.fail: {{msg: again}}
          rescue:
            - name: Calm
              ansible.builtin.debug: {{msg: calm}}
  handlers:
    - name: Handle
      ansible.builtin.debug: {{msg: [1, {{two: 2}}]}}
"""
INCLUDED = "- name: Included\n  ansible.builtin.command: 'false'\n"
ROLE = "- name: In a role\n  ansible.builtin.set_fact: {fact: 1}\n"
CRASH = "#!/usr/bin/python\nprint('half a line')\nraise RuntimeError('broken')\n"

ORDER = """
- name: Free
  hosts: all
  gather_facts: true
  gather_subset: ["!all", "!min"]
  strategy: free
  tasks:
    - ansible.builtin.debug: {msg: one}
    - name: Left out
      ansible.builtin.debug: {msg: two}
      tags: never
- name: Batches
  hosts: all
  gather_facts: false
  serial: 2
  tasks:
    - name: One
      ansible.builtin.debug: {msg: one}
    - block:
        - name: Two
          ansible.builtin.debug: {msg: two}
      rescue:
        - name: Not planned
          ansible.builtin.debug: {msg: three}
- name: Nowhere
  hosts: nowhere
  tasks:
    - ansible.builtin.debug: {msg: never}
"""


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of the loopback on which nobody listens, and nobody can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_each_status_and_each_kind(tmp_path: Path, ansible_dir: Path, closed_port: int) -> None:
    bench = Bench(tmp_path, ansible_dir)
    bench.hosts.append(f"srv-2 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port={closed_port}")
    bench.write("included.yml", INCLUDED)
    bench.write("library/crash.py", CRASH)
    bench.write("../roles/probe/tasks/main.yml", ROLE)

    done = bench.run(STATUSES.format(port=closed_port))

    assert done.code == 4
    assert [event["seq"] for event in done.events] == list(range(1, len(done.lines) + 1))
    assert {event["kind"]: set(event) - COMMON for event in done.events} == DETAILS
    # Whether ansible was already sending to ssh decides how it begins the message.
    refused = REFUSED.format(port=closed_port)
    away = [event["message"] for event in done.of("host") if event["task"] == "Away" or event["host"] == "srv-2"]
    assert [message[-len(refused) :] for message in away] == [refused, refused]
    said = "One or more items failed: number 1: {0}: no 1; number 2: {0}: no 2; number 3: {0}: no 3 (and 2 more)"
    # Its words differ between the versions of ansible.
    failed = done.hosts("Ignore")["srv-1"]["result"]["msg"].removesuffix(".")
    assert failed.endswith("non-zero return code")
    crashed = "Module result deserialization failed: No start of json char found: RuntimeError: broken"
    assert [
        (event["task"], event["status"], None if event["task"] == "Away" else event["message"])
        for event in done.of("host")
        if event["host"] == "srv-1"
    ] == [
        ("Reach", "OK", None),
        ("Change", "CHANGED", None),
        ("Skip", "SKIPPED", "Conditional result was False"),
        ("Ignore", "IGNORED", f"{failed}: why"),
        ("Away", "IGNORED", None),
        ("Loop", "IGNORED", said.format(failed)),
        ("probe : In a role", "OK", None),
        ("Handle", "OK", '[1, {"two": 2}]'),
        ("Include", "OK", None),
        ("Included", "RESCUED", f"{failed}: 1"),
        ("Crash", "FAILED", crashed),
        ("Again", "RESCUED", "again"),
        ("Calm", "OK", "calm"),
    ]
    reach = done.hosts("Reach")
    assert (reach["srv-1"]["status"], reach["srv-1"]["result"]) == ("OK", {"changed": False, "ping": "pong"})
    assert reach["srv-2"]["status"] == "UNREACHABLE"
    assert 0 < reach["srv-1"]["duration"] < 60
    check_recap(done)
    check_tasks(done)
    check_offsets(done)


def check_recap(done: Done) -> None:
    """The recap is what the events of the hosts add up to."""
    [recap] = done.of("recap")
    for host, counters in recap["hosts"].items():
        events = [event for event in done.of("host") if event["host"] == host]
        seen = Counter(event["status"] for event in events)
        assert counters == {
            "ok": seen["OK"] + seen["CHANGED"] + seen["IGNORED"],
            "changed": len([event for event in events if event["result"]["changed"] and event["status"] != "RESCUED"]),
            "failed": seen["FAILED"],
            "skipped": seen["SKIPPED"],
            "unreachable": seen["UNREACHABLE"],
            "rescued": seen["RESCUED"],
            "ignored": seen["IGNORED"],
        }


def check_tasks(done: Done) -> None:
    """Starts name what was written, where and when, and come before the results that bear their id."""
    assert all(re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", event["at"]) for event in done.events)
    [start], [play] = done.of("start"), done.of("play")
    assert start["planned"] == 9
    assert (play["play"], play["hosts"]) == ("Statuses", ["srv-1", "srv-2"])
    tasks = {event["task"]: event for event in done.of("task")}
    assert list(tasks) == list(dict.fromkeys(event["task"] for event in done.of("host")))
    assert {event["play"] for event in tasks.values()} == {"Statuses"}
    assert [(tasks[name]["action"], tasks[name]["path"]) for name in ("Reach", "Included", "probe : In a role")] == [
        ("ansible.builtin.ping", "playbooks/playbook.yml:6"),
        ("ansible.builtin.command", "playbooks/included.yml:1"),
        ("ansible.builtin.set_fact", "roles/probe/tasks/main.yml:1"),
    ]
    started = {}
    for event in done.events:
        if event["kind"] == "task":
            started[event["task_id"]] = event["task"]
        if event["kind"] == "host":
            assert started[event["task_id"]] == event["task"]


def check_offsets(done: Done) -> None:
    """The ranges of the log follow each other and hold what the events tell."""
    begin = 0
    for event in done.events:
        assert event["log_start"] == begin
        begin = event["log_offset"]
    assert begin == len(done.log)
    banner = {"Handle": "RUNNING HANDLER [Handle]"}
    for event in done.of("task"):
        assert banner.get(event["task"], f"TASK [{event['task']}]") in done.said(event)
    for task, line in {
        "Change": "changed: [srv-1]",
        "Ignore": "fatal: [srv-1]: FAILED! => ",
        "Loop": "failed: [srv-1] (item=number 5)",
        "Included": "fatal: [srv-1]: FAILED! => ",
        "Crash": "fatal: [srv-1]: FAILED! => ",
    }.items():
        assert line in done.said(done.hosts(task)["srv-1"])
    assert "PLAY RECAP" in done.said(done.events[-1])
    progress = [event["progress"] for event in done.events]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0.0, 1.0)
    assert 0.7 < progress[-2] <= 0.999


def test_free_strategy_and_batches(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.hosts += ["srv-2", "srv-3"]

    done = bench.run(ORDER)

    assert done.code == 0
    assert [(event["play"], event["hosts"]) for event in done.of("play")] == [
        ("Free", ["srv-1", "srv-2", "srv-3"]),
        ("Batches", ["srv-1", "srv-2"]),
        ("Batches", ["srv-3"]),
        ("Nowhere", []),
    ]
    assert [(event["play"], event["task"]) for event in done.of("task")] == [
        ("Free", "Gathering Facts"),
        ("Free", "ansible.builtin.debug"),
        ("Batches", "One"),
        ("Batches", "Two"),
        ("Batches", "One"),
        ("Batches", "Two"),
    ]
    assert Counter((event["task"], event["host"]) for event in done.of("host")) == Counter(
        (task, host)
        for task in ("Gathering Facts", "ansible.builtin.debug", "One", "Two")
        for host in ("srv-1", "srv-2", "srv-3")
    )
    [facts] = {json.dumps(event["result"]) for event in done.of("host") if event["task"] == "Gathering Facts"}
    assert json.loads(facts) == {"changed": False}
    # Two planned tasks in each of the first two plays, two more (with facts) in the one that finds no host.
    assert done.of("start")[0]["planned"] == 6
    assert [event["progress"] for event in done.of("play")] == [0.0, 0.333, 0.556, 0.667]
    progress = [event["progress"] for event in done.events]
    assert progress == sorted(progress)


def test_only_tasks_with_the_tags_of_the_job_are_planned(tmp_path: Path) -> None:
    done = Bench(tmp_path).run(ORDER, "--tags", "never", "--limit", "srv-1")

    assert done.code == 0
    assert [event["task"] for event in done.of("task")] == ["Gathering Facts", "Left out"]
    assert done.of("start")[0]["planned"] == 3
    assert done.events[-1]["progress"] == 1.0
