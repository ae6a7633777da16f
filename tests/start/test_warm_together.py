"""Sixteen jobs forked from one launcher at the same time: none sees what is another's, and nothing is left of any."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.job_dir import JobDir
from runner.job_processes import of_job
from runner.programs.masking import STARS
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.launchers import launcher_of, room_of, starter_of, until

JOBS = 16
SHOWS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Show what is mine
      ansible.builtin.debug:
        msg: "<<{{ mine | to_json | b64encode }}>>"
      vars:
        mine:
          hosts: "{{ groups.all }}"
          server: "{{ server_name }}"
          environment: "{{ environment_name }}"
          word: "{{ word }}"
          token: "{{ token | hash('sha256') }}"
          env: "{{ query('env', 'TMPDIR', 'ANSIBLE_HOME', 'PLAYCAST_JOB') }}"
          config: "{{ lookup('config', 'ANSIBLE_HOME', 'ANSIBLE_PIPELINING') }}"
          local_temp: "{{ lookup('config', 'DEFAULT_LOCAL_TMP') | dirname }}"
    - name: Show it from a module
      ansible.builtin.command: printenv TMPDIR PLAYCAST_JOB
      register: said
    - ansible.builtin.debug:
        msg: "seen {{ said.stdout_lines | join(' ') }}"
    - ansible.builtin.tempfile: {prefix: left}
    - ansible.builtin.debug:
        msg: "own {{ token }}, other {{ word }};"
"""
SIDECAR = "inputs: {{word: {{type: str}}, token: {{type: str, no_log: true}}}}\npipelining: {}\n"


def token(number: int) -> str:
    return "tok-" + hashlib.sha256(f"token {number}".encode()).hexdigest()[:20]


async def run(api: Api, number: int) -> None:
    """A job on server `number`; its word is the next one's secret."""
    given = {"word": token(number % JOBS + 1), "token": token(number)}
    job = await api.run(("shows", "shows_too")[number % 2], str(number), extraVars=given)
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["message"]) == ("SUCCESS", None)


def expected(number: int, spec: dict[str, Any]) -> dict[str, Any]:
    """What a job that ran on server `number` must have seen."""
    env, settings, scratch = spec["env"], spec["settings"], spec["scratch"]
    assert (env["TMPDIR"], settings["ANSIBLE_HOME"]) == (scratch, f"{scratch}/ansible")
    return {
        "hosts": [f"srv-{number}"],
        "server": f"server {number}",
        "environment": ["production", "staging", "none"][number % 3],
        "word": token(number % JOBS + 1),
        "token": hashlib.sha256(token(number).encode()).hexdigest(),
        "env": [scratch, "", env["PLAYCAST_JOB"]],
        "config": [f"{scratch}/ansible", number % 2 == 0],
        "local_temp": f"{scratch}/ansible/tmp",
    }


async def test_no_job_sees_what_is_anothers(
    start_app: StartApp, ansible_dir: Path, add_recipe: Callable[[str, str], None], data_dir: Path
) -> None:
    for name, pipelining in (("shows", "true"), ("shows_too", "false")):
        add_recipe(name, SHOWS)
        (ansible_dir / "recipes" / f"{name}.yml").write_text(SIDECAR.format(pipelining))
    api = await start_app(launcher="warm", slots=JOBS)
    launcher = launcher_of(api)
    room = sorted(room_of(launcher).rglob("*"))
    open_files = launcher.num_fds()

    for number in range(1, JOBS + 1):
        tags = [["production"], ["staging"], []][number % 3]
        await api.create_server(name=f"server {number}", tags=tags)
    await asyncio.gather(*(run(api, number) for number in range(1, JOBS + 1)))

    task_ids: set[str] = set()
    for number in range(1, JOBS + 1):
        job_dir = JobDir(data_dir / "jobs", number)
        spec = job_dir.read_json(job_dir.spec)
        assert spec is not None
        log = job_dir.log.read_text()
        shown = json.loads(base64.b64decode(log.partition("<<")[2].partition(">>")[0]))
        server = int(shown["server"].split()[1])
        assert shown == expected(server, spec)
        env = spec["env"]
        assert f'seen {env["TMPDIR"]} {env["PLAYCAST_JOB"]}"' in log
        assert f"own {STARS}, other {token(server % JOBS + 1)};" in log
        assert token(server) not in log
        ids = {json.loads(line).get("task_id") for line in job_dir.events.read_text().splitlines()} - {None}
        assert len(ids) == 5
        assert ids.isdisjoint(task_ids)
        task_ids |= ids
        assert not Path(spec["scratch"]).exists()
        assert of_job(job_dir.path) == []
    assert (starter_of(api).warm, starter_of(api).cold) == (JOBS, 0)

    # The launcher itself is what it was: no file more, no thread, no child, be it dead.
    await until(lambda: launcher.children() == [])
    assert (launcher.num_fds(), launcher.num_threads()) == (open_files, 1)
    assert open_files <= 6
    assert sorted(room_of(launcher).rglob("*")) == room
