"""Host keys: a changed one is refused whatever the login and the playbook, and only a person's word lifts that."""

import asyncio
import json
import shlex
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from models import Server, ServerAuthKind
from runner.host_keys import fingerprint
from runner.secrets.credentials import Login
from runner.start.inventory import Target, host_variables, secret_inventory
from tests.support.api import JSON, Api
from tests.support.serving import CHECKOUT, PLAYCAST, environment
from tests.support.sshd import Sshd, make_key, require_sshd, start_sshd

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]
PASSWORD = "pa'ss \"w#rd; é"
SERVERS = "query { servers { nodes { name hostKeyFingerprint strictHostKey } } }"
UPDATE = """
mutation Update($input: UpdateServerInput!) {
  updateServer(input: $input) { server { hostKeyFingerprint strictHostKey } userErrors { code message field } }
}
"""
# Neither may turn a refused host key into a success, nor may one task run there.
STUBBORN = """
- hosts: all
  gather_facts: false
  ignore_errors: true
  tasks:
    - block:
        - ansible.builtin.command: touch was-here
      rescue:
        - ansible.builtin.command: touch was-here
"""


class Hosts:
    """One server with a key and one with a password, each at an address of its own; `replace` installs them anew."""

    def __init__(self, tmp_path: Path, stack: ExitStack) -> None:
        self._tmp_path = tmp_path
        self._stack = stack
        self.private, self._public = make_key(tmp_path)
        self.by_key = stack.enter_context(start_sshd(tmp_path, "127.0.0.2", authorized_key=self._public))
        self.by_password = stack.enter_context(start_sshd(tmp_path, "127.0.0.3", password=PASSWORD))

    def replace(self) -> None:
        """The same addresses and logins, but other host keys and empty home directories."""
        by_key, by_password = self.by_key, self.by_password
        by_key.close()
        by_password.close()
        again = (self._tmp_path, by_key.address)
        self.by_key = self._stack.enter_context(start_sshd(*again, port=by_key.port, authorized_key=self._public))
        again = (self._tmp_path, by_password.address)
        self.by_password = self._stack.enter_context(start_sshd(*again, port=by_password.port, password=PASSWORD))

    async def add(self, api: Api, name: str, sshd: Sshd, **more: Any) -> str:
        credential = {"privateKey": self.private} if sshd is self.by_key else {"password": PASSWORD}
        return await api.create_server(
            name=name, host=sshd.address, port=sshd.port, user=sshd.user, credential=credential, **more
        )


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    require_sshd()
    with ExitStack() as stack:
        yield Hosts(tmp_path, stack)


def take_anybody(sshd: Sshd) -> None:
    """Let everybody in without any proof, as a server does that only wants to see what it is told."""
    room = sshd.log.parent
    shadow = (room / "shadow").read_text().splitlines()
    emptied = [line if not line.startswith("deploy:") else "deploy::19000:0:99999:7:::" for line in shadow]
    (room / "shadow").write_text("\n".join(emptied) + "\n")
    config = room / "sshd_config"
    config.write_text(config.read_text() + "PermitEmptyPasswords yes\n")
    read_anew(sshd)


def make_ecdsa(key: Path) -> None:
    key.unlink()
    key.with_suffix(".pub").unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(key)], check=True)


def read_anew(sshd: Sshd) -> None:
    """Let an sshd read its configuration and its host key again, and wait until it listens."""
    before = sshd.log.read_bytes().count(b"Server listening on")
    sshd.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 30
    while sshd.log.read_bytes().count(b"Server listening on") == before:
        assert time.monotonic() < deadline, "the sshd does not come back"
        time.sleep(0.02)


async def pinned(api: Api) -> dict[str, str | None]:
    nodes = (await api.ask(SERVERS))["servers"]["nodes"]
    return {node["name"]: node["hostKeyFingerprint"] for node in nodes}


async def run(api: Api, recipe: str, *servers: str) -> tuple[str, str | None, str | None]:
    job: JSON = await api.finished((await api.run(recipe, *servers))["id"])
    return job["status"], job["failureReason"], job["message"]


def changed(name: str, server_id: int, old: str | None, new: str | None) -> str:
    return (
        f"the host key of {name} has changed: {old} is pinned, {new} was sent. If the server was really installed "
        f'anew, run updateServer(input: {{id: "{server_id}", forgetHostKey: true}}); if not, somebody may pass for it'
    )


async def test_a_changed_key_is_refused_with_both_fingerprints(api: Api, hosts: Hosts, add_recipe: AddRecipe) -> None:
    add_recipe("stubborn", STUBBORN)
    servers = [await hosts.add(api, "by-key", hosts.by_key), await hosts.add(api, "by-password", hosts.by_password)]
    assert await run(api, "stubborn", *servers) == ("SUCCESS", None, None)
    old = await pinned(api)
    assert old == {
        "by-key": hosts.by_key.host_key_fingerprint,
        "by-password": hosts.by_password.host_key_fingerprint,
    }
    hosts.replace()
    await asyncio.to_thread(take_anybody, hosts.by_password)
    new = {"by-key": hosts.by_key.host_key_fingerprint, "by-password": hosts.by_password.host_key_fingerprint}
    first, second = (changed(name, at, old[name], new[name]) for at, name in enumerate(old, 1))
    assert await run(api, "stubborn", *servers) == ("ERROR", "HOST_UNREACHABLE", f"{first}; {second}")
    assert await run(api, "stubborn", servers[1]) == ("ERROR", "HOST_UNREACHABLE", second)
    assert [list(sshd.home.iterdir()) for sshd in (hosts.by_key, hosts.by_password)] == [[], []]
    assert await pinned(api) == old

    forgotten = await api.ask(UPDATE, input={"id": "2", "forgetHostKey": True})
    assert forgotten["updateServer"]["userErrors"] == []
    assert await run(api, "stubborn", *servers) == ("ERROR", "HOST_UNREACHABLE", first)
    assert await pinned(api) == {"by-key": old["by-key"], "by-password": new["by-password"]}
    assert (hosts.by_password.home / "was-here").exists()


async def test_another_type_of_key_is_a_changed_key(api: Api, hosts: Hosts) -> None:
    server = await hosts.add(api, "typed", hosts.by_password)
    assert (await run(api, "base", server))[0] == "SUCCESS"
    key = hosts.by_password.log.parent / "host_key"
    await asyncio.to_thread(make_ecdsa, key)
    await asyncio.to_thread(read_anew, hosts.by_password)
    new = fingerprint(key.with_suffix(".pub").read_text())
    message = changed("typed", 1, hosts.by_password.host_key_fingerprint, new)
    assert await run(api, "base", server) == ("ERROR", "HOST_UNREACHABLE", message)


async def test_two_servers_at_one_address_have_keys_of_their_own(api: Api, data_dir: Path, hosts: Hosts) -> None:
    first = await hosts.add(api, "first", hosts.by_key)
    assert (await run(api, "base", first))[0] == "SUCCESS"
    old = hosts.by_key.host_key_fingerprint
    hosts.replace()
    new = hosts.by_key.host_key_fingerprint
    second = await hosts.add(api, "second", hosts.by_key)
    # That the second server takes the new key at first contact must not make it good for the first.
    assert await run(api, "base", first, second) == ("ERROR", "HOST_UNREACHABLE", changed("first", 1, old, new))
    assert await pinned(api) == {"first": old, "second": new}
    kept = (data_dir / "jobs" / "2" / "known_hosts").read_text().splitlines()
    assert [(line.split()[0], fingerprint(line.partition(" ")[2])) for line in kept] == [("srv-1", old), ("srv-2", new)]


async def test_a_lax_server_takes_any_key_and_pins_none(api: Api, hosts: Hosts) -> None:
    strict = [await hosts.add(api, "by-key", hosts.by_key), await hosts.add(api, "by-password", hosts.by_password)]
    assert (await run(api, "base", *strict))[0] == "SUCCESS"
    old = await pinned(api)
    fresh = await hosts.add(api, "fresh", hosts.by_key, strictHostKey=False)
    for server in strict:
        updated = await api.ask(UPDATE, input={"id": server, "strictHostKey": False})
        assert updated["updateServer"]["server"]["strictHostKey"] is False
    hosts.replace()
    assert await run(api, "base", fresh, *strict) == ("SUCCESS", None, None)
    # A key from before stays, and counts again as soon as the server is strict again.
    assert await pinned(api) == {**old, "fresh": None}
    await api.ask(UPDATE, input={"id": strict[1], "strictHostKey": True})
    message = changed("by-password", 2, old["by-password"], hosts.by_password.host_key_fingerprint)
    assert await run(api, "base", *strict) == ("ERROR", "HOST_UNREACHABLE", message)


async def test_servers_are_strict_unless_they_are_told_not_to_be(api: Api) -> None:
    given: dict[str, JSON] = {"default": {}, "null": {"strictHostKey": None}, "lax": {"strictHostKey": False}}
    ids = {name: await api.create_server(name=name, **more) for name, more in given.items()}
    nodes = (await api.ask(SERVERS))["servers"]["nodes"]
    assert {node["name"]: node["strictHostKey"] for node in nodes} == {"default": True, "null": True, "lax": False}
    untouched = await api.ask(UPDATE, input={"id": ids["lax"], "port": 2222})
    assert untouched["updateServer"]["server"]["strictHostKey"] is False
    refused = await api.ask(UPDATE, input={"id": ids["lax"], "strictHostKey": None})
    assert refused["updateServer"]["server"] is None
    assert (await api.ask(SERVERS))["servers"]["nodes"] == nodes


async def test_a_seed_file_makes_servers_lax_and_strict_again(
    start_app: StartApp, data_dir: Path, ansible_dir: Path, tmp_path: Path
) -> None:
    async def seed(line: str) -> tuple[int, str]:
        file = tmp_path / "servers.yml"
        file.write_text(
            f"servers:\n  - {{name: web, host: localhost, user: root, credential: {{local: true}}{line}}}\n"
        )
        done = await asyncio.to_thread(
            subprocess.run,
            [*PLAYCAST, "seed", str(file)],
            cwd=CHECKOUT, env=environment(data_dir, ansible_dir), capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    assert await seed(", strictHostKey: maybe") == (2, "playcast: servers[0].strictHostKey: write true or false\n")
    shown = []
    for line in (", strictHostKey: false", ""):
        assert await seed(line) == (0, "")
        api = await start_app()
        shown += [node["strictHostKey"] for node in (await api.ask(SERVERS))["servers"]["nodes"]]
        await api.client.close()
    assert shown == [False, True]


@pytest.mark.parametrize("login", [Login(password=PASSWORD), Login(private_key="a key")], ids=["password", "key"])
@pytest.mark.parametrize(
    ("pin", "strict", "expected"),
    [
        ("ssh-ed25519 AAAA", True, ("yes", "known_hosts")),
        (None, True, ("accept-new", "known_hosts")),
        ("ssh-ed25519 AAAA", False, ("no", "/dev/null")),
        (None, False, ("no", "/dev/null")),
    ],
)
def test_the_check_is_the_first_thing_that_ssh_is_told(
    login: Login, pin: str | None, strict: bool, expected: tuple[str, str]
) -> None:
    """Ansible puts `ansible_ssh_args` first, and of two equal options ssh takes the first."""
    server = Server(
        id=7, name="web", host="h", port=22, user="u", variables={}, host_key=pin, strict_host_key=strict,
        auth=ServerAuthKind.SSH_KEY,
    )  # fmt: skip
    written = secret_inventory(host_variables([Target(server, login, [])], {}, "/scratch", "python")).replace(
        b"!unsafe", b""
    )
    host = yaml.safe_load(written)["all"]["hosts"]["srv-7"]
    options = shlex.split(host["ansible_ssh_args"])
    assert options[:6] == [
        *("-o", f"StrictHostKeyChecking={expected[0]}"),
        *("-o", f"UserKnownHostsFile={expected[1]}"),
        *("-o", "HostKeyAlias=srv-7"),
    ]
    assert "Host" not in host["ansible_ssh_common_args"].replace("GlobalKnownHostsFile=/dev/null -o HashKnownHosts", "")
    assert json.dumps(host).count("StrictHostKeyChecking") == 1


def test_fingerprint_of_what_is_no_key() -> None:
    assert [fingerprint(text) for text in (None, "", "ssh-ed25519", "ssh-ed25519 no-base64")] == [None] * 4
