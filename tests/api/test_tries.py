"""Wrong tokens: who shows them waits, who shows the right one does not, and nothing of it fills memory or log."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from playcast.http import wrong_tokens
from playcast.http.tally import Tally
from playcast.http.wrong_tokens import AT_ONCE, EACH_SECONDS, MOST_ADDRESSES, MOST_SECONDS, Tries, network_of
from tests.conftest import StartApp
from tests.support.api import Api

TOKEN = "correct-horse"
ADDRESS = "192.0.2.1"


class Clock:
    """A time that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Tries, Clock]:
    clock = Clock()
    return Tries(Tally(), clock), clock


def waits(slow: Tries, count: int) -> list[float]:
    return [round(slow._seconds(ADDRESS), 6) for _ in range(count)]


def test_the_first_wrong_tokens_are_answered_at_once_and_then_ever_later() -> None:
    slow, clock = made()
    assert waits(slow, 8) == [-0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6]
    # No answer takes longer than this, and who stops is soon as any other.
    assert max(waits(slow, 5000)) == MOST_SECONDS
    clock.now += MOST_SECONDS + AT_ONCE * EACH_SECONDS
    assert waits(slow, AT_ONCE + 1) == [-0.8, -0.6, -0.4, -0.2, 0.0, 0.2]


def test_each_address_is_slowed_down_by_itself() -> None:
    slow, _ = made()
    for _ in range(1000):
        slow._seconds(ADDRESS)
    assert slow._seconds("192.0.2.2") <= 0
    assert slow._seconds("2001:db8::/64") <= 0


def test_only_so_many_addresses_are_remembered() -> None:
    slow, _ = made()
    for number in range(MOST_ADDRESSES + 500):
        slow._seconds(f"a{number}")
    assert len(slow._next) == MOST_ADDRESSES
    assert "a499" not in slow._next
    assert "a500" in slow._next


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::/64"),
        ("2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:1:2:3", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        (None, "unknown"),
        ("", "unknown"),
        ("no address", "unknown"),
    ],
)
def test_what_counts_as_one_address(address: str | None, name: str) -> None:
    assert network_of(address) == name


async def wrong(api: Api, way: str, number: int) -> Any:
    token = f"guess-{number}"
    if way == "session":
        async with api.client.post("/session", json={"token": token}) as response:
            return response.status
    if way == "bearer":
        async with api.client.get("/metrics", headers={"Authorization": f"Bearer {token}"}) as response:
            return response.status
    async with api.client.ws_connect("/graphql", protocols=["graphql-transport-ws"]) as socket:
        await socket.send_json({"type": "connection_init", "payload": {"token": token}})
        return (await socket.receive(timeout=60)).data


@pytest.mark.parametrize(("way", "refusal"), [("session", 401), ("bearer", 401), ("socket", 4403)])
async def test_the_right_token_is_answered_while_wrong_ones_wait(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch, way: str, refusal: int
) -> None:
    monkeypatch.setattr(wrong_tokens, "EACH_SECONDS", 5.0)
    monkeypatch.setattr(wrong_tokens, "MOST_SECONDS", 200.0)
    api = await start_app(token=TOKEN)
    with capture_logs() as logs:
        guesses = [asyncio.create_task(wrong(api, way, number)) for number in range(30)]
        done: set[asyncio.Task[Any]] = set()
        while len(done) < AT_ONCE:
            done, waiting = await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
            guesses = [*done, *waiting]
        assert {task.result() for task in done} == {refusal}
        # From the same address, as behind a proxy: by header, by signing in, over a socket.
        for _ in range(20):
            assert (await api.ask("{ viewer { name } }"))["viewer"] == {"name": "token"}
        async with api.client.post("/session", json={"token": TOKEN}) as response:
            assert response.status == 204
        api.client.session.cookie_jar.clear()
        async with api.socket() as socket:
            await socket.send_json({"type": "ping"})
            assert await socket.receive_json(timeout=30) == {"type": "pong"}
        assert len([task for task in guesses if not task.done()]) >= 30 - AT_ONCE - 2
        # A server that stops lets nobody wait.
        await api.client.close()
        await asyncio.wait(guesses, timeout=60)
        assert all(task.done() for task in guesses)
    for task in guesses:
        task.exception()
    told = [entry for entry in logs if "token" in entry["event"]]
    assert [(entry["log_level"], entry["address"]) for entry in told] == [("warning", "127.0.0.1")]
    assert "guess" not in str(logs)


@pytest.mark.parametrize("shown", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}])
async def test_no_token_is_no_wrong_one(
    start_app: StartApp, monkeypatch: pytest.MonkeyPatch, shown: dict[str, str]
) -> None:
    monkeypatch.setattr(wrong_tokens, "EACH_SECONDS", 100.0)
    api = await start_app(token=TOKEN)
    with capture_logs() as logs:
        for _ in range(3 * AT_ONCE):
            async with api.client.get("/metrics", headers=shown) as response:
                assert response.status == 401
    assert logs == []


async def test_without_a_token_nobody_waits(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_tokens, "EACH_SECONDS", 100.0)
    for number in range(3 * AT_ONCE):
        assert await wrong(api, "bearer", number) == 200
        assert await wrong(api, "session", number) == 204
