"""Whole jobs on real sshds: through Playcast and by hand, interleaved in rounds on one machine."""

import asyncio
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import aiohttp

from bench.parts import job_memory, submit_path
from bench.rig.server import ROOT, Server
from bench.rig.sshd_fleet import Fleet, ansible_playbook
from tests.support.sshd import missing_parts

ROUNDS = {1: 7, 10: 5, 50: 3}
"""How often each way is measured, by the number of hosts."""
PING = "- name: Ping\n  hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"
BARE = "bare `ansible-playbook -vv`"
SERVERS = {
    "cold": {"PLAYCAST_LAUNCHER": "cold", "PLAYCAST_KEEP_CONNECTIONS": "0"},
    "warm": {"PLAYCAST_LAUNCHER": "warm", "PLAYCAST_KEEP_CONNECTIONS": "0"},
    "warm, connections kept": {"PLAYCAST_LAUNCHER": "warm", "PLAYCAST_KEEP_CONNECTIONS": "600"},
}
"""The ways that Playcast itself can go; the last is how it is shipped, but for the longer time: a round may be long."""
_UPDATES = "subscription { jobUpdated { number status message } }"
Way = Callable[[], float]


def rows() -> Iterator[tuple[str, str]]:
    """Each row of the table: what, and its figure."""
    missing = missing_parts()
    if missing is not None:
        yield "1, 10 and 50 hosts: submit -> final state", f"not measured: {missing}"
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as opened:
        folder = Path(name)
        ansible_dir = folder / "ansible"
        shutil.copytree(ROOT / "ansible", ansible_dir)
        (ansible_dir / "playbooks" / "ping.yml").write_text(PING)
        (ansible_dir / "playbooks" / "hold.yml").write_text(job_memory.HOLD.format(folder=folder))
        settings = {"PLAYCAST_ANSIBLE_DIR": str(ansible_dir), "PLAYCAST_SLOTS": str(job_memory.MOST)}
        servers = {
            name: opened.enter_context(Server(folder / name[-4:], "playcast serve", **chosen, **settings))
            for name, chosen in SERVERS.items()
        }
        for warm in ("warm", "warm, connections kept"):
            until_warm(servers[warm])
        yield from job_memory.idle(servers["warm"])
        for hosts, rounds in ROUNDS.items():
            place = folder / f"of-{hosts}"
            place.mkdir()
            with Fleet(place, hosts) as fleet:
                targets = {name: fleet.add_to(server) for name, server in servers.items()}
                if hosts == 1:
                    yield from _base(fleet, servers["warm"], targets["warm"], ansible_dir, rounds)
                    yield from submit_path.rows_of(servers["warm, connections kept"], targets["warm, connections kept"])
                    yield from _memory(fleet, servers, folder)
                yield from _pings(fleet, servers, targets, ansible_dir, rounds)


def _memory(fleet: Fleet, servers: dict[str, Server], folder: Path) -> Iterator[tuple[str, str]]:
    pair = {name: servers[name] for name in ("cold", "warm")}
    # One job at a time runs on a server of Playcast's, but several of those may be the same machine.
    targets = {
        name: [id_ for number in range(job_memory.MOST) for id_ in fleet.add_to(server, f"held {number}")]
        for name, server in pair.items()
    }
    yield from job_memory.running(pair, targets, folder)


def _base(
    fleet: Fleet, server: Server, targets: list[str], ansible_dir: Path, rounds: int
) -> Iterator[tuple[str, str]]:
    playbook = ansible_dir / "playbooks" / "base.yml"
    ways: dict[str, Way] = {
        BARE: lambda: _by_hand(fleet, playbook),
        "submit -> final state": lambda: through_playcast(server, "base", targets),
    }
    yield from _ratios("1 host, `base`", ways, rounds)


def _pings(
    fleet: Fleet, servers: dict[str, Server], targets: dict[str, list[str]], ansible_dir: Path, rounds: int
) -> Iterator[tuple[str, str]]:
    playbook = ansible_dir / "playbooks" / "ping.yml"
    config = str(ansible_dir / "ansible.cfg")
    ways: dict[str, Way] = {
        BARE: lambda: _by_hand(fleet, playbook),
        "bare, with Playcast's ansible.cfg": lambda: _by_hand(fleet, playbook, ANSIBLE_CONFIG=config),
    }
    for name, server in servers.items():
        ways[f"Playcast {name}"] = partial(through_playcast, server, "ping", targets[name])
    runner = importlib.util.find_spec("ansible_runner") is not None
    if runner:
        ways["ansible-runner"] = lambda: _by_ansible_runner(fleet, playbook)
    what = f"{len(fleet.sshds)} host{'s' if len(fleet.sshds) > 1 else ''}, ping"
    yield from _ratios(what, ways, rounds)
    if not runner:
        yield f"{what}: ansible-runner", "not installed"


def _ratios(what: str, ways: dict[str, Way], rounds: int) -> Iterator[tuple[str, str]]:
    """Each way against the first one of its round; the rounds begin with another way each."""
    names = list(ways)
    for name in (*names, *names):
        # Twice without a clock: host keys are learned, files are in memory, and connections that are kept stand.
        ways[name]()
    ratios: dict[str, list[float]] = {name: [] for name in names[1:]}
    for number in range(rounds):
        turn = number % len(names)
        took = {name: ways[name]() for name in (*names[turn:], *names[:turn])}
        for name, found in ratios.items():
            found.append(took[name] / took[names[0]])
    for name, found in ratios.items():
        found.sort()
        yield (
            f"{what}: {name}, against {names[0]}",
            f"{found[len(found) // 2]:.2f}x ({found[0]:.2f} to {found[-1]:.2f})",
        )


def _by_hand(fleet: Fleet, playbook: Path, **settings: str) -> float:
    """The command as a person types it."""
    command = [ansible_playbook(), "-i", str(fleet.inventory()), str(playbook), "-vv"]
    return _run(command, fleet, settings)


def _by_ansible_runner(fleet: Fleet, playbook: Path) -> float:
    room = tempfile.mkdtemp(prefix="runner-", dir=fleet.folder)
    inventory = ["--inventory", str(fleet.inventory())]
    return _run(
        [sys.executable, "-m", "ansible_runner", "run", room, "-p", str(playbook), *inventory, "-vv"], fleet, {}
    )


def _run(command: list[str], fleet: Fleet, settings: dict[str, str]) -> float:
    env = {**fleet.environment(), **settings}
    # A runner starts ansible-playbook by its name.
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    with (fleet.folder / "bare.log").open("wb") as log:
        began = time.monotonic()
        subprocess.run(command, check=True, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=fleet.folder)
        return time.monotonic() - began


def through_playcast(server: Server, recipe: str, targets: list[str]) -> float:
    """Seconds from the call of runProvision until a client hears of the final state."""
    return asyncio.run(_through_playcast(server, recipe, targets))


async def _through_playcast(server: Server, recipe: str, targets: list[str]) -> float:
    protocols = ["graphql-transport-ws"]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/graphql", protocols=protocols) as ws,
    ):
        await ws.send_json({"type": "connection_init"})
        await ws.receive()
        await ws.send_json({"type": "subscribe", "id": "1", "payload": {"query": _UPDATES}})
        began = time.monotonic()
        job = server.run(recipe, *targets)
        async for message in ws:
            state = message.json()["payload"]["data"]["jobUpdated"]
            if state["number"] == job and state["status"] not in ("PENDING", "RUNNING"):
                took = time.monotonic() - began
                break
    assert state["status"] == "SUCCESS", state
    return took


def until_warm(server: Server) -> None:
    """Wait for the launcher of a server: the jobs before it start cold."""
    while "playcast_launcher_warm 1.0" not in server.metrics():
        time.sleep(0.1)
