"""Kept connections: the next job need not log in again, but only where it would log in just the same."""

import asyncio
import os
import signal
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from models import Server
from playcast.app import ENGINE
from runner.job_dir import JobDir
from runner.secrets.vault import Vault
from runner.start.kept_connections import Connections
from tests.support.api import Api
from tests.support.launchers import until
from tests.support.sshd import PASSWORD, Account, Sshd, require_sshd, require_sudo, start_sshd

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]
PING = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"
PLAIN = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: echo done\n"
# The password comes with the call, as some installations like it.
BY_INPUT = """
- hosts: all
  gather_facts: false
  vars: {ansible_password: "{{ word }}"}
  tasks:
    - ansible.builtin.raw: echo done
"""
HOLD = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: while :; do touch {beat}; sleep 0.05; done
"""
UPDATE = """
mutation Update($input: UpdateServerInput!) { updateServer(input: $input) { userErrors { code message field } } }
"""
WARM_AND_COLD = pytest.mark.parametrize("launcher", ["cold", "warm"])


@pytest.fixture
def recipes(add_recipe: AddRecipe) -> None:
    for name, content in (("ping", PING), ("plain", PLAIN), ("by_input", BY_INPUT)):
        add_recipe(name, content)


def logins(sshd: Sshd) -> int:
    """How often somebody has logged in so far."""
    return sshd.log.read_bytes().count(b"Accepted ")


def place_of(api: Api) -> Path:
    """The directory of an app's kept connections."""
    connections: Connections = api.client.app[ENGINE].connections
    return connections._place


def masters(api: Api) -> list[int]:
    """The processes that hold the kept connections of an app."""
    title = f"ssh: {place_of(api)}/"
    return [p.pid for p in psutil.process_iter() if " ".join(_words(p)).startswith(title)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


async def add(api: Api, sshd: Sshd, name: str = "web", password: str = PASSWORD) -> str:
    credential = {"password": password}
    return await api.create_server(name=name, host=sshd.address, port=sshd.port, user=sshd.user, credential=credential)


async def add_pinned(api: Api, sshd: Sshd, name: str = "web") -> str:
    """One whose host key is known already: of a first contact no connection is kept."""
    server = await add(api, sshd, name)
    await Server.filter(name=name).update(host_key=sshd.host_public_key)
    return server


async def state_of(api: Api, recipe: str, *servers: str, **options: Any) -> tuple[str, str | None]:
    """(status, failureReason) of a new job."""
    job = await api.finished((await api.run(recipe, *servers, **options))["id"])
    return job["status"], job["failureReason"]


@pytest.fixture
def start(start_app: StartApp, recipes: None) -> StartApp:
    return start_app


@WARM_AND_COLD
async def test_the_same_job_again_needs_no_login(start: StartApp, sshd: Sshd, launcher: str, data_dir: Path) -> None:
    api = await start(launcher=launcher)
    server = await add(api, sshd)
    # The first one learns the host key, and its connection is not kept.
    assert await state_of(api, "ping", server) == ("SUCCESS", None)
    assert await state_of(api, "ping", server) == ("SUCCESS", None)
    before = logins(sshd)
    assert await state_of(api, "ping", server) == ("SUCCESS", None)
    assert await state_of(api, "ping", server) == ("SUCCESS", None)
    assert (before, logins(sshd)) == (2, 2)
    assert len(masters(api)) == 1
    mode = place_of(api).lstat().st_mode
    assert (stat.S_ISDIR(mode), stat.S_IMODE(mode)) == (True, 0o700)
    for number in (1, 2, 3, 4):
        assert not JobDir(data_dir / "jobs", number).held()


async def test_none_is_kept_where_that_is_switched_off(start: StartApp, sshd: Sshd) -> None:
    api = await start(keep_connections=0)
    server = await add(api, sshd)
    for number in (1, 2, 3):
        assert await state_of(api, "ping", server) == ("SUCCESS", None)
        assert (logins(sshd), masters(api)) == (number, [])
    assert not place_of(api).exists()


async def test_a_connection_ends_when_nobody_needs_it(start: StartApp, sshd: Sshd) -> None:
    api = await start(keep_connections=1)
    server = await add_pinned(api, sshd)
    assert await state_of(api, "plain", server) == ("SUCCESS", None)
    await until(lambda: not masters(api))


async def test_a_host_key_that_is_forgotten_is_learned_again(start: StartApp, sshd: Sshd) -> None:
    """Over a connection that stands ssh meets no host key, and a job would learn none."""
    api = await start()
    server = await add(api, sshd)
    for _ in range(2):
        for _ in range(2):
            assert await state_of(api, "plain", server) == ("SUCCESS", None)
            assert (await Server.get(name="web")).host_key == sshd.host_public_key
        forgotten = await api.ask(UPDATE, input={"id": server, "forgetHostKey": True})
        assert forgotten["updateServer"]["userErrors"] == []
    assert logins(sshd) == 3
    assert len(masters(api)) == 1


async def test_another_credential_never_finds_it(start: StartApp, sshd: Sshd) -> None:
    """The bypass: a job without a usable credential that goes over the connection of one that had it."""
    api = await start(keep_connections=600)
    server = await add(api, sshd)
    for _ in range(2):
        assert await state_of(api, "plain", server) == ("SUCCESS", None)
    assert len(masters(api)) == 1
    # Another row for the same account of the same machine.
    other = await add(api, sshd, "thief", "wrong")
    assert await state_of(api, "plain", other) == ("ERROR", "HOST_UNREACHABLE")
    # The same row, whose credential is exchanged.
    given = {"id": server, "credential": {"password": "wrong"}}
    assert (await api.ask(UPDATE, input=given))["updateServer"]["userErrors"] == []
    assert await state_of(api, "plain", server) == ("ERROR", "HOST_UNREACHABLE")
    assert logins(sshd) == 2
    # And back again: it may use what it has opened itself.
    given = {"id": server, "credential": {"password": PASSWORD}}
    assert (await api.ask(UPDATE, input=given))["updateServer"]["userErrors"] == []
    assert await state_of(api, "plain", server) == ("SUCCESS", None)
    assert logins(sshd) == 2


async def test_a_password_that_comes_with_the_call_is_asked_for_each_time(start: StartApp, sshd: Sshd) -> None:
    api = await start()
    server = await add(api, sshd, password="wrong")
    for _ in range(3):
        given = {"extraVars": {"word": PASSWORD}}
        assert await state_of(api, "by_input", server, **given) == ("SUCCESS", None)
    assert logins(sshd) == 2
    assert await state_of(api, "by_input", server, extraVars={"word": "guessed"}) == ("ERROR", "HOST_UNREACHABLE")
    assert await state_of(api, "plain", server) == ("ERROR", "HOST_UNREACHABLE")
    assert logins(sshd) == 2


async def test_a_task_as_another_user_logs_in_as_that_user(start: StartApp, sshd: Sshd, add_recipe: AddRecipe) -> None:
    task = "    - ansible.builtin.raw: echo done\n"
    add_recipe("two", f"{PLAIN}{task}      vars: {{ansible_user: nobody_else}}\n")
    api = await start()
    server = await add(api, sshd)
    for _ in range(2):
        # Over the connection of the task before it would have been a success.
        assert await state_of(api, "two", server) == ("ERROR", "HOST_UNREACHABLE")


async def test_a_changed_recipe_logs_in_anew(start: StartApp, sshd: Sshd, add_recipe: AddRecipe) -> None:
    api = await start()
    server = await add(api, sshd)
    for _ in range(3):
        assert await state_of(api, "plain", server) == ("SUCCESS", None)
    assert logins(sshd) == 2
    add_recipe("plain", PLAIN + "    - ansible.builtin.raw: echo more\n")
    assert await state_of(api, "plain", server) == ("SUCCESS", None)
    assert logins(sshd) == 3


async def test_a_connection_that_died_is_opened_anew(start: StartApp, sshd: Sshd) -> None:
    api = await start()
    server = await add(api, sshd)
    for _ in range(2):
        assert await state_of(api, "ping", server) == ("SUCCESS", None)
    for pid in masters(api):
        # Its socket stays behind.
        os.kill(pid, signal.SIGKILL)
    assert len(list(place_of(api).iterdir())) == 1
    assert await state_of(api, "ping", server) == ("SUCCESS", None)
    assert logins(sshd) == 3


@WARM_AND_COLD
async def test_a_cancel_ends_the_connection_too(
    start: StartApp, sshd: Sshd, add_recipe: AddRecipe, ansible_dir: Path, launcher: str
) -> None:
    """With a terminal, what runs over there ends with its connection, whoever opened that."""
    beat = sshd.home / "beat"
    add_recipe("hold", HOLD.format(beat=beat))
    (ansible_dir / "recipes" / "hold.yml").write_text("pipelining: false\n")
    api = await start(launcher=launcher, cancel_grace=1)
    server = await add_pinned(api, sshd)
    for number in (1, 2, 3):
        job = await api.run("hold", server)
        await until(beat.exists)
        assert len(masters(api)) == 1
        await api.ask("mutation($id: ID!) { cancelJob(input: {jobId: $id}) { userErrors { message } } }", id=job["id"])
        assert (await api.finished(job["id"]))["status"] == "CANCELED"
        assert (masters(api), logins(sshd)) == ([], number)
        await _still(beat)


async def _still(beat: Path) -> None:
    """Wait until nobody touches the file any more, and take it away."""
    async with asyncio.timeout(60):
        while True:
            seen = beat.stat().st_mtime_ns
            await asyncio.sleep(1)
            if beat.stat().st_mtime_ns == seen:
                beat.unlink()
                return


async def test_a_stop_of_the_server_leaves_only_what_a_job_needs(
    start: StartApp, sshd: Sshd, add_recipe: AddRecipe, tmp_path: Path
) -> None:
    go = sshd.home / "go"
    add_recipe("wait", f"{PLAIN}    - ansible.builtin.shell: while [ ! -e {go} ]; do sleep 0.05; done\n")
    api = await start()
    idle, busy = await add_pinned(api, sshd), await add_pinned(api, sshd, "busy")
    assert await state_of(api, "plain", idle) == ("SUCCESS", None)
    job = await api.run("wait", busy)
    await until(lambda: len(masters(api)) == 2)
    await api.client.close()
    await until(lambda: len(masters(api)) == 1)
    again = await start()
    assert place_of(again) == place_of(api)
    go.touch()
    assert (await again.finished(job["id"]))["status"] == "SUCCESS"
    assert len(masters(again)) == 1
    await again.client.close()
    # It is told to end, and does so a moment later.
    await until(lambda: masters(again) == [])
    assert not place_of(again).exists()


async def test_a_killed_job_leaves_no_connection(
    start: StartApp, sshd: Sshd, add_recipe: AddRecipe, data_dir: Path
) -> None:
    beat = sshd.home / "beat"
    add_recipe("hold", HOLD.format(beat=beat))
    api = await start()
    server = await add_pinned(api, sshd)
    job = await api.run("hold", server)
    await until(beat.exists)
    run = JobDir(data_dir / "jobs", 1).read_json(JobDir(data_dir / "jobs", 1).run)
    assert run is not None
    assert len(masters(api)) == 1
    os.kill(run["supervisor"]["pid"], signal.SIGKILL)
    ended = await api.finished(job["id"])
    assert (ended["status"], ended["failureReason"]) == ("ERROR", "WORKER_LOST")
    # It is killed as well, and gone a moment later.
    await until(lambda: masters(api) == [])


KEY = "5wcVNhHBzoVnT1GH1kzuT_XVxgvOEmBOQOjIUvIJx8Q="


def test_stems_agree_only_where_everything_does(tmp_path: Path) -> None:
    kept = Connections(Vault(KEY), tmp_path, 60)
    try:
        same = kept.stem(1, {"host": "a", "password": "p"}, ["web"], None)
        assert same is not None
        assert same == kept.stem(1, {"password": "p", "host": "a"}, ["web"], None)
        others = [
            kept.stem(1, {"host": "a", "password": "q"}, ["web"], None),
            kept.stem(1, {"host": "a", "password": "p"}, ["db"], None),
            kept.stem(1, {"host": "a", "password": "p"}, ["web"], "key"),
            kept.stem(1, {"host": "a", "password": "p"}, ["web"]),
        ]
        assert len({same, *others}) == 5
        # ssh adds `-`, 40 characters and, while it binds, a dot and 16 more; a socket's path has at most 107.
        assert len(same) + 1 + 40 + 17 <= 107
        assert "p" not in {part for stem in (same, *others) for part in str(stem).split("/")}
    finally:
        kept._place.rmdir()


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    kept = Connections(Vault(KEY), tmp_path, 60)
    kept._place.mkdir()
    try:
        kept._place.chmod(0o755)
        assert kept.stem(1, {}) is None
        kept._place.chmod(0o700)
        assert kept.stem(1, {}) is not None
        if os.geteuid() == 0:
            os.chown(kept._place, 12345, 12345)
            assert kept.stem(1, {}) is None
    finally:
        kept._place.rmdir()
    kept._place.symlink_to(tmp_path)
    try:
        assert kept.stem(1, {}) is None
    finally:
        kept._place.unlink()


GROUPS = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: Who am I, ansible.builtin.command: id -Gn, register: mine}
    - {name: Say it, ansible.builtin.debug: {msg: "groups {{ mine.stdout }};"}}
"""
JOINS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Join
      ansible.builtin.lineinfile: {path: /etc/group, line: "docker:x:4712:deploy", unsafe_writes: true}
      become: true
    - ansible.builtin.meta: reset_connection
    - {name: Who am I now, ansible.builtin.command: id -Gn, register: mine}
    - {name: Say it, ansible.builtin.debug: {msg: "groups {{ mine.stdout }};"}}
"""


async def groups_seen(api: Api, recipe: str, server: str) -> str:
    job = await api.run(recipe, server)
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    return log.partition('"msg": "groups ')[2].partition(";")[0]


@WARM_AND_COLD
async def test_a_reset_ends_what_other_recipes_would_take_up(
    start: StartApp, tmp_path: Path, add_recipe: AddRecipe, launcher: str
) -> None:
    require_sshd()
    require_sudo()
    add_recipe("groups", GROUPS)
    add_recipe("joins", JOINS)
    api = await start(launcher=launcher)
    # Only of another user than root does sshd set the groups once, at its log-in.
    account = Account(uid=4711, sudoers="deploy ALL=(ALL) NOPASSWD: ALL\n")
    with start_sshd(tmp_path, password=PASSWORD, account=account) as sshd:
        server, other = await add_pinned(api, sshd), await add_pinned(api, sshd, "same machine, another server")
        assert await groups_seen(api, "groups", server) == "deploy"
        assert await groups_seen(api, "groups", other) == "deploy"
        assert len(masters(api)) == 2
        assert await groups_seen(api, "joins", server) == "deploy docker"
        # Another recipe, which had a connection of its own from before.
        assert await groups_seen(api, "groups", server) == "deploy docker"
        # Nobody has reset the connection of the other one.
        assert await groups_seen(api, "groups", other) == "deploy"
