"""A repository that knows nothing of Playcast runs as it does by hand, and what its tasks start does so too."""

import json
import re
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from runner.job_dir import JobDir
from tests.support.api import Api
from tests.support.launchers import starter_of

StartApp = Callable[..., Awaitable[Api]]

CONFIGS = {
    "none": None,
    "empty": "",
    "callbacks of its own": "[defaults]\ncallbacks_enabled = ansible.builtin.junit, told\ncallback_plugins = plugins\n",
    "no callbacks": "[defaults]\ncallback_plugins = /nowhere\n",
    "another look": "[defaults]\nstdout_callback = minimal\n",
    "nothing of ours": "[defaults]\nbin_ansible_callbacks = false\ninventory = hosts\nretry_files_enabled = true\n",
    "other inventories": "[inventory]\nenable_plugins = host_list, script\n",
}
TELLS = '''
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    """Says that it was there."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "told"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats):
        self._display.display("told by a callback of its own")
'''
PLAYBOOK = """
- hosts: all
  tasks:
    - {name: Ping, ansible.builtin.ping: }
"""
NESTED = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Nested
      ansible.builtin.debug: {{msg: "{{{{ lookup('config', 'ANSIBLE_HOME') }}}} is its home"}}
"""
STARTS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: As a task
      ansible.builtin.command: ansible-playbook -i /no/such/inventory {nested}
    - name: In a template
      ansible.builtin.debug:
        msg: "{{{{ lookup('pipe', 'ansible-playbook -i /no/such/inventory {nested}') }}}}"
    - name: What it starts with
      ansible.builtin.command: env
      register: started
    - ansible.builtin.debug:
        msg: "{{{{ started.stdout_lines | select('match', 'ANSIBLE_|PLAYCAST_') | map('split', '=') | map('first') }}}}"
"""
FILES = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {{content: x, dest: "{folder}/copied"}}
    - ansible.builtin.file: {{path: "{folder}/made", state: directory}}
    - ansible.builtin.shell: echo x >{folder}/shelled
    - ansible.builtin.get_url: {{url: "file:///etc/hostname", dest: "{folder}/fetched"}}
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.template: {{src: it.j2, dest: "{folder}/templated"}}
"""


def repository(folder: Path, config: str | None) -> Path:
    """A repository with one playbook, a callback plugin of its own, and that ansible.cfg."""
    (folder / "playbooks").mkdir(parents=True)
    (folder / "playbooks/plain.yml").write_text(PLAYBOOK)
    (folder / "plugins").mkdir()
    (folder / "plugins/told.py").write_text(TELLS)
    if config is not None:
        (folder / "ansible.cfg").write_text(config)
    return folder


@pytest.mark.parametrize("launcher", ["cold", "warm"])
@pytest.mark.parametrize("config", list(CONFIGS))
async def test_a_good_end_is_a_success(start_app: StartApp, tmp_path: Path, config: str, launcher: str) -> None:
    folder = repository(tmp_path / "theirs", CONFIGS[config])
    before = sorted(folder.rglob("*"))
    api = await start_app(ansible_dir=folder, launcher=launcher)
    job = await api.run("plain", await api.create_server())
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["message"], ended["exitCode"]) == ("SUCCESS", None, 0)
    if launcher == "warm":
        assert (starter_of(api).warm, starter_of(api).cold) == (1, 0)
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    assert ("told by a callback of its own" in log) == (config == "callbacks of its own")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_an_ansible_that_a_task_starts_knows_nothing_of_the_job(
    start_app: StartApp,
    ansible_dir: Path,
    add_recipe: Callable[[str, str], None],
    data_dir: Path,
    tmp_path: Path,
    launcher: str,
) -> None:
    # Old repositories hold a copy of the plugin that writes a job's events, and enable it.
    plugins = Path(__file__).parents[2] / "runner/programs/plugins/callback"
    (ansible_dir / "callback_plugins").symlink_to(plugins)
    config = ansible_dir / "ansible.cfg"
    config.write_text(
        config.read_text().replace(
            "[defaults]\n", "[defaults]\ncallback_plugins = callback_plugins\ncallbacks_enabled = playcast_events\n"
        )
    )
    nested = tmp_path / "nested.yml"
    nested.write_text(NESTED.format())
    add_recipe("starts", STARTS.format(nested=nested))
    api = await start_app(launcher=launcher)
    job = await api.run("starts", await api.create_server())
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["message"]) == ("SUCCESS", None)
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    homes = re.findall('([^ "]*) is its home', log)
    assert set(homes) == {f"{Path.home()}/.ansible"}
    names = ("ANSIBLE_CONFIG", "ANSIBLE_HOME", "PLAYCAST_EVENTS", "PLAYCAST_JOB")
    assert [name for name in names if f'"{name}"' in log] == ["ANSIBLE_CONFIG", "PLAYCAST_JOB"]
    assert of_kind(data_dir, "task") == ["As a task", "In a template", "What it starts with", "ansible.builtin.debug"]
    assert len(of_kind(data_dir, "recap")) == 1


def of_kind(data_dir: Path, kind: str) -> list[Any]:
    """The names in the events of a kind of the first job."""
    lines = JobDir(data_dir / "jobs", 1).events.read_text().splitlines()
    return [event.get("task") for event in map(json.loads, lines) if event["kind"] == kind]


async def test_files_without_a_mode_get_the_usual_one(
    start_app: StartApp, add_recipe: Callable[[str, str], None], ansible_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "made by tasks"
    folder.mkdir()
    (tmp_path / "made").symlink_to(folder)
    (ansible_dir / "playbooks/it.j2").write_text("x\n")
    add_recipe("files", FILES.format(folder=tmp_path / "made"))
    api = await start_app()
    job = await api.run("files", await api.create_server())
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"copied": 0o644, "made": 0o755, "shelled": 0o644, "fetched": 0o644, "templated": 0o644}
    own = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (data_dir / "jobs/1").iterdir() if path.is_file()}
    assert set(own.values()) == {0o600}, own
    assert stat.S_IMODE((data_dir / "jobs/1").stat().st_mode) == 0o700
