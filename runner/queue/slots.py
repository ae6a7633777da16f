"""How many jobs may run at a time."""

import asyncio


class Slots:
    """`total` places. A job that runs already, found at a restart, takes one even when none is free.

    `changed` is set whenever `free_for_new` has changed.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.closed = False
        self.changed = asyncio.Event()
        self._free = total
        self._found = 0
        self._given = asyncio.Condition()

    @property
    def free_for_new(self) -> int:
        """How many jobs may run beside those that were found running."""
        return 0 if self.closed else max(0, self.total - self._found)

    async def take(self) -> None:
        """Wait for a free place and take it; for ever once closed."""
        async with self._given:
            await self._given.wait_for(lambda: self._free > 0 and not self.closed)
            self._free -= 1

    async def give(self) -> None:
        """Give a place back."""
        async with self._given:
            self._free += 1
            self._given.notify()

    def take_anyway(self) -> None:
        """Take a place at once; later ones wait until this one is given back too."""
        self._free -= 1
        self._found += 1
        self.changed.set()

    async def give_anyway(self) -> None:
        """Give back a place that was taken like this."""
        self._found -= 1
        self.changed.set()
        await self.give()

    def close(self) -> None:
        """Let nobody take a place any more."""
        self.closed = True
        self.changed.set()
