"""Slots: never more jobs than places, but for those that run already."""

import asyncio

from runner.queue.slots import Slots


async def takes(slots: Slots, count: int) -> int:
    """How many of `count` takers get a place now."""
    tasks = [asyncio.create_task(slots.take()) for _ in range(count)]
    await asyncio.sleep(0.01)
    done = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


async def test_there_are_as_many_as_were_said() -> None:
    slots = Slots(3)
    assert await takes(slots, 5) == 3
    assert await takes(slots, 2) == 0
    await slots.give()
    await slots.give()
    assert await takes(slots, 5) == 2


async def test_jobs_that_run_already_take_places_that_are_not_there() -> None:
    slots = Slots(2)
    for _ in range(4):
        slots.take_anyway()
    for _ in range(2):
        await slots.give_anyway()
        assert await takes(slots, 1) == 0
    await slots.give_anyway()
    assert await takes(slots, 2) == 1
    assert slots.total == 2


async def test_who_waits_gets_the_place_that_is_given_back() -> None:
    slots = Slots(1)
    await slots.take()
    waiting = [asyncio.create_task(slots.take()) for _ in range(2)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    await slots.give()
    async with asyncio.timeout(30):
        await waiting[1]
    assert await takes(slots, 1) == 0


async def test_found_jobs_leave_less_for_new_ones_and_every_change_is_told() -> None:
    slots = Slots(2)
    assert (slots.free_for_new, slots.changed.is_set()) == (2, False)
    for left in (1, 0, 0):
        slots.changed.clear()
        slots.take_anyway()
        assert (slots.free_for_new, slots.changed.is_set()) == (left, True)
    for left in (0, 1, 2):
        slots.changed.clear()
        await slots.give_anyway()
        assert (slots.free_for_new, slots.changed.is_set()) == (left, True)
    assert await takes(slots, 3) == 2


async def test_closed_slots_give_no_place_though_one_is_free() -> None:
    slots = Slots(2)
    await slots.take()
    slots.close()
    assert (slots.free_for_new, slots.changed.is_set()) == (0, True)
    assert await takes(slots, 1) == 0
    await slots.give()
    assert await takes(slots, 1) == 0
