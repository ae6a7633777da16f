"""Where Python is on a server is found once, told to the jobs that follow, and never stands in anybody's way."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models import Server
from runner.job_dir import JobDir
from runner.outcome.findings import EventSummary
from runner.start.interpreters import KEEP, learn
from tests.support.api import Api
from tests.support.sshd import PASSWORD, Sshd

StartApp = Callable[..., Awaitable[Api]]
# The first task runs on the controller: what it shows was known before anything ran over there.
SHOW = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "known: {{ ansible_facts.discovered_interpreter_python | default('nothing') }}"
    - ansible.builtin.ping:
    - ansible.builtin.debug:
        msg: "then: {{ ansible_facts.discovered_interpreter_python | default('nothing') }}"
    - ansible.builtin.meta: clear_facts
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "cleared: {{ ansible_facts.discovered_interpreter_python | default('nothing') }}"
"""
LOOP = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: echo {{ item }}
      loop: [1, 2]
"""
DELEGATED = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
      delegate_to: "{{ groups.all | last }}"
"""
FAILING = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: 'false'\n"
RESCUED = FAILING.replace("'false'\n", "'false'\n      ignore_errors: true\n")
UPDATE = """
mutation Update($input: UpdateServerInput!) { updateServer(input: $input) { userErrors { code message field } } }
"""
WARM_AND_COLD = pytest.mark.parametrize("launcher", ["cold", "warm"])


@pytest.fixture
def start(start_app: StartApp, add_recipe: Callable[[str, str], None]) -> StartApp:
    recipes = {"show": SHOW, "loop": LOOP, "delegated": DELEGATED, "failing": FAILING, "ignored": RESCUED}
    for name, content in recipes.items():
        add_recipe(name, content)
    return start_app


async def add(api: Api, sshd: Sshd, name: str = "web", **given: Any) -> str:
    login = {"host": sshd.address, "port": sshd.port, "user": sshd.user, "credential": {"password": PASSWORD}}
    return await api.create_server(name=name, **login, **given)


async def ran(api: Api, recipe: str, *servers: str, **options: Any) -> tuple[str, str | None]:
    """(status, message) of a new job."""
    job = await api.finished((await api.run(recipe, *servers, **options))["id"])
    return job["status"], job["message"]


def shown(data_dir: Path, number: int) -> list[str]:
    """What the debug tasks of a job printed."""
    log = JobDir(data_dir / "jobs", number).log.read_text()
    return [line.split('"')[3] for line in log.splitlines() if '"msg": "' in line]


def found(data_dir: Path, number: int) -> list[str]:
    """What a job's events say was found."""
    lines = JobDir(data_dir / "jobs", number).events.read_text().splitlines()
    return [event["interpreter"] for event in map(json.loads, lines) if "interpreter" in event]


async def stored(number: int = 1) -> str | None:
    return (await Server.get(id=number)).interpreter


@WARM_AND_COLD
async def test_the_next_job_need_not_look(start: StartApp, sshd: Sshd, launcher: str, data_dir: Path) -> None:
    api = await start(launcher=launcher)
    server = await add(api, sshd)
    before = datetime.now(UTC)
    assert await ran(api, "show", server) == ("SUCCESS", None)
    (path,) = found(data_dir, 1)
    assert shown(data_dir, 1) == ["known: nothing", f"then: {path}", "cleared: nothing"]
    row = await Server.get(id=1)
    assert row.interpreter == path
    assert row.interpreter_found_at is not None
    assert before <= row.interpreter_found_at <= datetime.now(UTC)

    assert await ran(api, "show", server) == ("SUCCESS", None)
    assert found(data_dir, 2) == []
    # The facts that a playbook clears stay cleared.
    assert shown(data_dir, 2) == [f"known: {path}", f"then: {path}", "cleared: nothing"]
    assert (await Server.get(id=1)).interpreter_found_at == row.interpreter_found_at


async def test_a_loop_finds_it_too(start: StartApp, sshd: Sshd, data_dir: Path) -> None:
    api = await start()
    server = await add(api, sshd)
    assert await ran(api, "loop", server) == ("SUCCESS", None)
    assert set(found(data_dir, 1)) == {await stored()} != {None}


async def test_what_another_host_has_is_not_taken_for_it(start: StartApp, sshd: Sshd, data_dir: Path) -> None:
    api = await start()
    servers = [await add(api, sshd), await add(api, sshd, "other")]
    assert await ran(api, "delegated", *servers) == ("SUCCESS", None)
    # Both tasks ran on the second one; only that it found for itself counts.
    assert found(data_dir, 1) == []
    assert (await stored(1), await stored(2)) == (None, None)


async def test_after_a_day_it_looks_again(start: StartApp, sshd: Sshd, data_dir: Path) -> None:
    api = await start()
    server = await add(api, sshd)
    long_ago = datetime.now(UTC) - KEEP - timedelta(seconds=1)
    await Server.filter(id=1).update(interpreter="/gone/python3", interpreter_found_at=long_ago)
    assert await ran(api, "show", server) == ("SUCCESS", None)
    assert found(data_dir, 1) == [await stored()] != ["/gone/python3"]


async def test_one_that_is_gone_is_forgotten(start: StartApp, sshd: Sshd, data_dir: Path) -> None:
    api = await start()
    server = await add(api, sshd)
    await Server.filter(id=1).update(interpreter="/gone/python3", interpreter_found_at=datetime.now(UTC))
    status, message = await ran(api, "show", server)
    assert (status, message) == (
        "ERROR",
        (
            'failed on web at "ansible.builtin.ping": '
            "The module interpreter '/gone/python3' was not found; "
            "install Python there, or set ansible_python_interpreter for the server"
        ),
    )
    assert await stored() is None
    assert await ran(api, "show", server) == ("SUCCESS", None)
    assert found(data_dir, 2) == [await stored()] != [None]


@pytest.mark.parametrize("recipe", ["failing", "ignored"])
async def test_any_trouble_makes_it_look_again(start: StartApp, sshd: Sshd, recipe: str) -> None:
    api = await start()
    server = await add(api, sshd)
    assert await ran(api, "show", server) == ("SUCCESS", None)
    assert await stored() is not None
    await ran(api, recipe, server)
    assert await stored() is None
    await ran(api, recipe, server)
    assert await stored() is None


async def test_each_setting_wins_over_it(start: StartApp, sshd: Sshd, ansible_dir: Path) -> None:
    api = await start()
    mine = await add(api, sshd, variables={"ansible_python_interpreter": "/mine/python3"})
    tagged = await add(api, sshd, "tagged", tags=["odd"])
    (ansible_dir / "group_vars" / "odd.yml").write_text("ansible_python_interpreter: /tags/python3\n")
    for server, path in ((mine, "/mine/python3"), (tagged, "/tags/python3")):
        await Server.all().update(interpreter="/gone/python3", interpreter_found_at=datetime.now(UTC))
        status, message = await ran(api, "show", server)
        assert status == "ERROR"
        assert message is not None
        assert f"'{path}' was not found" in message


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ({"host": "127.0.0.9"}, False),
        ({"port": 2222}, False),
        ({"forgetHostKey": True}, False),
        ({"name": "new", "user": "root", "tags": ["web"]}, True),
    ],
)
async def test_another_machine_has_its_own(start: StartApp, change: dict[str, Any], *, stays: bool) -> None:
    api = await start()
    server = await api.create_server(name="web", host="127.0.0.5", credential={"password": PASSWORD})
    await Server.filter(id=1).update(interpreter="/usr/bin/python3", interpreter_found_at=datetime.now(UTC))
    assert (await api.ask(UPDATE, input={"id": server, **change}))["updateServer"]["userErrors"] == []
    row = await Server.get(id=1)
    assert (row.interpreter, row.interpreter_found_at is None) == (
        ("/usr/bin/python3", False) if stays else (None, True)
    )


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"1": ["127.0.0.5", 22, None]}, "/usr/bin/python3; reboot"),
        ({"1": ["127.0.0.5", 22, None]}, "python3"),
        ({"1": ["127.0.0.5", 22, None]}, "/usr/bin/m4"),
        ({"1": ["127.0.0.5", 22, None]}, "/usr/bin/../../tmp/python3"),
        ({"1": ["127.0.0.5", 22, None]}, "/" + "x" * 255),
        # It has moved since the job began.
        ({"1": ["127.0.0.6", 22, None]}, "/usr/bin/python3"),
        ({"1": ["127.0.0.5", 23, None]}, "/usr/bin/python3"),
        # It was not in the job.
        ({}, "/usr/bin/python3"),
        # Somebody wrote into the job's directory.
        ({"one": ["127.0.0.5", 22, None]}, "/usr/bin/python3"),
        ({"1": 22}, "/usr/bin/python3"),
        (None, "/usr/bin/python3"),
    ],
)
async def test_what_looks_odd_is_not_kept(start: StartApp, given: object, path: str) -> None:
    api = await start()
    await api.create_server(name="web", host="127.0.0.5", credential={"password": PASSWORD})
    await learn(given, EventSummary(interpreters={"srv-1": path}))
    assert await stored() is None
    await learn({"1": ["127.0.0.5", 22, None]}, EventSummary(interpreters={"srv-1": "/usr/bin/python3"}))
    assert await stored() == "/usr/bin/python3"
