"""Questions that many ask at once: one answer serves all who asked before it was looked up."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Asked(Generic[V]):
    """One question, as long as somebody waits for its answer."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0
        self.begun = 0
        self.answered = 0
        self.answer: V | None = None


class SingleFlight(Generic[K, V]):
    """Calls `look_up` once for all who ask the same meanwhile, and never answers with what is older than the question.

    Whoever asks first looks it up, inside its own task: if that is cancelled or fails, the next one in line does.
    """

    def __init__(self, look_up: Callable[[K], Awaitable[V | None]]) -> None:
        self._look_up = look_up
        self._asked: dict[K, _Asked[V]] = {}

    async def ask(self, key: K) -> V | None:
        """The answer, by a look that began after this call."""
        asked = self._asked.setdefault(key, _Asked())
        begun = asked.begun
        asked.waiting += 1
        try:
            async with asked.lock:
                if asked.answered <= begun:
                    asked.begun += 1
                    asked.answer = await self._look_up(key)
                    asked.answered = asked.begun
                return asked.answer
        finally:
            asked.waiting -= 1
            if not asked.waiting:
                del self._asked[key]
