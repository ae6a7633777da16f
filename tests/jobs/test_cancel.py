"""cancelJob: a waiting job ends at once, a running one with all it started, and the word holds over a restart."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner import job_processes
from tests.conftest import StartApp
from tests.support.api import Api
from tests.support.launchers import until
from tests.support.sshd import make_key, require_sshd, start_sshd

CANCEL = """
mutation Cancel($input: CancelJobInput!) {
  cancelJob(input: $input) { job { number status message } userErrors { code message field } }
}
"""
STUBBORN = """
- name: Stubborn
  hosts: all
  gather_facts: false
  tasks:
    - name: Ignore every polite word
      ansible.builtin.shell: |
        trap '' INT TERM
        (trap '' INT TERM HUP; setsid sleep 300 >/dev/null 2>&1 &)
        touch {started}
        while true; do sleep 1; done
      changed_when: false
"""
POLITE = """
- name: Polite
  hosts: all
  gather_facts: false
  tasks:
    - name: Wait
      ansible.builtin.command: sleep 300
      changed_when: false
"""
TALKATIVE = """
- name: Talkative
  hosts: all
  gather_facts: false
  tasks:
    - name: Say more than is read
      ansible.builtin.debug:
        msg: "{{ 'x' * 1000000 }}"
      loop: "{{ range(100) | list }}"
      loop_control: {label: .}
"""
# It keeps the reader of the workers busy, so that the worker stands in the middle of its next message.
SLOW_CALLBACK = """
import pathlib, time
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_NAME = "slow"

    def v2_runner_item_on_ok(self, result):
        pathlib.Path("{started}").touch()
        time.sleep(1)
"""
AddRecipe = Callable[[str, str], None]


async def cancel(api: Api, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await api.ask(CANCEL, input={"jobId": job_id}))["cancelJob"]
    return answer


async def until_it_prints(api: Api, job_id: str, words: str) -> None:
    text = ""
    async for chunk in api.log(job_id):
        text += chunk["text"]
        if words in text:
            return
    raise AssertionError(text)


def of_job(data_dir: Path, number: int) -> set[int]:
    """Processes of the job on this machine: those that Playcast finds, and those with its temporary directory."""
    job_dir = data_dir / "jobs" / str(number)
    scratch = json.loads((job_dir / "spec.json").read_text())["scratch"]
    return {*job_processes.of_job(job_dir), *job_processes.marked(f"TMPDIR={scratch}")}


async def test_a_waiting_job_ends_at_once_and_never_starts(
    start_app: StartApp, add_recipe: AddRecipe, data_dir: Path
) -> None:
    add_recipe("polite", POLITE)
    api = await start_app(slots=1)
    server = await api.create_server()
    running, waiting = await api.run("polite", server), await api.run("polite", server)
    await until_it_prints(api, running["id"], "TASK [Wait]")
    canceled = {"number": 2, "status": "CANCELED", "message": "canceled by local before it started"}
    assert await cancel(api, waiting["id"]) == {"job": canceled, "userErrors": []}
    assert await cancel(api, waiting["id"]) == {"job": canceled, "userErrors": []}
    ended = await api.finished(waiting["id"])
    assert (ended["startedAt"], ended["logSize"], ended["exitCode"]) == (None, 0, None)
    await cancel(api, running["id"])
    assert (await api.finished(running["id"]))["status"] == "CANCELED"
    assert not (data_dir / "jobs/2").exists()


async def test_a_running_job_ends_with_all_it_started(
    start_app: StartApp, add_recipe: AddRecipe, data_dir: Path, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    add_recipe("stubborn", STUBBORN.format(started=started))
    api = await start_app(cancel_grace=0.3)
    job = await api.run("stubborn", await api.create_server())
    await until(started.exists)
    # ansible, its worker, the shell, its sleep, and the one that has left its session.
    assert len(of_job(data_dir, 1)) >= 5
    first = await cancel(api, job["id"])
    assert (first["job"]["number"], first["userErrors"]) == (1, [])
    assert (await cancel(api, job["id"]))["userErrors"] == []
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["failureReason"], ended["message"]) == ("CANCELED", None, "canceled by local")
    assert of_job(data_dir, 1) == set()
    assert (await cancel(api, job["id"]))["job"]["status"] == "CANCELED"


async def test_a_job_ends_by_itself_while_a_worker_tells_its_results(
    start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    add_recipe("talkative", TALKATIVE)
    plugins = ansible_dir / "playbooks" / "callback_plugins"
    plugins.mkdir()
    (plugins / "slow.py").write_text(SLOW_CALLBACK.format(started=started))
    api = await start_app(cancel_grace=60)
    job = await api.run("talkative", await api.create_server())
    await until(started.exists)
    await cancel(api, job["id"])
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["exitCode"]) == ("CANCELED", 99)


async def test_over_ssh_nothing_is_left_on_this_side(
    api: Api, add_recipe: AddRecipe, data_dir: Path, tmp_path: Path
) -> None:
    require_sshd()
    add_recipe("polite", POLITE)
    private, public = make_key(tmp_path)
    with start_sshd(tmp_path, authorized_key=public) as sshd:
        server = await api.create_server(
            host=sshd.address, port=sshd.port, user=sshd.user, credential={"privateKey": private}
        )
        job = await api.run("polite", server)
        await until_it_prints(api, job["id"], "TASK [Wait]")
        await cancel(api, job["id"])
        ended = await api.finished(job["id"])
        assert (ended["status"], ended["message"]) == ("CANCELED", "canceled by local")
        assert of_job(data_dir, 1) == set()


async def test_what_cannot_be_canceled_says_why(api: Api) -> None:
    job = await api.run("base", await api.create_server())
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    assert await cancel(api, "1") == {
        "job": None,
        "userErrors": [{"code": "JOB_FINISHED", "message": "job 1 has ended already, as SUCCESS", "field": ["jobId"]}],
    }
    assert (await api.job("1"))["status"] == "SUCCESS"
    (unknown,) = (await cancel(api, "99"))["userErrors"]
    assert unknown == {"code": "NOT_FOUND", "message": "there is no job 99", "field": ["jobId"]}
    (malformed,) = (await cancel(api, "x"))["userErrors"]
    assert (malformed["code"], malformed["field"]) == ("INVALID", ["jobId"])


@pytest.mark.parametrize("asked", ["before the restart"])
async def test_the_word_holds_over_a_restart(
    start_app: StartApp, add_recipe: AddRecipe, data_dir: Path, asked: str
) -> None:
    add_recipe("polite", POLITE)
    api = await start_app()
    job = await api.run("polite", await api.create_server())
    await until_it_prints(api, job["id"], "TASK [Wait]")
    await api.client.close()
    # As a server that was killed right after it had answered cancelJob leaves it.
    with sqlite3.connect(data_dir / "playcast.sqlite3") as database:
        database.execute("UPDATE provision_job SET cancel_requested_by = ?", (asked,))
    database.close()
    again = await start_app()
    ended = await again.finished(job["id"])
    assert (ended["status"], ended["message"]) == ("CANCELED", f"canceled by {asked}")
    assert of_job(data_dir, 1) == set()
