"""Who calls sshpass in a task finds the real one: Playcast's stands before ansible's own log-ins alone."""

import json
import shlex
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runner.programs import ansible_hooks
from tests.support.api import Api
from tests.support.sshd import PASSWORD, make_key, require_sshd, start_sshd

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]
# Each in a shell, with a file "pw" in its directory.
CALLS = [
    "sshpass",
    "sshpass -V",
    "sshpass -h",
    "sshpass -x",
    "sshpass -p pw",
    "sshpass -p pw sh -c 'echo out; echo err >&2; exit 3'",
    "sshpass -ppw sh -c 'exit 1'",
    "sshpass -v -p pw sh -c 'exit 6'",
    "sshpass -f pw sh -c 'exit 4'",
    "sshpass -fpw true",
    "sshpass -f nowhere true",
    "SSHPASS=pw sshpass -e sh -c 'exit 5'",
    "OTHER=pw sshpass -eOTHER sh -c 'exit 255'",
    "sshpass -e true",
    "sshpass -d 3 sh -c 'exit 2' 3<pw",
    "sshpass -d3 sh -c 'exit 7' 3<pw",
    "sshpass -P rase -p pw sh -c 'exit 77'",
    "sshpass -d3 -P 'Pass phrase' sh -c 'exit 130' 3<pw",
    "sshpass -p pw no-such-program-anywhere",
    "sshpass sh -c 'exit 9' <pw",
    "sshpass -p pw sh -c 'kill -9 $$'",
    "command -v sshpass",
]
UNPINNED = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
SSH = f"ssh -o PubkeyAuthentication=no {UNPINNED}"
RECIPE = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: {{cmd: "{{{{ item }}}}", chdir: {there}}}
      loop: {calls}
      register: done
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{{{ done.results | map(attribute='rc') | zip(done.results | map(attribute='stdout'),
          done.results | map(attribute='stderr')) | to_json }}}}"
        dest: {there}/done.json
        mode: "600"
"""


def by_hand(call: str, there: Path) -> list[object]:
    done = subprocess.run(
        ["/bin/sh", "-c", call], cwd=there, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    return [done.returncode, done.stdout.removesuffix("\n"), done.stderr.removesuffix("\n")]


async def in_a_job(api: Api, add_recipe: AddRecipe, there: Path, calls: list[str]) -> list[list[object]]:
    add_recipe("calls", RECIPE.format(there=there, calls=json.dumps(calls)))
    job = await api.finished((await api.run("calls", await api.create_server()))["id"])
    assert job["status"] == "SUCCESS", job["message"]
    found: list[list[object]] = json.loads((there / "done.json").read_text())
    return found


async def test_a_task_gets_what_it_gets_by_hand(start_app: StartApp, add_recipe: AddRecipe, tmp_path: Path) -> None:
    require_sshd()
    (tmp_path / "pw").write_text("secret\n")
    assert await in_a_job(await start_app(), add_recipe, tmp_path, CALLS) == [by_hand(call, tmp_path) for call in CALLS]


async def test_a_task_logs_in_by_itself(start_app: StartApp, add_recipe: AddRecipe, tmp_path: Path) -> None:
    require_sshd()
    there = tmp_path / "there"
    there.mkdir()
    (there / "pw").write_text(f"{PASSWORD}\n")
    with start_sshd(tmp_path, password=PASSWORD, authorized_key=make_key(tmp_path)[1]) as sshd:
        ssh = f"{SSH} -p {sshd.port} {sshd.user}@{sshd.address}"
        login = {"user": sshd.user, "port": sshd.port, "password": PASSWORD, "ssh_common_args": UNPINNED}
        given = json.dumps({f"ansible_{key}": value for key, value in login.items()})
        calls = [
            f"sshpass -p {shlex.quote(PASSWORD)} {ssh} exit 3",
            f"sshpass -f pw {ssh} exit 5",
            f"SSHPASS={shlex.quote(PASSWORD)} sshpass -e {ssh} exit 0",
            f"sshpass -p wrong {ssh} exit 0",
            f"ansible all -i {sshd.address}, -e {shlex.quote(given)} -m raw -a 'echo there'",
        ]
        found = await in_a_job(await start_app(), add_recipe, there, calls)
    assert [code for code, *_ in found] == [3, 5, 0, 5, 0]
    assert "\nthere" in str(found[-1][1])


async def test_ansibles_own_login_goes_through_ours(start_app: StartApp, add_recipe: AddRecipe, tmp_path: Path) -> None:
    require_sshd()
    add_recipe("login", "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: exit 0\n")
    with start_sshd(tmp_path, password=PASSWORD, authorized_key=make_key(tmp_path)[1]) as sshd:
        api = await start_app()
        there = {"host": sshd.address, "port": sshd.port, "user": sshd.user}
        server = await api.create_server(name="there", credential={"password": "not this one"}, **there)
        job = await api.finished((await api.run("login", server))["id"])
        assert job["failureReason"] == "HOST_UNREACHABLE"
        (log,) = (tmp_path / "data" / "jobs" / "1").glob("*.log")
        # Only our own says so, and ansible takes it for what it is: it does not try again.
        assert log.read_text().count("\nplaycast: Invalid/incorrect password\n") == 1
        assert "Failed to authenticate: Invalid/incorrect password" in log.read_text()


class Plugin:
    """As much of ansible's connection plugin as is changed."""

    class Connection:
        def __init__(self, *command: bytes) -> None:
            self.command = list(command)

        def _build_command(self, *_more: str) -> list[bytes]:
            return self.command

    class Later(Connection):
        def _sshpass_cmd(self) -> list[bytes]:
            return self.command[:2]


OURS = str(Path(ansible_hooks.__file__).with_name("bin") / "sshpass").encode()


@pytest.mark.parametrize(
    ("command", "begun"),
    [
        ([b"sshpass", b"-d7", b"ssh", b"sshpass"], [OURS, b"-d7", b"ssh", b"sshpass"]),
        ([b"ssh", b"sshpass", b"-d7"], [b"ssh", b"sshpass", b"-d7"]),
        ([b"/usr/bin/sshpass", b"-d7"], [b"/usr/bin/sshpass", b"-d7"]),
        ([], []),
    ],
)
def test_only_a_command_that_begins_so_is_changed(command: list[bytes], begun: list[bytes]) -> None:
    class Changed(Plugin.Later):
        pass

    module = type("Ssh", (), {"Connection": Changed})
    ansible_hooks._replace_sshpass(module)  # type: ignore[arg-type]  # as good as a module
    assert Changed(*command)._build_command("ssh") == begun
    assert Changed(*command)._sshpass_cmd() == begun[:2]
    ansible_hooks._replace_sshpass(type("Other", (), {}))  # type: ignore[arg-type]  # where ansible has no such class
