"""Two real servers, one with a key and one with a password: their jobs, and every byte over a socket that is cut."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from tests.support.api import LOG, Api
from tests.support.sshd import Sshd, make_key, require_sshd, start_sshd

PASSWORD = "pa'ss \"w#rd; é"
CUTS = 20
PINNED = "query { servers { nodes { name hostKeyFingerprint } } }"
UPDATE = """
mutation Update($input: UpdateServerInput!) {
  updateServer(input: $input) { server { hostKeyFingerprint } userErrors { message } }
}
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Sshd, Sshd, str]]:
    """An sshd for a key, one for a password, and the private key."""
    require_sshd()
    private, public = make_key(tmp_path)
    with ExitStack() as stack:
        by_key = stack.enter_context(start_sshd(tmp_path, "127.0.0.2", authorized_key=public))
        by_password = stack.enter_context(start_sshd(tmp_path, "127.0.0.3", password=PASSWORD))
        yield by_key, by_password, private


@pytest.fixture
def _own_demo(ansible_dir: Path, tmp_path: Path) -> None:
    """Let `demo` write below this test's directory: both "servers" are this machine, and others run it here too."""
    defaults = ansible_dir / "roles/demo/defaults/main.yml"
    before, shared, after = defaults.read_text().partition("/tmp/playcast-demo-")  # noqa: S108 (where demo writes)
    assert shared
    defaults.write_text(f"{before}{tmp_path}/demo-{after}")


async def add(api: Api, sshd: Sshd, name: str, **credential: str) -> str:
    return await api.create_server(
        name=name, host=sshd.address, port=sshd.port, user=sshd.user, credential=credential, tags=["production"]
    )


async def abort(socket: ClientWebSocketResponse) -> None:
    """Cut the connection as a failing network does, without a goodbye."""
    transport = socket._response.connection.transport  # type: ignore[union-attr]  # no public way to be this rude
    assert transport is not None
    transport.abort()


async def read_with_cuts(api: Api, job: str, rng: random.Random, cuts: int) -> tuple[bytes, int]:
    """A job's log over sockets that are cut at random places, each resumed from the last cursor; bytes, and cuts."""
    received, cursor, done = bytearray(), None, 0
    while True:
        seen = 0
        patience = rng.randint(1, 2) if done < cuts else 10**9
        async with api.socket() as socket:
            variables = {"id": job, "after": cursor}
            await socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": LOG, "variables": variables}})
            async for message in socket:
                answer = json.loads(message.data)
                if answer["type"] == "complete":
                    return bytes(received), done
                chunk = answer["payload"]["data"]["jobLog"]
                assert chunk["after"] == (cursor or "0")
                received += chunk["text"].encode()
                cursor, seen = chunk["cursor"], seen + 1
                if seen >= patience and not chunk["end"]:
                    await abort(socket)
                    done += 1
                    break


async def run_with_cuts(api: Api, recipe: str, servers: list[str], rng: random.Random) -> dict[str, Any]:
    job = await api.run(recipe, *servers)
    received, cuts = await read_with_cuts(api, job["id"], rng, CUTS)
    ended = await api.job(job["id"])
    ended["text"], ended["cuts"] = received, cuts
    return ended


@pytest.mark.usefixtures("_own_demo")
async def test_base_and_demo_on_both_with_cuts(
    api: Api, data_dir: Path, tmp_path: Path, hosts: tuple[Sshd, Sshd, str]
) -> None:
    seed = time.time_ns()
    print("seed", seed)  # noqa: T201 (to repeat a failure)
    rng = random.Random(seed)  # noqa: S311 (places to cut, not secrets)
    by_key, by_password, private = hosts
    servers = [
        await add(api, by_key, "by-key", privateKey=private),
        await add(api, by_password, "by-password", password=PASSWORD),
    ]
    cuts = 0
    for number, recipe in enumerate(("base", "demo", "demo"), start=1):
        job = await run_with_cuts(api, recipe, servers, rng)
        assert (job["status"], job["message"], job["number"]) == ("SUCCESS", None, number)
        assert job["text"] == (data_dir / job["logPath"]).read_bytes()
        cuts += job["cuts"]
    assert cuts >= CUTS
    recap = job["text"].decode().partition("PLAY RECAP")[2]
    assert [line.split()[3] for line in recap.splitlines() if line.startswith("srv-")] == ["changed=0", "changed=0"]
    assert sorted(path.name for path in tmp_path.glob("demo-*")) == ["demo-srv-1", "demo-srv-2"]
    # group_vars of the tag `production` apply.
    assert "production" in (data_dir / "jobs/3/ansible.log").read_text()
    nodes = (await api.ask(PINNED))["servers"]["nodes"]
    assert {node["name"]: node["hostKeyFingerprint"] for node in nodes} == {
        "by-key": by_key.host_key_fingerprint,
        "by-password": by_password.host_key_fingerprint,
    }
    assert (data_dir / "jobs/1/known_hosts").read_text().splitlines() != []
    assert len((data_dir / "jobs/3/known_hosts").read_text().splitlines()) == 2


async def test_a_changed_host_key_is_refused_until_it_is_forgotten(
    api: Api, tmp_path: Path, hosts: tuple[Sshd, Sshd, str]
) -> None:
    by_key, _, private = hosts
    server = await add(api, by_key, "moved", privateKey=private)
    first = await api.run("base", server)
    assert (await api.finished(first["id"]))["status"] == "SUCCESS"
    by_key.close()
    public = (by_key.log.parent / "authorized_keys").read_text().strip()
    with start_sshd(tmp_path, by_key.address, port=by_key.port, authorized_key=public) as impostor:
        refused = await api.finished((await api.run("base", server))["id"])
        assert (refused["status"], refused["failureReason"]) == ("ERROR", "HOST_UNREACHABLE")
        assert refused["message"].startswith(
            f"the host key of moved has changed: {by_key.host_key_fingerprint} is pinned, "
            f"{impostor.host_key_fingerprint} was sent. "
        )
        forgotten = await api.ask(UPDATE, input={"id": server, "forgetHostKey": True})
        assert forgotten["updateServer"] == {"server": {"hostKeyFingerprint": None}, "userErrors": []}
        assert (await api.finished((await api.run("base", server))["id"]))["status"] == "SUCCESS"
        (node,) = (await api.ask(PINNED))["servers"]["nodes"]
        assert node["hostKeyFingerprint"] == impostor.host_key_fingerprint


async def test_a_wrong_login_is_unreachable(api: Api, tmp_path: Path, hosts: tuple[Sshd, Sshd, str]) -> None:
    by_key, by_password, _ = hosts
    (tmp_path / "other").mkdir()
    stranger, _ = make_key(tmp_path / "other")
    wrong = [
        await add(api, by_password, "wrong-password", password="12345"),
        await add(api, by_key, "wrong-key", privateKey=stranger),
    ]
    jobs = [await api.run("base", server) for server in wrong]
    ended = await asyncio.gather(*(api.finished(job["id"]) for job in jobs))
    assert [(job["status"], job["failureReason"], job["message"]) for job in ended] == [
        ("ERROR", "HOST_UNREACHABLE", "wrong-password refused the password of deploy: check user and password"),
        (
            "ERROR",
            "HOST_UNREACHABLE",
            "wrong-key refused to log in deploy (it takes publickey): check user and credential",
        ),
    ]


async def test_one_server_away_does_not_hide_the_other(api: Api, hosts: tuple[Sshd, Sshd, str]) -> None:
    by_key, _, private = hosts
    near = await add(api, by_key, "near", privateKey=private)
    away = await api.create_server(
        name="away", host="127.0.0.4", port=9, user="deploy", credential={"password": PASSWORD}
    )
    ended = await api.finished((await api.run("base", near, away))["id"])
    assert (ended["status"], ended["failureReason"], ended["message"]) == (
        "ERROR",
        "HOST_UNREACHABLE",
        "could not reach away: connection refused; check host, port and firewall",
    )
    assert ended["exitCode"] == 4
