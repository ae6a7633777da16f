"""What the shelf is made of: one look for all who ask meanwhile, and a mapping bounded in bytes."""

import asyncio

from runner.lru import ByteLru
from runner.single_flight import SingleFlight


async def test_an_answer_is_never_older_than_its_question() -> None:
    looks, release = 0, asyncio.Event()

    async def look(_key: str) -> int:
        nonlocal looks
        looks += 1
        number = looks
        await release.wait()
        return number

    together = SingleFlight(look)
    first = asyncio.create_task(together.ask("a"))
    await asyncio.sleep(0)
    later = [asyncio.create_task(together.ask("a")) for _ in range(10)]
    await asyncio.sleep(0)
    release.set()

    # Those who asked while the first look was under way share the next one.
    assert await asyncio.gather(first, *later) == [1, *[2] * 10]
    assert together._asked == {}


async def test_a_look_that_fails_is_done_again_for_the_next() -> None:
    looks = 0

    async def look(_key: str) -> int:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        if looks == 1:
            raise OSError("away")
        return looks

    together = SingleFlight(look)
    found = await asyncio.gather(*(together.ask("a") for _ in range(3)), return_exceptions=True)

    assert (str(found[0]), found[1:]) == ("away", [2, 2])


def test_what_was_used_last_is_kept() -> None:
    recent: ByteLru[str, bytes] = ByteLru(10, len)
    recent.put("a", b"aaaa")
    recent.put("b", b"bbbb")
    assert recent.get("a") == b"aaaa"
    recent.put("c", b"cccc")
    assert (recent.get("b"), recent.size, len(recent)) == (None, 8, 2)
    recent.put("a", b"a")
    assert (recent.get("a"), recent.size) == (b"a", 5)
    recent.put("d", b"d" * 11)
    assert (recent.get("d"), recent.size, len(recent)) == (None, 0, 0)
