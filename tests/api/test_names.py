"""Names as people have them: accounts of directories, hosts with underscores and zones, hosts of a playbook."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from runner.job_dir import JobDir
from tests.support.api import Api
from tests.support.sshd import PASSWORD, Account, make_key, require_sshd, start_sshd

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]

WHO = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: Who, ansible.builtin.command: printenv USER, register: who}
    - ansible.builtin.assert: {that: who.stdout == ansible_user}
    - ansible.builtin.copy: {content: x, dest: "~/copied"}
"""
USERS = ["CORP\\anna", "anna@corp.example", "12pc", "1", "None", "anna.k+x@corp.example", "a" * 32]


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_users_of_all_kinds_log_in(
    start_app: StartApp, add_recipe: AddRecipe, tmp_path: Path, data_dir: Path, launcher: str
) -> None:
    require_sshd()
    add_recipe("who", WHO)
    api = await start_app(launcher=launcher)
    private, public = make_key(tmp_path)
    for number, user in enumerate(USERS):
        with start_sshd(
            tmp_path, user=user, password=PASSWORD, authorized_key=public, account=Account(options={"AllowUsers": "*"})
        ) as sshd:
            there = {"host": sshd.address, "port": sshd.port, "user": user}
            for by, credential in (("password", {"password": PASSWORD}), ("key", {"privateKey": private})):
                server = await api.create_server(name=f"{by} {number}", credential=credential, **there)
                job = await api.run("who", server)
                ended = await api.finished(job["id"])
                assert (user, by, ended["status"], ended["message"]) == (user, by, "SUCCESS", None)
            wrong = await api.create_server(name=f"wrong {number}", credential={"password": "x"}, **there)
            refused = await api.finished((await api.run("who", wrong))["id"])
            assert refused["message"] == f"wrong {number} refused the password of {user}: check user and password"


async def test_hosts_of_all_kinds_are_taken(api: Api, data_dir: Path) -> None:
    taken = {
        "web_1": "web_1",
        "_dmarc.example.org": "_dmarc.example.org",
        "host.example.org.": "host.example.org.",
        "FE80::1%lo": "fe80::1%lo",
        "::1%eth0.100": "::1%eth0.100",
        "10.0.0.1": "10.0.0.1",
        "2001:DB8::1": "2001:db8::1",
        "a" * 63 + ".example": "a" * 63 + ".example",
    }
    for number, host in enumerate(taken):
        await api.create_server(name=str(number), host=host)
    nodes = (await api.ask("{ servers { nodes { host } } }"))["servers"]["nodes"]
    assert [node["host"] for node in nodes] == list(taken.values())
    # Ansible reads every one of them as it is.
    job = await api.run("base", *(str(number) for number in range(1, len(taken) + 1)))
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"


async def test_an_address_of_ipv6_is_reached(start_app: StartApp, add_recipe: AddRecipe, tmp_path: Path) -> None:
    require_sshd()
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6, not even on its loopback")
    add_recipe("who", WHO)
    api = await start_app()
    options = {"AddressFamily": "inet6", "ListenAddress": "::1"}
    with start_sshd(tmp_path, password=PASSWORD, account=Account(options=options)) as sshd:
        given: dict[str, Any] = {"host": "::1", "port": sshd.port, "user": sshd.user}
        server = await api.create_server(credential={"password": PASSWORD}, **given)
        ended = await api.finished((await api.run("who", server))["id"])
        assert (ended["status"], ended["message"]) == ("SUCCESS", None)


async def test_a_zone_comes_to_ssh_as_it_is(api: Api, add_recipe: AddRecipe) -> None:
    require_sshd()
    add_recipe("who", WHO)
    # Nobody has this address, and only with its zone is it one.
    server = await api.create_server(host="fe80::dead%lo", port=1, credential={"password": PASSWORD})
    job = await api.run("who", server)
    assert (await api.finished(job["id"]))["failureReason"] == "HOST_UNREACHABLE"
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    assert "ssh: connect to host fe80::dead%lo port 1: " in log


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


ADDS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.add_host: {name: "{{ item }}", groups: new, ansible_connection: local}
      loop: ["{{ one }}", "{{ other }}"]
- hosts: new
  gather_facts: false
  tasks:
    - {name: Ping, ansible.builtin.ping: }
"""
EVENTS = """
query Events($id: ID!) {
  job(id: $id) {
    hosts { serverName ok }
    events(first: 100) { nodes { ... on PlayStartedEvent { hosts } ... on HostTaskEvent { host task } } }
  }
}
"""


@pytest.mark.parametrize("length", [33, 63, 253])
async def test_hosts_of_a_playbook_keep_their_names(api: Api, add_recipe: AddRecipe, length: int) -> None:
    add_recipe("adds", ADDS)
    # Names that a cloud gives: they differ in their last letter alone.
    stem = ("ec2-203-0-113-17.eu-central-1.compute.example." * 8)[: length - 1]
    one, other = f"{stem}a", f"{stem}b"
    job = await api.run("adds", await api.create_server(), extraVars={"one": one, "other": other})
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    found = (await api.ask(EVENTS, id=job["id"]))["job"]
    assert found["hosts"] == [{"serverName": "here", "ok": 1}]
    assert [node["hosts"] for node in found["events"]["nodes"] if "hosts" in node] == [["srv-1"], [one, other]]
    pinged = [node["host"] for node in found["events"]["nodes"] if node.get("task") == "Ping"]
    assert sorted(pinged) == [one, other]


async def test_the_readable_inventory_says_what_is_meant(api: Api, data_dir: Path) -> None:
    server = await api.create_server(user="CORP\\anna", host="web_1")
    job = await api.run("base", server)
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    assert JobDir(data_dir / "jobs", 1).hosts.read_text() == (
        "srv-1 ansible_host=web_1 ansible_port=22 ansible_user='CORP\\anna'\n"
    )
