"""Sudo that asks for a password, as docs/recipes.md has it: on a server with a password, and on one with a key."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.api import JSON, RUN, Api
from tests.support.sshd import PASSWORD, Account, make_key, require_sshd, require_sudo, start_sshd

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipes.md"
ASKS = Account(uid=4711, sudoers="Defaults !lecture\ndeploy ALL=(ALL) ALL\n")
StartApp = Callable[..., Awaitable[Api]]


def examples() -> list[str]:
    """The sidecar and the playbook of the page."""
    section = PAGE.read_text().partition("## Sudo that asks for a password")[2].partition("\n## ")[0]
    found = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert len(found) == 2
    return found


@pytest.fixture
async def api(start_app: StartApp, ansible_dir: Path) -> Api:
    sidecar, playbook = examples()
    (ansible_dir / "recipes" / "patch.yml").write_text(sidecar)
    (ansible_dir / "playbooks" / "patch.yml").write_text(playbook)
    return await start_app()


@pytest.mark.parametrize("by", ["password", "key"])
async def test_the_password_of_sudo_is_an_input(api: Api, tmp_path: Path, by: str) -> None:
    require_sshd()
    require_sudo()
    private, public = make_key(tmp_path)
    with start_sshd(tmp_path, password=PASSWORD, authorized_key=public, account=ASKS) as sshd:
        given = {"password": PASSWORD} if by == "password" else {"privateKey": private}
        server = await api.create_server(
            name="web", host=sshd.address, port=sshd.port, user=sshd.user, credential=given
        )
        right = await api.finished((await api.run("patch", server, extraVars={"sudo_password": PASSWORD}))["id"])
        log = "".join([chunk["text"] async for chunk in api.log(right["id"])])
        wrong = await api.finished((await api.run("patch", server, extraVars={"sudo_password": "not-this"}))["id"])
    assert (right["status"], right["message"]) == ("SUCCESS", None)
    assert "changed: [srv-1]" in log
    assert PASSWORD not in log
    assert (wrong["status"], wrong["failureReason"]) == ("ERROR", "PLAYBOOK_FAILED")
    assert wrong["message"] == (
        'failed on web at "Gathering Facts": Incorrect sudo password; '
        "check the password that the playbook gives to sudo"
    )


async def test_without_it_nothing_starts(api: Api) -> None:
    server = await api.create_server()
    tries: list[tuple[JSON, list[str]]] = [
        ({}, ["extraVars", "sudo_password"]),
        ({"sudo_password": "right", "ansible_become_password": "x"}, ["extraVars", "ansible_become_password"]),
    ]
    for given, field in tries:
        payload = (await api.ask(RUN, input={"recipe": "patch", "serverIds": [server], "extraVars": given}))[
            "runProvision"
        ]
        assert [error["field"] for error in payload["userErrors"]] == [field]
        assert payload["job"] is None
