"""Sixteen jobs at once from one launcher, over ssh, each with a credential of its own: none gets what is another's."""

import asyncio
import base64
import json
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from runner.job_dir import JobDir
from runner.job_processes import marked, of_job
from runner.programs.masking import STARS
from tests.conftest import StartApp
from tests.secrets.test_leaks import memory_files
from tests.start.test_connections import UPDATE, masters
from tests.support.api import Api
from tests.support.crowd import SIZE, Member, crowd, password, token, write_recipes
from tests.support.launchers import launcher_of, room_of, starter_of, until
from tests.support.sshd import require_sshd

WRONG = 13
"""It gets the password of another server."""
KNOWN = range(1, SIZE // 2 + 1)
"""Their host keys are pinned before the crowd comes; of the others, its job is the first contact."""
PLAIN = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: echo done\n"
PINNED = "query { servers { nodes { name hostKeyFingerprint } } }"
SUCCESS = ("SUCCESS", None, None)
REFUSED = (
    "ERROR",
    "HOST_UNREACHABLE",
    f"server {WRONG} refused the password of deploy{WRONG}: check user and password",
)


@pytest.fixture
def members(tmp_path: Path, ansible_dir: Path) -> Iterator[dict[int, Member]]:
    require_sshd()
    write_recipes(ansible_dir)
    (ansible_dir / "playbooks" / "plain.yml").write_text(PLAIN)
    with crowd(tmp_path) as all_of_it:
        yield all_of_it


async def meet(api: Api, member: Member) -> None:
    """Learn the host key of a server."""
    job = await api.run("plain", member.id)
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"


async def together(api: Api, members: dict[int, Member]) -> dict[int, int]:
    """A job on each server, all at once, of which all but one succeed; their numbers by that of the server."""
    ended = await asyncio.gather(*(member.run(api) for member in members.values()))
    states = dict(zip(members, (state for _, state in ended), strict=True))
    assert states == {number: REFUSED if number == WRONG else SUCCESS for number in members}
    return dict(zip(members, (job for job, _ in ended), strict=True))


def check_files(member: Member, job_dir: JobDir) -> str | None:
    """A job's directory is as it must be, and nothing else is left; the client's port of its connection."""
    spec = job_dir.read_json(job_dir.spec)
    assert spec is not None
    log = job_dir.log.read_text()
    for number in range(1, SIZE + 1):
        assert password(number) not in log
    assert "PRIVATE KEY" not in log
    assert job_dir.known_hosts.read_text() == f"srv-{member.number} {member.sshd.host_public_key}\n"
    assert not Path(spec["scratch"]).exists()
    # Its ssh agent, its commands, its connections but the kept one.
    assert (of_job(job_dir.path), marked(f"TMPDIR={spec['scratch']}")) == ([], [])
    return None if member.number == WRONG else check_log(member, log, spec)


def check_log(member: Member, log: str, spec: dict[str, Any]) -> str:
    """A log holds what is its own job's, and nothing of another; the client's port of the connection."""
    shown = json.loads(base64.b64decode(log.partition("<<")[2].partition(">>")[0]))
    address, port, *where = shown["there"].pop().split()
    # The agent that holds its key is its own.
    agent = rf"{spec['scratch']}/ansible/tmp/ansible-local-\w+/ssh_agent/agent\.sock" if member.key else "none"
    assert re.fullmatch(agent, shown.pop("agent"))
    assert shown == member.expected(spec)
    assert (address.startswith("127."), where) == (True, [member.sshd.address, str(member.sshd.port)])
    other = token(member.number % SIZE + 1)
    assert f"own {STARS}, other {other};" in log
    assert set(re.findall(r"tok-[0-9a-f]{20}", log)) == {other}
    assert set(re.findall(r"srv-\d+", log)) == {f"srv-{member.number}"}
    # Ansible took the grey of its paths when it was imported.
    colours = {f"\x1b[38;5;{member.colour}m", "\x1b[1;30m", "\x1b[0m"} if member.colour else set()
    assert set(re.findall("\x1b[^m]*m", log)) == colours
    assert re.findall(r"TASK \[Paint (\d+)\]", log) == [str(member.colour)]
    return str(port)


def task_ids(job_dir: JobDir) -> set[str]:
    return {json.loads(line).get("task_id") for line in job_dir.events.read_text().splitlines()} - {None}


async def pins(api: Api) -> dict[str, str | None]:
    nodes = (await api.ask(PINNED))["servers"]["nodes"]
    return {node["name"]: node["hostKeyFingerprint"] for node in nodes}


class Rounds:
    """Lets the whole crowd come again and again, and checks what each job left."""

    def __init__(self, api: Api, members: dict[int, Member], jobs_dir: Path) -> None:
        self._api = api
        self._members = members
        self._jobs_dir = jobs_dir
        self._task_ids: set[str] = set()
        # The client's ports of the connections that each server has seen.
        self._ports = {number: [port for _, _, port, _ in member.logins()] for number, member in members.items()}

    async def play(self, new: Collection[int], kept: int) -> None:
        """A job on each server; those in `new` log in, and the others go over the connection of their last job.

        Afterwards `kept` connections stand.
        """
        jobs = await together(self._api, self._members)
        for number, member in self._members.items():
            job_dir = JobDir(self._jobs_dir, jobs[number])
            port = check_files(member, job_dir)
            ids = task_ids(job_dir)
            assert (len(ids), self._task_ids & ids) == (1 if number == WRONG else 3, set())
            self._task_ids |= ids
            if port is not None:
                self._ports[number] += [port] if number in new else []
                assert port == self._ports[number][-1]
            assert member.logins() == [member.login_from(port) for port in self._ports[number]]
        assert self._ports[WRONG] == []
        assert len(masters(self._api)) == kept


@pytest.mark.timeout(300)
@pytest.mark.alone("sixteen jobs at once leave no core to others")
async def test_each_job_has_its_own_login(start_app: StartApp, members: dict[int, Member], data_dir: Path) -> None:
    # A connection waits for longer than a slow machine takes for a round.
    api = await start_app(launcher="warm", slots=SIZE, keep_connections=600)
    launcher = launcher_of(api)
    room = sorted(room_of(launcher).rglob("*"))
    open_files = launcher.num_fds()
    for number, member in members.items():
        await member.add_to(api, {"password": password(WRONG + 2)} if number == WRONG else member.credential)
    await asyncio.gather(*(meet(api, members[number]) for number in KNOWN))
    own = {member.name: member.sshd.host_key_fingerprint for member in members.values()}
    assert len(set(own.values())) == SIZE
    met = {members[number].name for number in KNOWN}
    assert await pins(api) == {name: pin if name in met else None for name, pin in own.items()}

    rounds = Rounds(api, members, data_dir / "jobs")
    # Of a first contact no connection is kept.
    await rounds.play(members, len(KNOWN))
    assert await pins(api) == own
    await rounds.play(set(members) - set(KNOWN), SIZE - 1)
    assert await pins(api) == own
    assert (starter_of(api).warm, starter_of(api).cold) == (len(KNOWN) + 2 * SIZE, 0)

    swapped = [members[number] for number in (1, 2, 3, 4)]
    before = [member.logins() for member in swapped]
    assert await states_with(api, swapped, swapped[2:] + swapped[:2]) == [("ERROR", "HOST_UNREACHABLE")] * 4
    # The connections stood all the while.
    assert await states_with(api, swapped, swapped) == [("SUCCESS", None)] * 4
    assert [member.logins() for member in swapped] == before

    await check_untouched(launcher, room, open_files)
    holders = [launcher.pid, os.getpid(), *masters(api)]
    assert [file for pid in holders for file in memory_files(pid)] == []
    await api.client.close()
    # They are killed, and gone a moment later.
    await until(lambda: masters(api) == [])


async def states_with(api: Api, members: list[Member], others: list[Member]) -> list[tuple[str, str | None]]:
    """How jobs on `members` end, each with the credential of one of the `others`."""
    for member, other in zip(members, others, strict=True):
        given = {"id": member.id, "credential": other.credential}
        assert (await api.ask(UPDATE, input=given))["updateServer"]["userErrors"] == []
    ended = await asyncio.gather(*(member.run(api) for member in members))
    return [state[:2] for _, state in ended]


async def check_untouched(launcher: psutil.Process, room: list[Path], open_files: int) -> None:
    """The launcher is what it was: no file more, no thread, no child, be it dead."""
    await until(lambda: launcher.children() == [])
    assert (launcher.num_fds(), launcher.num_threads()) == (open_files, 1)
    assert open_files <= 6
    assert sorted(room_of(launcher).rglob("*")) == room
