"""Turns: who has much to do gives way to who has little, and nobody is forgotten."""

import asyncio
import time
from typing import Any

from gql.json_text import encode, encode_in_turns
from gql.pace import SLICE_SECONDS, Pace, pace

WORK = 0.001
PIECES = 30


def work(seconds: float = WORK) -> None:
    """Keep the event loop, as a long answer does."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def test_work_gives_way() -> None:
    turns = pace()
    assert pace() is turns
    others = 0
    done = asyncio.Event()

    async def other() -> None:
        nonlocal others
        while not done.is_set():
            others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(PIECES):
        await turns.turn(turns)
        work()
    done.set()
    await task
    # Not once in each piece, and not only at the end.
    assert others > PIECES * WORK / SLICE_SECONDS / 2


async def test_all_who_wait_have_their_turn() -> None:
    finished = []

    async def answer(number: int) -> None:
        for _ in range(3):
            await pace().turn(number)
            work()
        finished.append(number)

    async with asyncio.timeout(60):
        await asyncio.gather(*(answer(number) for number in range(50)))
    assert sorted(finished) == list(range(50))


async def test_who_has_little_to_do_waits_for_little() -> None:
    finished: list[object] = []

    async def large(number: int) -> None:
        await pace().turn("large")
        work(SLICE_SECONDS)
        finished.append(number)

    async def small() -> None:
        for _ in range(3):
            await pace().turn("small")
        finished.append("small")

    async with asyncio.timeout(60):
        await asyncio.gather(*(large(number) for number in range(200)), small())
    # Its three turns come in the first few rounds, not after those of all others.
    assert finished.index("small") < 60
    assert len(finished) == 201


async def test_who_leaves_while_waiting_holds_nobody_up() -> None:
    turns = Pace(asyncio.get_running_loop())

    async def busy() -> None:
        await turns.turn(turns)
        work(2 * SLICE_SECONDS)

    async with asyncio.timeout(60):
        tasks = [asyncio.create_task(busy()) for _ in range(40)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in ended[1::2]] == [False] * 20


async def test_json_in_pieces_is_the_same_json() -> None:
    values: list[Any] = [
        {},
        [],
        {"a": {}},
        {"a": []},
        [[]],
        [{}, []],
        {"a": [1, "é\ud800\x1b", None, True, 1.5, {"b": [{}]}], "c": "d", "e": {"f": {"g": [[1], [2, [3]]]}}},
        "text",
        None,
        [{"a": number, "b": [number]} for number in range(2000)],
    ]
    for value in values:
        assert await encode_in_turns(value, None) == encode(value)
