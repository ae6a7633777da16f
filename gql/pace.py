"""Pace: answers take turns with everything else that the event loop does, so that a long one holds nobody up."""

import asyncio
import time
from collections import OrderedDict, deque
from weakref import WeakKeyDictionary

SLICE_SECONDS = 0.003
"""How long all answers together may work before whoever else waits gets a turn."""
_MOST_AT_ONCE = 16

_paces: "WeakKeyDictionary[asyncio.AbstractEventLoop, Pace]" = WeakKeyDictionary()


def pace() -> "Pace":
    """The pace of the running loop."""
    loop = asyncio.get_running_loop()
    found = _paces.get(loop)
    if found is None:
        found = _paces[loop] = Pace(loop)
    return found


class Pace:
    """The turns of one loop. Of each client something goes on in turn: who has little to do waits for little."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._until: float | None = None
        self._waiting: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()
        self._at_once = 1

    def is_spent(self) -> bool:
        """Whether whoever has more to do must wait for a turn; asked before each piece of work."""
        if self._until is None:
            self._begin()
            return False
        return time.perf_counter() > self._until

    async def turn(self, client: object) -> None:
        """Wait until there is time for one more piece of work for a client."""
        if self.is_spent():
            waits = self._loop.create_future()
            self._waiting.setdefault(id(client), deque()).append(waits)
            await waits

    def _begin(self) -> None:
        self._until = time.perf_counter() + SLICE_SECONDS
        self._loop.call_soon(self._next_round)

    def _next_round(self) -> None:
        # How long a piece takes is seen when it is done: many small ones go on together, of large ones each alone.
        spent, self._until = self.is_spent(), None
        self._at_once = 1 if spent else min(2 * self._at_once, _MOST_AT_ONCE)
        left = self._at_once
        while left and self._waiting:
            client, theirs = self._waiting.popitem(last=False)
            waits = theirs.popleft()
            if theirs:
                self._waiting[client] = theirs
            if not waits.done():
                waits.set_result(None)
                left -= 1
        if left < self._at_once:
            self._begin()
