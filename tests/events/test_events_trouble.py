"""The callback plugins in trouble: secrets, results without end, a full disk. Nothing of it fails a job."""

import json
from pathlib import Path

import pytest

from tests.support.events import Bench

MIB = 1 << 20
HIDDEN = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"

SECRETS = """
- name: With hunter22
  hosts: all
  gather_facts: false
  vars: {hide: true, unseen: topsecret}
  tasks:
    - name: Show hunter22
      ansible.builtin.command: echo hunter22
    - name: Odd
      odd:
    - name: Hidden
      ansible.builtin.shell: "echo {{ unseen }}; exit 1"
      no_log: true
      ignore_errors: true
    - name: Hidden loop
      ansible.builtin.shell: "echo {{ item }} >&2; exit 1"
      loop: ["{{ unseen }}", "{{ unseen }}2"]
      no_log: "{{ hide }}"
      ignore_errors: true
    - name: Hidden item
      ansible.builtin.shell: "echo topsecret >&2; exit 1"
      loop: [1, 2]
      no_log: "{{ item == 1 }}"
      ignore_errors: true
    - name: Hidden mistake
      ansible.builtin.debug: {msg: "{{ unseen + missing }}"}
      no_log: "{{ missing }}"
      ignore_errors: true
    - name: Hidden success
      ansible.builtin.command: "echo {{ unseen }}"
      no_log: true
    - name: explode
      ansible.builtin.debug: {msg: hunter22}
    - name: Long
      ansible.builtin.command: python3 -c 'print("x" * 1997 + "hunter22\\n" + "y\\n" * 1500000)'
    - name: Many
      many:
    - name: Fail
      ansible.builtin.fail: {msg: "{{ 'a' * 1997 }}hunter22"}
"""
ODD = r"""#!/usr/bin/python
print('''{"changed": false, "key hunter22": ["hunter22", {"_ansible_x": 1, "deep": "a\\u0000b\\udc80\\u20ac"}],
"nan": NaN, "inf": -Infinity, "float": 0.5, "long": 12345678901234567890, "none": null, "results": [1],
"ansible_facts": {"a": 1}, "invocation": {"b": 1}, "exception": "c", "diff": {"before": "", "after": "d"},
"stderr_lines": ["kept, as there is no stderr"]}''')
"""
MANY = '#!/usr/bin/python\nprint(\'{"changed": true, "many": %s}\' % list(range(40000)))\n'
MASK = """
import runpy, sys, types
def mask(text):
    if text == "explode":
        raise ValueError(text)
    return text.replace("hunter22", "********").replace("srv-1", "********")
sys.modules["playcast_programs.masking"] = types.SimpleNamespace(mask=mask)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

FULL_DISK = """
- name: Full
  hosts: all
  gather_facts: false
  tasks:
    - name: Lost
      ansible.builtin.debug: {msg: lost}
    - name: room
      ansible.builtin.debug: {msg: kept}
"""
LIMIT = """
import resource, runpy, sys, types
def mask(text):
    if text == "room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return text
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), hard))
sys.modules["playcast_programs.masking"] = types.SimpleNamespace(mask=mask)
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_secrets_are_masked_and_results_stay_small(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.start_by(MASK)
    bench.write("library/odd.py", ODD)
    bench.write("library/many.py", MANY)

    done = bench.run(SECRETS, ANSIBLE_MODULE_STRICT_UTF8_RESPONSE="false")

    assert done.code == 2
    text = b"\n".join(done.lines)
    assert b"hunter22" not in text
    assert b"topsecret" not in text
    assert (done.of("play")[0]["play"], done.of("play")[0]["hosts"]) == ("With ********", ["srv-1"])
    assert {event["host"] for event in done.of("host")} == set(done.events[-1]["hosts"]) == {"srv-1"}
    results = {event["task"]: event for event in done.of("host")}
    shown = results["Show ********"]
    assert (shown["result"]["stdout"], shown["result"]["cmd"]) == ("********", ["echo", "********"])
    assert not {"stdout_lines", "stderr_lines", "invocation"} & set(shown["result"])
    assert results["Odd"]["result"] == {
        "changed": False,
        "key ********": ["********", {"deep": "a\ufffdb?€"}],
        "nan": None,
        "inf": None,
        "float": 0.5,
        "long": 12345678901234567890,
        "none": None,
        "diff": {"before": "", "after": "d"},
        "stderr_lines": ["kept, as there is no stderr"],
    }
    hidden = {
        name: (event["status"], event["message"], event["result"], event["truncated"])
        for name, event in results.items()
        if name.startswith("Hidden")
    }
    assert hidden == {
        "Hidden": ("IGNORED", HIDDEN, {"censored": HIDDEN, "changed": True}, False),
        "Hidden loop": ("IGNORED", HIDDEN, {"censored": HIDDEN, "changed": True}, False),
        "Hidden item": ("IGNORED", HIDDEN, {"censored": HIDDEN, "changed": True}, False),
        "Hidden mistake": ("IGNORED", HIDDEN, {"censored": HIDDEN, "changed": False}, False),
        "Hidden success": ("CHANGED", HIDDEN, {"censored": HIDDEN, "changed": True}, False),
    }
    assert results["Long"]["truncated"]
    assert results["Long"]["result"]["stdout"] == "x" * 1997 + "***" + "… (3000005 more characters)"
    assert (results["Many"]["status"], results["Many"]["result"], results["Many"]["truncated"]) == (
        "CHANGED",
        None,
        True,
    )
    assert results["Fail"]["message"] == "a" * 1997 + "**…"
    assert "explode" not in {event.get("task") for event in done.events}
    assert done.log.count(b"An event was not written") == 1
    assert b"ValueError" in done.log
    assert max(map(len, done.lines)) < 70_000


@pytest.mark.parametrize("events", [Path("/dev/full"), None], ids=["full", "none"])
def test_a_job_goes_on_without_its_events(tmp_path: Path, events: Path | None) -> None:
    bench = Bench(tmp_path)
    bench.events = events

    done = bench.run(FULL_DISK)

    assert done.code == 0
    assert b"failed=0" in done.log
    warning = b"An event was not written to /dev/full: [Errno 28] No space left on device"
    assert done.log.count(warning) == (1 if events else 0)
    assert done.log.count(b"WARNING") == (1 if events else 0)


def test_a_torn_line_stays_alone_and_a_large_file_takes_no_results(tmp_path: Path) -> None:
    """The size of files is limited instead of the disk, until the task "room" starts."""
    bench = Bench(tmp_path)
    bench.start_by(LIMIT, str(64 * MIB + 400))
    with (tmp_path / "events.jsonl").open("wb") as file:
        file.truncate(64 * MIB)

    done = bench.run(FULL_DISK)

    assert done.code == 0
    kinds = []
    for line in done.lines:
        try:
            kinds.append(json.loads(line)["kind"])
        except ValueError:
            kinds.append("torn")
    assert kinds == ["start", "play", "torn", "task", "host", "recap"]
    kept, recap = json.loads(done.lines[-2]), json.loads(done.lines[-1])
    assert (kept["task"], kept["status"], kept["message"]) == ("room", "OK", "kept")
    assert (kept["result"], kept["truncated"]) == (None, True)
    assert (recap["seq"], recap["hosts"]["srv-1"]["ok"]) == (7, 2)
    assert done.log.count(b"An event was not written") == 1
