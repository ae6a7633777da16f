"""Wake-ups from writers to readers: "look again", never the data itself.

A listener holds the set of ids that changed since it last looked, so it is bounded however slow its reader is.
Correctness never rests on the bus: readers read the tables after their own cursor.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import Protocol

from runner.waits import pause


class Topic(Enum):
    """What may have changed about a job."""

    LOG = "log"
    # Its state, or what it waits for.
    JOB = "job"
    # What happened in it: events, counters, progress.
    EVENTS = "events"


Key = tuple[Topic, int | None]


class Listener:
    """What one reader has yet to look at."""

    def __init__(self) -> None:
        self._dirty: set[tuple[Topic, int]] = set()
        self._event = asyncio.Event()

    def mark(self, topic: Topic, job_id: int) -> None:
        """Note that `job_id` changed and wake the reader."""
        self._dirty.add((topic, job_id))
        self._event.set()

    def wake(self) -> None:
        """Have the reader look at everything: nobody knows what it has missed."""
        self._event.set()

    async def wait(self, seconds: float) -> set[tuple[Topic, int]]:
        """What changed since the last call; an empty set after that many seconds of silence, or after `wake`."""
        await pause(seconds, self._event)
        dirty = self._dirty
        self.forget()
        return dirty

    def forget(self) -> None:
        """Take what changed up to now as seen."""
        self._event.clear()
        self._dirty = set()


class Bus(Protocol):
    """Carries wake-ups; delivery may be late or doubled, and is lost only together with the process."""

    def publish(self, topic: Topic, job_id: int) -> None:
        """Wake every listener of `job_id`, and every listener of all jobs."""
        ...

    def listen(self, *keys: Key) -> AbstractContextManager[Listener]:
        """A listener for `keys` while the context is open; an id of None means every job."""
        ...


class LocalBus:
    """The bus of one process."""

    def __init__(self) -> None:
        self._listeners: dict[Key, set[Listener]] = {}

    def publish(self, topic: Topic, job_id: int) -> None:
        """Wake every listener of `job_id`, and every listener of all jobs."""
        for key in ((topic, job_id), (topic, None)):
            for listener in self._listeners.get(key, ()):
                listener.mark(topic, job_id)

    def wake_all(self) -> None:
        """Have every listener look at everything."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.wake()

    def listened(self) -> set[int | None]:
        """The jobs that somebody listens for; None among them if it is for every job."""
        return {job_id for _, job_id in self._listeners}

    @contextmanager
    def listen(self, *keys: Key) -> Iterator[Listener]:
        """A listener for `keys` while the context is open; an id of None means every job."""
        listener = Listener()
        wanted = frozenset(keys)
        for key in wanted:
            self._listeners.setdefault(key, set()).add(listener)
        try:
            yield listener
        finally:
            for key in wanted:
                self._listeners[key].discard(listener)
                if not self._listeners[key]:
                    del self._listeners[key]
