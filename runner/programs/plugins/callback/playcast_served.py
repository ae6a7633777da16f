"""Which hosts a playbook has served: those for which each play that names them came to its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from ansible.executor.play_iterator import FailedStates, IteratingStates, PlayIterator
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: playcast_served
type: notification
short_description: Knows which hosts a playbook has served
description:
  - The part of P(playcast_events#callback) that knows which hosts each play names, and where they left it early.
  - Does nothing when it is enabled.
requirements:
  - Beside playcast_events.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible ships no types
    """Hears no event itself: playcast_events tells it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "playcast_served"
    CALLBACK_NEEDS_ENABLED = True

    @staticmethod
    def begin() -> Served:
        """Return what is known before the first play."""
        return Served()


class Served:
    """The hosts that plays name, and why some of them were not served, for the first time that it happened.

    FAILED and UNREACHABLE: the host left a play by itself. ABORTED: it had no trouble, but the play ended for it since
    others had (`any_errors_fatal`, `max_fail_percentage`, `run_once`). NOT_STARTED: a play or batch that names it never
    began, since an earlier one failed.
    """

    def __init__(self) -> None:
        self.named: dict[str, None] = {}  # in the order of the plays
        self.unserved: dict[str, str] = {}
        self._waiting: list[Any] = []  # plays that have not begun
        self._inventory: Any = None
        self._iterator: Any = None
        self._batch: list[str] = []
        self._later: list[str] = []  # hosts of the play that are in none of its batches so far
        self._failed: set[str] = set()
        self._in_trouble = False

    def playbook(self, plays: Iterable[Any]) -> None:
        """Note the plays to come."""
        self._waiting = list(plays)

    def play(self, play: Any, inventory: Any, batch: list[str]) -> None:
        """A play begins on a batch of its hosts; `inventory` is ansible's."""
        self._close()
        begun = [waiting for waiting in self._waiting if waiting._uuid == play._uuid]  # noqa: SLF001 # their only name
        if begun:
            self._waiting.remove(begun[0])
            self._later = [host.get_name() for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)]
        self._inventory, self._batch = inventory, batch
        self._later = [host for host in self._later if host not in set(batch)]
        self.named |= dict.fromkeys([*batch, *self._later])

    def task(self) -> None:
        """A task begins. The first one of a batch shows who knows how each of its hosts fares."""
        if self._iterator is None:
            self._iterator = _up_the_stack("iterator", PlayIterator)
            if self._iterator is not None:
                self._iterator.clear_host_errors = self._look_before(self._iterator.clear_host_errors)

    def failed(self, host: str) -> None:
        """A task has failed on a host, and nothing has caught that."""
        self._failed.add(host)

    def _look_before(self, clear: Callable[[Any], None]) -> Callable[[Any], None]:
        """Let `meta: clear_host_errors` forget nothing that counts here.

        Ansible then runs nothing more of what a host has left by a failure, and no trace of the failure is left. A host
        that was unreachable goes on instead, and is judged by how it ends.
        """
        states = self._iterator.host_states

        def look_and_clear(host: Any) -> None:
            name = host.get_name()
            if name in states and _has_left(states[name]):
                self._note(name, self._why(name))
            clear(host)

        return look_and_clear

    def finish(self) -> None:
        """The playbook is over."""
        self._close()
        # Where a batch of a play never began though nothing failed, the playbook has ended the play (`end_play`).
        left = self._later if self._in_trouble else []
        for play in self._waiting:
            left = [*left, *self._hosts_of(play)]
        for host in left:
            self._note(host, "NOT_STARTED")

    def _close(self) -> None:
        """See how the batch has ended."""
        manager = _up_the_stack("self", TaskQueueManager)
        unreachable = set(manager._unreachable_hosts) if manager is not None else set()  # noqa: SLF001 # no public way
        # Not the manager's: it keeps those that were rescued together with a host for which `any_errors_fatal` counted.
        failed = set(self._iterator.get_failed_hosts()) if self._iterator is not None else set()
        for host in self._batch:
            if host in unreachable:
                self._note(host, "UNREACHABLE")
            elif host in failed:
                self._note(host, self._why(host))
        # After `end_play` no batch was to follow.
        ended = self._iterator is not None and self._iterator.end_play
        self._in_trouble = not ended and bool(set(self._batch) & (failed | unreachable))
        self._batch, self._iterator = [], None

    def _why(self, host: str) -> str:
        return "FAILED" if host in self._failed else "ABORTED"

    def _note(self, host: str, why: str) -> None:
        self.named.setdefault(host)
        self.unserved.setdefault(host, why)

    def _hosts_of(self, play: Any) -> list[str]:
        """The hosts that a play would have run on; all, if only the play itself could have told."""
        pattern = play.hosts if isinstance(play.hosts, list) else [play.hosts]
        if any("{{" in str(part) for part in pattern):
            pattern = ["all"]
        # Without a play there is no inventory to ask, nor any host.
        found = self._inventory.get_hosts(pattern, ignore_restrictions=True) if self._inventory is not None else []
        return [host.get_name() for host in found]


def _has_left(state: Any) -> bool:
    """Return whether a host has left a block by a failure for which no `rescue` or `always` of the playbook runs."""
    if state is None:
        return False
    if state.fail_state != FailedStates.NONE and (state.run_state == IteratingStates.COMPLETE or _is_flushing(state)):
        return True
    return any(map(_has_left, (state.tasks_child_state, state.rescue_child_state, state.always_child_state)))


def _is_flushing(state: Any) -> bool:
    """Return whether its `always` is ansible's own, which runs handlers in spite of a failure (`force_handlers`)."""
    always = state.get_current_block().always
    return any(getattr(task, "implicit", False) for block in always for task in getattr(block, "block", ()))


def _up_the_stack(name: str, kind: type[Any]) -> Any:
    """Return an object of ansible's that is a local variable of a caller; None if there is none.

    Ansible tells callbacks of results alone, and so not of a host that it gives up because of others.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 # there is no public way
    while frame is not None:
        found = frame.f_locals.get(name)
        if isinstance(found, kind):
            return found
        frame = frame.f_back
    return None
