"""A job that was forked from the launcher prints, tells and ends as one that was started by a command of its own."""

import json
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.connection import local

from runner.job_dir import JobDir
from tests.conftest import StartApp
from tests.support.launchers import starter_of, until

AddRecipe = Callable[[str, str], None]

MANY = """
- name: First
  hosts: all
  vars:
    fruit: {apple: 1, pear: 2}
    taste: sweet
  roles: [shown]
  pre_tasks:
    - ansible.builtin.set_fact:
        given: "{{ server_name }}"
        cacheable: false
  tasks:
    - name: Loop
      ansible.builtin.debug:
        msg: "{{ item.key }} {{ item.value }}"
      loop: "{{ fruit | dict2items }}"
      loop_control: {label: "{{ item.key }}"}
    - name: Wait for the third try
      ansible.builtin.shell: echo x >> $TMPDIR/tries; test $(wc -l < $TMPDIR/tries) = 3
      register: tried
      retries: 5
      delay: 0
      until: tried is succeeded
    - name: Fail and be ignored
      ansible.builtin.command: sh -c "echo out; echo err >&2; exit 3"
      ignore_errors: true
    - name: Fail for one item
      ansible.builtin.command: "{{ item }}"
      loop: ["true", "false"]
      ignore_errors: true
    - name: Be rescued
      block:
        - ansible.builtin.fail: {msg: to be rescued}
      rescue:
        - ansible.builtin.debug: {var: ansible_failed_result.msg}
      always:
        - ansible.builtin.debug: {msg: always}
    - name: Skip
      ansible.builtin.debug: {msg: never}
      when: false
    - ansible.builtin.include_tasks: {file: included.yml}
      loop: [1, 2]
    - name: Warn from a module
      warns: {}
      notify: Told
    - name: Plugins of our own
      ansible.builtin.debug: {msg: "{{ lookup('pipe', 'echo piped') }} {{ 'x' | ours }}"}
    - name: A collection with routes of its own
      ansible.builtin.debug: {msg: "{{ 'x' | our.own.old }}"}
    - name: A route of ansible's own, to what is not installed
      ansible.builtin.debug: {msg: "{{ 'x' | ipaddr }}"}
      ignore_errors: true
    - debug: {msg: x}
    - name: Take time
      ansible.builtin.command: "true"
      async: 60
      poll: 1
      changed_when: false
    - name: Elsewhere
      ansible.builtin.command: echo elsewhere
      delegate_to: localhost
      run_once: true
    - ansible.builtin.group_by: {key: "os_{{ ansible_facts.system }}"}
    - name: Ask
      ansible.builtin.pause: {prompt: Nobody answers}
    - name: Say what it is
      ansible.builtin.debug:
        msg:
          config: "{{ lookup('config', 'DEFAULT_FORKS', 'DEFAULT_LOCAL_TMP', 'ANSIBLE_HOME', 'COLOR_OK') }}"
          env: "{{ query('env', 'HOME', 'PATH', 'LANG', 'TMPDIR', 'PYTHONUNBUFFERED', 'PLAYCAST_JOB') }}"
          umask: "{{ lookup('pipe', 'umask') }}"
          signals: "{{ 'x' | signals }} {{ lookup('pipe', 'grep ^Sig[BIC] /proc/self/status') }}"
          magic: "{{ [ansible_version.full, ansible_playbook_python, ansible_forks, ansible_verbosity] }}"
  handlers:
    - name: Told
      ansible.builtin.debug: {msg: handled}
- name: Freely
  hosts: os_Linux
  strategy: ansible.builtin.free
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "ünïcode \U0001f600 {{ given }}"}
    - name: Fail in the end
      ansible.builtin.assert: {that: "1 == 2", fail_msg: it is not}
"""
FILES = {
    "playbooks/included.yml": "- ansible.builtin.debug: {msg: 'included {{ item }}'}\n",
    "playbooks/library/warns.py": "from ansible.module_utils.basic import AnsibleModule\n"
    "module = AnsibleModule({})\nmodule.warn('a module warns')\nmodule.exit_json(changed=True)\n",
    "playbooks/filter_plugins/ours.py": "class FilterModule:\n    def filters(self):\n"
    # What a process asks another to read of it may be from the moment in which it starts that other.
    "        own = lambda _: [line for line in open('/proc/self/status') if line[:4] in ('SigB', 'SigI', 'SigC')]\n"
    "        return {'ours': lambda text: f'ours({text})', 'signals': own}\n",
    "playbooks/collections/ansible_collections/our/own/meta/runtime.yml": "plugin_routing: "
    "{filter: {old: {redirect: our.own.new}}}\n",
    "playbooks/collections/ansible_collections/our/own/plugins/filter/new.py": "class FilterModule:\n"
    "    def filters(self):\n        return {'new': lambda text: f'routed({text})'}\n",
    "playbooks/action_plugins/debug.py": "from ansible.plugins.action import ActionBase\n"
    "class ActionModule(ActionBase):\n    def run(self, tmp=None, task_vars=None):\n"
    "        return {**super().run(tmp, task_vars), 'msg': 'not the known debug'}\n",
    "playbooks/connection_plugins/local.py": Path(local.__file__)
    .read_text()
    .replace("    options:\n", "    options:\n        taste: {description: x, default: y, vars: [{name: taste}]}\n", 1)
    .replace(
        "    if not self._conn", "    display.vv('taste ' + self.get_option('taste'))\n        if not self._conn", 1
    ),
    "roles/shown/tasks/main.yml": "- ansible.builtin.template: {src: it.j2, dest: '{{ ansible_env.TMPDIR }}/it'}\n"
    "- ansible.builtin.command: cat {{ ansible_env.TMPDIR }}/it\n  changed_when: false\n",
    "roles/shown/templates/it.j2": "{{ given }} {% for name in fruit %}{{ name }};{% endfor %}\n",
    "roles/shown/defaults/main.yml": "fruit: {}\n",
    "recipes/many.yml": "prompts: default\n",
}
# What differs between any two runs of one playbook.
VARIES = [
    (r"/[^\s\"]*/(?:cold|warm)/jobs/1\b", "JOB"),
    (r"/tmp/pc-\w{8}", "SCRATCH"),  # noqa: S108 (where jobs keep what is temporary)
    (r"ansible-(tmp|local)-[\w.-]+", "TEMPORARY"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "TIME"),
    (r"\d:\d\d:\d\d\.\d+", "DELTA"),
    (r"j\d+\.\d+", "JID"),
    (r"^ASYNC POLL .*\n", ""),
]


def plain(text: str) -> str:
    for pattern, name in VARIES:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text


def events(job_dir: JobDir) -> list[dict[str, Any]]:
    """Each event, with the log that belongs to it in the place of the offsets, and ids numbered as they come."""
    log = job_dir.log.read_bytes()
    ids: dict[str, int] = {}
    told = []
    for line in job_dir.events.read_text().splitlines():
        event = json.loads(line)
        event["log"] = plain(log[event.pop("log_start") : event.pop("log_offset")].decode())
        if "task_id" in event:
            event["task_id"] = ids.setdefault(event["task_id"], len(ids))
        del event["at"]
        event.pop("duration", None)
        told.append(json.loads(plain(json.dumps(event))))
    return told


def end(job_dir: JobDir) -> tuple[str, int, str | None]:
    record = job_dir.read_json(job_dir.exit)
    assert record is not None
    return record["reason"], record["code"], record["message"]


async def test_everything_is_the_same(
    start_app: StartApp, ansible_dir: Path, add_recipe: AddRecipe, tmp_path: Path
) -> None:
    add_recipe("many", MANY)
    for name, content in FILES.items():
        (ansible_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (ansible_dir / name).write_text(content)
    before = sorted(ansible_dir.rglob("*"))
    dirs = {}
    for launcher in ("cold", "warm"):
        api = await start_app(data_dir=tmp_path / launcher, launcher=launcher)
        job = await api.run("many", await api.create_server())
        assert (await api.finished(job["id"]))["failureReason"] == "PLAYBOOK_FAILED"
        dirs[launcher] = JobDir(tmp_path / launcher / "jobs", 1)
        await api.client.close()
    assert (starter_of(api).warm, starter_of(api).cold) == (1, 0)
    cold, warm = (plain(dirs[launcher].log.read_text()) for launcher in ("cold", "warm"))
    assert warm.splitlines() == cold.splitlines()
    said = (
        "a module warns",
        "ours(x)",
        "routed(x)",
        "not the known debug",
        "taste sweet",
        "\U0001f600 here",
        "stdin is not",
    )
    for words in said:
        assert words in warm
    assert events(dirs["warm"]) == events(dirs["cold"])
    assert end(dirs["warm"]) == end(dirs["cold"]) == ("exited", 2, None)
    cold_files, warm_files = ({path.name for path in dirs[name].path.iterdir()} for name in ("cold", "warm"))
    assert warm_files == cold_files
    # Neither leaves bytecode beside the playbooks.
    assert sorted(ansible_dir.rglob("*")) == before


WAITS = """
- hosts: all
  gather_facts: false
  tasks: [{ansible.builtin.shell: "touch $TMPDIR/waits; sleep 300"}]
"""
ENDS = {
    "fails": ("- hosts: all\n  tasks: [{ansible.builtin.fail: {}}]\n", 2),
    "broken": ("- hosts: all\n  tasks: [{no_such_module_anywhere: {}}]\n", 4),
    "torn": ("- hosts: [\n", 4),
}
SIGNALS = {signal.SIGINT: 99, signal.SIGTERM: -signal.SIGTERM, signal.SIGKILL: -signal.SIGKILL}


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_exit_codes(start_app: StartApp, add_recipe: AddRecipe, data_dir: Path, launcher: str) -> None:
    for name, (playbook, _) in {**ENDS, "waits": (WAITS, None)}.items():
        add_recipe(name, playbook)
    api = await start_app(launcher=launcher, slots=9)
    expected = {}
    for name, code in [("base", 0), *((name, code) for name, (_, code) in ENDS.items())]:
        expected[(await api.run(name, await api.create_server(name=name)))["number"]] = code
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = {"name": "away", "host": "127.0.0.1", "port": nobody.getsockname()[1], "credential": {"password": "x"}}
        expected[(await api.run("base", await api.create_server(**away)))["number"]] = 4
        for number, code in SIGNALS.items():
            job = await api.run("waits", await api.create_server(name=number.name))
            expected[job["number"]] = code
            job_dir = JobDir(data_dir / "jobs", job["number"])
            await until(job_dir.run.exists)
            run, spec = job_dir.read_json(job_dir.run), job_dir.read_json(job_dir.spec)
            assert run is not None
            assert spec is not None
            await until((Path(spec["scratch"]) / "waits").exists)
            os.kill(run["ansible"]["pid"], number)
        for job_number in expected:
            await api.finished(str(job_number))
    ends = {number: end(JobDir(data_dir / "jobs", number)) for number in expected}
    assert ends == {number: ("exited", code, None) for number, code in expected.items()}
    if launcher == "warm":
        assert (starter_of(api).warm, starter_of(api).cold) == (len(expected), 0)
