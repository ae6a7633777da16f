"""A failed task is a failed task, by password as by key: only what ssh and sshpass say makes a server unreachable."""

import os
import stat
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.programs import FOLDER
from tests.support.api import Api
from tests.support.sshd import PASSWORD, Sshd, make_key, require_sshd, start_sshd

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]
# Those that mean something to ssh, sshpass, a shell or ansible; with LONG_TESTS all that there are.
CODES = [*range(9), 20, 64, 74, 77, 99, 126, 127, 128, 129, 130, 137, 143, 250, 254]
if os.environ.get("LONG_TESTS"):
    CODES = list(range(255))

EACH = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Raw
      ansible.builtin.raw: echo out; echo err >&2; exit {{{{ item }}}}
      loop: {codes}
      ignore_errors: true
      register: raw
    - name: Command
      ansible.builtin.command: sh -c "exit {{{{ item }}}}"
      loop: {codes}
      ignore_errors: true
      register: command
    - name: Script
      ansible.builtin.script: ends.sh {{{{ item }}}}
      loop: {codes}
      ignore_errors: true
      register: script
    - ansible.builtin.assert:
        that:
          - raw.results | map(attribute='rc') | list == {codes}
          - command.results | map(attribute='rc') | list == {codes}
          - script.results | map(attribute='rc') | list == {codes}
          - raw.results | map(attribute='stdout') | map('regex_findall', '[a-z]+') | unique | list == [['out', 'err']]
          - raw.results | rejectattr('failed') | map(attribute='item') | list == [0]
"""
MENDED = """
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - {name: Broken, ansible.builtin.command: /bin/false}
      rescue:
        - {name: Mend, ansible.builtin.ping: }
    - name: Not so bad
      ansible.builtin.shell: exit 4
      register: said
      failed_when: said.rc != 4
    - name: Soon
      ansible.builtin.shell: echo x >>~/tries; test $(wc -l <~/tries) -ge 3
      register: tried
      until: tried is succeeded
      retries: 4
      delay: 0
    - {name: Gone, ansible.builtin.fail: {msg: no}, ignore_errors: true}
    - {name: Lost, ansible.builtin.copy: {src: nowhere, dest: /tmp/x}, ignore_errors: true}
    - {name: No program, ansible.builtin.command: no-such-program-anywhere, ignore_errors: true}
"""
HOSTS = """
query Hosts($id: ID!) {
  job(id: $id) { status failureReason message exitCode hosts { ok changed failed unreachable rescued ignored } }
}
"""


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Sshd, str]]:
    """A server that a password and a key open, and that key."""
    require_sshd()
    private, public = make_key(tmp_path)
    with start_sshd(tmp_path, password=PASSWORD, authorized_key=public) as running:
        yield running, private


async def outcomes(api: Api, both: tuple[Sshd, str], recipe: str) -> list[Any]:
    """How a recipe ends by password, and by key."""
    sshd, private = both
    ends = []
    for name, credential in (("by-password", {"password": PASSWORD}), ("by-key", {"privateKey": private})):
        there = {"host": sshd.address, "port": sshd.port, "user": sshd.user}
        server = await api.create_server(name=f"{recipe}-{name}", credential=credential, **there)
        job = await api.run(recipe, server)
        await api.finished(job["id"])
        (sshd.home / "tries").unlink(missing_ok=True)
        ends.append((await api.ask(HOSTS, id=job["id"]))["job"])
    return ends


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_every_exit_code_is_the_commands_own(
    start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path, both: tuple[Sshd, str], launcher: str
) -> None:
    add_recipe("each", EACH.format(codes=CODES))
    (ansible_dir / "playbooks" / "ends.sh").write_text("#!/bin/sh\nexit $1\n")
    by_password, by_key = await outcomes(await start_app(launcher=launcher), both, "each")
    assert by_password["hosts"] == by_key["hosts"]
    counters = {"ok": 4, "changed": 3, "failed": 0, "unreachable": 0, "rescued": 0, "ignored": 3}
    assert by_password == {
        "status": "SUCCESS", "failureReason": None, "message": None, "exitCode": 0, "hosts": [counters]
    }  # fmt: skip


async def test_what_a_playbook_does_about_a_failure_holds(
    start_app: StartApp, add_recipe: AddRecipe, both: tuple[Sshd, str]
) -> None:
    add_recipe("mended", MENDED)
    by_password, by_key = await outcomes(await start_app(), both, "mended")
    counters = {"ok": 6, "changed": 2, "failed": 0, "unreachable": 0, "rescued": 1, "ignored": 3}
    assert by_password == by_key
    assert (by_password["status"], by_password["message"], by_password["hosts"]) == ("SUCCESS", None, [counters])


@pytest.mark.parametrize("task", ["raw: exit 255", "script: ends.sh 255"])
async def test_255_is_a_lost_server_by_both(
    start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path, both: tuple[Sshd, str], task: str
) -> None:
    """Ssh itself ends so where the connection breaks: nobody can tell the two apart."""
    add_recipe("lost", f"- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.{task}\n")
    (ansible_dir / "playbooks" / "ends.sh").write_text("#!/bin/sh\nexit $1\n")
    by_password, by_key = await outcomes(await start_app(), both, "lost")
    assert [by_password["failureReason"], by_key["failureReason"]] == ["HOST_UNREACHABLE"] * 2
    assert by_password["hosts"] == by_key["hosts"]


SSHPASS = FOLDER / "bin" / "sshpass"


def stand_in(folder: Path, script: str) -> Path:
    program = folder / "sshpass"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def run(tmp_path: Path, behind: Path | None, *command: str) -> subprocess.CompletedProcess[str]:
    """Our sshpass, with the one in the directory `behind` as the first on PATH; the password comes on descriptor 0."""
    (tmp_path / "temporary").mkdir(exist_ok=True)
    path = ":".join([*([str(behind)] if behind else []), os.defpath])
    done = subprocess.run(
        [str(SSHPASS), "-d0", *command],
        input="secret\n",
        env={"PATH": path, "TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert list((tmp_path / "temporary").iterdir()) == []
    return done


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 7, 8, 126, 254, 255])
def test_the_wrapper_ends_as_ssh_does(tmp_path: Path, code: int) -> None:
    done = run(tmp_path, None, "sh", "-c", f"echo 'a  b' \"$0\"; exit {code}", "it's")
    assert (done.returncode, done.stdout, done.stderr) == (code, "a  b it's\n", "")
    done = run(tmp_path, None, "-P", "Pass phrase", "sh", "-c", f"exit {code}")
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (5, "playcast: Invalid/incorrect password\n"),
        (6, "playcast: sshpass met a host key that nobody has confirmed\n"),
        (7, "playcast: sshpass met a host key that has changed\n"),
        (3, "playcast: sshpass ended with code 3\n"),
        (1, "playcast: sshpass ended with code 1\n"),
    ],
)
def test_a_trouble_of_sshpass_itself_is_255(tmp_path: Path, code: int, said: str) -> None:
    done = run(tmp_path, stand_in(tmp_path, f"exit {code}"), "sh", "-c", "exit 0")
    assert (done.returncode, done.stderr) == (255, said)
