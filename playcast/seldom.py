"""Saying a thing seldom: what clients can cause must not fill the server's log."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

EVERY_SECONDS = 60.0
MOST_KEYS = 100


class Seldom:
    """Lets each thing be said once a minute, and of all things together no more than MOST_KEYS a minute."""

    def __init__(self, every: float = EVERY_SECONDS, now: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._now = now
        self._said: OrderedDict[Hashable, float] = OrderedDict()

    def may(self, key: Hashable) -> bool:
        """Whether `key` may be said now; then it counts as said."""
        now = self._now()
        while self._said and next(iter(self._said.values())) + self._every <= now:
            self._said.popitem(last=False)
        if key in self._said or len(self._said) >= MOST_KEYS:
            return False
        self._said[key] = now
        return True


class SeldomFilter(logging.Filter):
    """Lets each message of a library through once a minute, whatever its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._seldom = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is logged."""
        return self._seldom.may((record.name, record.levelno, record.pathname, record.lineno))
