"""No variable of a client chooses what program runs on Playcast's machine, nor how ansible runs."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models import ProvisionJob, Server
from runner import checks
from runner.errors import Refused
from runner.reserved import INTERPRETER
from tests.api.test_bad_input import problem, refused
from tests.api.test_bad_servers import UPDATE
from tests.api.test_bad_servers import refused as refused_server
from tests.conftest import StartApp
from tests.jobs.test_retry import RETRY
from tests.support.api import JSON, Api
from tests.support.sshd import PASSWORD, Sshd
from tests.support.untouched import assert_untouched

AddRecipe = Callable[[str, str], None]

NO_PYTHON = f"{INTERPRETER} must be the absolute path of a Python such as /usr/bin/python3 or python3.12"
NOT_IN_A_CALL = f"{INTERPRETER} is not allowed in a call: set it in the variables of the server"
PYTHONS = [
    "/usr/bin/python", "/usr/bin/python2", "/usr/bin/python2.7", "/usr/bin/python3", "/usr/local/bin/python3.13",
    "/opt/venv-1/bin/python3.13t", "/usr/libexec/platform-python", "/usr/libexec/platform-python3.6", "/python3",
    "/home/me/.venv/bin/python", "auto", "auto_silent",
]  # fmt: skip
OTHERS: list[Any] = [
    "/usr/bin/m4", "/usr/bin/env", "/bin/sh", "/usr/bin/perl", "/usr/bin/env python3", "/usr/bin/python3 -c x",
    "python3", "python", "./python3", "~/python3", "/usr/bin/../../tmp/python3", "/usr/bin/./python3",
    "/usr//bin/python3",
    "/usr/bin/python3\n", "/usr/bin/python3/", "/usr/bin/python3/m4", "/usr/bin/python3-config", "/usr/bin/ipython3",
    "/usr/bin/pythonw.exe", "/opt/{{ x }}/python3", "/opt/$HOME/python3", "/opt/a b/python3", "auto_legacy", "",
    "/" + "a" * 250 + "/python3", ["/usr/bin/python3"], {"a": "/usr/bin/python3"}, 3, True, None,
]  # fmt: skip
# Words of plays and tasks, and what ansible calls its own: as variables they are nothing more.
PLAIN = [
    "action", "always", "any_errors_fatal", "args", "async", "async_val", "become", "become_exe", "become_flags",
    "become_method", "become_user", "block", "changed_when", "check_mode", "collections", "connection", "debugger",
    "delay", "delegate_facts", "delegate_to", "diff", "discovered_interpreter_python", "executable",
    "fact_path", "failed_when", "force_handlers", "gather_facts", "gather_timeout", "handlers", "host", "hosts",
    "ignore_errors", "ignore_unreachable", "interpreter", "inventory", "item", "local_action", "loop", "loop_control",
    "max_fail_percentage", "module_defaults", "module_name", "name", "no_log", "notify", "order", "poll", "port",
    "post_tasks", "pre_tasks", "python_interpreter", "register", "remote_user", "rescue", "retries", "roles",
    "run_once", "serial", "shell", "strategy", "tags", "task", "tasks", "template_path", "throttle", "timeout", "until",
    "user", "vars_files", "vars_prompt", "when", "with_",
]  # fmt: skip


def names_of_ansible() -> dict[str, list[str]]:
    """What `tests/support/ansible_names.py` finds, which must not import ansible into the tests."""
    program = Path(__file__).parents[1] / "support" / "ansible_names.py"
    done = subprocess.run([sys.executable, str(program)], capture_output=True, check=True, timeout=120)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def accepted(check: Callable[..., object], name: str, value: object) -> bool:
    try:
        check({name: value}, "variables")
    except Refused:
        return False
    return True


def test_no_option_of_ansible_can_be_set() -> None:
    names = {name.partition("[")[0] for name in names_of_ansible()["options"]}
    # It has read the documentation: connections, becoming, shells, ansible's own settings.
    known = {
        "ansible_ssh_executable", "ansible_sudo_exe", "ansible_shell_executable", "ansible_become_flags",
        "ansible_ssh_pipelining", "ansible_async_dir", INTERPRETER, "inventory_hostname", "hostvars",
        "ansible_password", "ansible_winrm_port", "ansible_connection", "ansible_module_compression", "ansible_facts",
    }  # fmt: skip
    assert known - names == set()
    assert len(names) > 150
    assert [name for name in names if accepted(checks.variables, name, "/usr/bin/python3")] == []
    assert [name for name in names if accepted(checks.server_variables, name, "/usr/bin/python3")] == [INTERPRETER]


def test_words_of_plays_are_plain_variables() -> None:
    """Ansible warns of some of them; what a template has of the same name is refused."""
    names = {name for name in names_of_ansible()["reserved"] if not name.startswith("ansible_")}
    taken = {name for name in names if accepted(checks.variables, name, "x")}
    # The newest ansible-core has one word more.
    assert taken - set(PLAIN) - {"validate_argspec"} == {"loop_with"}
    assert names - taken >= {
        "cycler",
        "dict",
        "environment",
        "joiner",
        "lookup",
        "namespace",
        "now",
        "omit",
        "q",
        "vars",
    }
    assert [name for name in PLAIN if not accepted(checks.variables, name, "x")] == []


def test_names_that_only_look_like_ansibles() -> None:
    names = ["ansible", "my_ansible_port", "Ansible_port", "ANSIBLE_CONFIG", "hostvar", "group", "sops", "vars_"]
    assert [name for name in names if not accepted(checks.variables, name, "x")] == []


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pythons_that_a_server_may_have(python: str) -> None:
    assert checks.server_variables({INTERPRETER: python}, "variables") == {INTERPRETER: python}


async def test_an_interpreter_that_is_no_python_is_refused(api: Api, data_dir: Path) -> None:
    for value in OTHERS:
        assert await refused_server(api, variables={INTERPRETER: value}) == [
            problem(["variables", INTERPRETER], NO_PYTHON)
        ]
    await assert_untouched(data_dir)
    server = await api.create_server()
    answer = await api.ask(UPDATE, input={"id": server, "variables": {INTERPRETER: "/usr/bin/m4"}})
    assert answer["updateServer"]["userErrors"] == [problem(["variables", INTERPRETER], NO_PYTHON)]
    assert (await Server.get(id=1)).variables == {}


async def test_no_call_names_an_interpreter(api: Api, data_dir: Path, ansible_dir: Path, add_recipe: AddRecipe) -> None:
    """Neither as a variable nor as an input, be it secret, that a recipe declares."""
    await api.create_server()
    add_recipe("declares", "- hosts: all\n  tasks: []\n")
    sidecar = ansible_dir / "recipes" / "declares.yml"
    for value in ("/usr/bin/python3", "/usr/bin/m4", sys.executable):
        for recipe, secret in (("base", False), ("declares", False), ("declares", True)):
            sidecar.write_text(json.dumps({"inputs": {INTERPRETER: {"type": "path", "no_log": secret}}}))
            expected = [problem(["extraVars", INTERPRETER], NOT_IN_A_CALL)]
            assert await refused(api, recipe=recipe, extraVars={INTERPRETER: value}) == expected
    await assert_untouched(data_dir, servers=1)


async def test_what_was_stored_before_does_not_run(api: Api, sshd: Sshd, data_dir: Path) -> None:
    """Rows of an earlier version: the job ends before anything starts."""
    login: JSON = {"host": sshd.address, "port": sshd.port, "user": sshd.user, "credential": {"password": PASSWORD}}
    for number, (name, given) in enumerate({"here": {}, "web": login}.items(), 1):
        server = await api.create_server(name=name, **given)
        await Server.filter(id=number).update(variables={INTERPRETER: "/usr/bin/m4"})
        job = await api.finished((await api.run("base", server))["id"])
        assert (job["status"], job["failureReason"], job["message"]) == (
            "ERROR",
            "LAUNCH_FAILED",
            f"{INTERPRETER} of the server {name} is not the path of a Python: change its variables",
        )
        assert not (data_dir / f"jobs/{number}/claim").exists()
    await Server.all().update(variables={})
    await ProvisionJob.filter(id=2).update(extra_vars={INTERPRETER: "/usr/bin/python3"})
    answer = await api.ask(RETRY, input={"jobId": "2"})
    assert answer["retryJob"]["userErrors"] == [problem("jobId", NOT_IN_A_CALL)]


# Each line says which Python ran there: `setup` runs over there, and says which one ran it.
WHICH = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.setup: {gather_subset: [python, '!min']}
      register: itself
    - ansible.builtin.setup: {gather_subset: [python, '!min']}
      delegate_to: localhost
      register: delegated
    - local_action: {module: ansible.builtin.setup, gather_subset: [python, '!min']}
      register: local_action
    - ansible.builtin.setup: {gather_subset: [python, '!min']}
      delegate_to: 127.0.0.1
      register: address
    - ansible.builtin.setup: {gather_subset: [python, '!min']}
      connection: local
      register: connection
    - ansible.builtin.setup: {gather_subset: [python, '!min']}
      vars: {ansible_connection: local}
      register: by_variable
    - ansible.builtin.setup: {gather_subset: [python, '!min']}
      vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
      register: by_both
    - ansible.builtin.debug:
        msg: "{{ item }}: {{ lookup('ansible.builtin.vars', item).ansible_facts.ansible_python.executable }} "
      loop: [itself, delegated, local_action, address, connection, by_variable, by_both]
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.setup: {gather_subset: [python, '!min']}
      register: implicit
    - ansible.builtin.debug: {msg: "implicit: {{ implicit.ansible_facts.ansible_python.executable }} "}
"""


def ran(log: str) -> dict[str, str]:
    """{where: which Python ran there}."""
    lines = [line.split('"')[3] for line in log.splitlines() if '"msg": "' in line]
    return dict(line.split(" ")[0:2] for line in (line.replace(":", "", 1) for line in lines))


async def test_playcasts_own_python_runs_on_its_machine(
    start_app: StartApp, add_recipe: AddRecipe, sshd: Sshd, tmp_path: Path, data_dir: Path
) -> None:
    other = tmp_path / "bin" / "python3"
    other.parent.mkdir()
    # Not a link: that would tell the same name.
    other.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    system = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin")
    assert system is not None
    add_recipe("which", WHICH)
    api: Api = await start_app()
    await api.create_server(name="here", variables={INTERPRETER: str(other)})
    login = {"host": sshd.address, "port": sshd.port, "user": sshd.user, "credential": {"password": PASSWORD}}
    await api.create_server(name="web", variables={INTERPRETER: system}, **login)

    own = os.path.realpath(sys.executable)
    for server in ("1", "2"):
        job = await api.run("which", server)
        log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
        assert (await api.job(job["id"]))["message"] is None, log
        found = {where: os.path.realpath(path) for where, path in ran(log).items()}
        # A word of a play does not make a server of Playcast local: it still says how to get there.
        there = own if server == "1" else os.path.realpath(system)
        assert found == {
            "itself": there,
            "delegated": own,
            "local_action": own,
            "address": own,
            "connection": there,
            # What the playbook itself says of the connection does, and leaves the interpreter as it is.
            "by_variable": there,
            "by_both": own,
            "implicit": own,
        }
    assert not (tmp_path / "ran").exists()


KEYWORDS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: id -un
      register: me
      changed_when: false
    - ansible.builtin.debug:
        msg: "<{{ [inventory_hostname, me.stdout, me.changed, ansible_check_mode, port, become] | to_json }}>"
    - ansible.builtin.debug: {msg: "<{{ lookup('ansible.builtin.vars', 'delegate_to') }} {{ connection }} {{ item }}>"}
"""


async def test_words_of_plays_change_nothing_when_they_are_variables(api: Api, add_recipe: AddRecipe) -> None:
    add_recipe("words", KEYWORDS)
    value: dict[str, Any] = {"port": "{{ 1 + 1 }}", "become": True}
    await api.create_server(variables={name: value.get(name, "XX") for name in PLAIN})
    job = await api.run("words", "1", extraVars={name: value.get(name, "XX") for name in PLAIN})
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    assert (await api.job(job["id"]))["status"] == "SUCCESS", log
    me = pwd.getpwuid(os.getuid()).pw_name
    first, second = [json.loads(line.partition('"msg": ')[2]) for line in log.splitlines() if '"msg": "<' in line]
    assert json.loads(first.strip("<>")) == ["srv-1", me, False, False, "{{ 1 + 1 }}", True]
    assert second == "<XX XX XX>"
