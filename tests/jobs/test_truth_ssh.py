"""States tell the truth about servers that cannot be reached: what stands in the way, and what to do about it."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.api import JSON, Api
from tests.support.sshd import Sshd, make_key, require_sshd, start_sshd

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]
PASSWORD = "correct horse"

MIXED = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Install nginx
      ansible.builtin.fail: {msg: No package matching nginx}
      when: server_name.startswith("web")
    - name: Ping
      ansible.builtin.ping:
      ignore_errors: true
"""


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[Sshd, str]]:
    """An sshd that takes one password and one key, and that private key."""
    require_sshd()
    private, public = make_key(tmp_path)
    with start_sshd(tmp_path, "127.0.0.2", password=PASSWORD, authorized_key=public) as running:
        yield running, private


@pytest.fixture
def deaf() -> Iterator[dict[str, int]]:
    """Ports of 127.0.0.3: one where nobody listens, one that takes a connection and says nothing."""
    with ExitStack() as stack:
        closed, tarpit = (stack.enter_context(socket.socket()) for _ in range(2))
        for each in (closed, tarpit):
            each.bind(("127.0.0.3", 0))
        tarpit.listen()
        yield {"closed": closed.getsockname()[1], "tarpit": tarpit.getsockname()[1]}


@pytest.fixture
async def api(start_app: StartApp, ansible_dir: Path) -> Api:
    """An app whose ansible waits fifteen seconds for a server."""
    cfg = ansible_dir / "ansible.cfg"
    cfg.write_text(cfg.read_text().replace("timeout = 10", "timeout = 15"))
    return await start_app()


def told(job: JSON) -> tuple[str, str | None, str | None, int | None]:
    return job["status"], job["failureReason"], job["message"], job["exitCode"]


async def test_what_stands_between(
    api: Api, tmp_path: Path, sshd: tuple[Sshd, str], deaf: dict[str, int], add_recipe: AddRecipe
) -> None:
    running, private = sshd
    add_recipe("mixed", MIXED)
    (tmp_path / "other").mkdir()
    stranger, _ = make_key(tmp_path / "other")
    there = {"host": running.address, "port": running.port, "user": "deploy"}
    away = {"host": "127.0.0.3", "user": "deploy", "credential": {"password": PASSWORD}}
    servers = {
        "near": await api.create_server(name="near", **there, credential={"privateKey": private}),
        "web-1": await api.create_server(name="web-1", **there, credential={"password": PASSWORD}),
        "password": await api.create_server(name="password", **there, credential={"password": "12345"}),
        "key": await api.create_server(name="key", **there, credential={"privateKey": stranger}),
        "closed": await api.create_server(name="closed", **away, port=deaf["closed"]),
        "tarpit": await api.create_server(name="tarpit", **away, port=deaf["tarpit"]),
        "ghost": await api.create_server(name="ghost", **{**there, "user": "ghost"}, credential={"password": PASSWORD}),
    }
    jobs = [
        await api.run("base", servers["near"], servers["closed"]),
        await api.run("base", servers["tarpit"]),
        await api.run("base", servers["password"], servers["key"], servers["ghost"]),
        await api.run("mixed", servers["web-1"], servers["closed"], servers["password"]),
        await api.run("base", servers["near"]),
    ]
    ended = [told(job) for job in await asyncio.gather(*(api.finished(job["id"]) for job in jobs))]
    refused = "connection refused; check host, port and firewall"
    assert ended == [
        ("ERROR", "HOST_UNREACHABLE", f"could not reach closed: {refused}", 4),
        ("ERROR", "HOST_UNREACHABLE", "could not reach tarpit: no answer in time; check host, port and firewall", 4),
        ("ERROR", "HOST_UNREACHABLE",
         ("password refused the password of deploy: check user and password; "
          "key refused to log in deploy (it takes publickey,password): check user and credential; "
          "ghost refused the password of ghost: check user and password"), 4),
        ("ERROR", "PLAYBOOK_FAILED",
         ('failed on web-1 at "Install nginx": No package matching nginx; '
          f"could not reach closed: {refused}; password refused the password of deploy: check user and password"), 4),
        ("SUCCESS", None, None, 0),
    ]  # fmt: skip
