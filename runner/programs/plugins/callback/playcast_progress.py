"""How far a playbook is, from 0 to 1, while nobody can know what it will still include."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ansible.constants import DEFAULT_GATHERING
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.block import Block
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: playcast_progress
type: notification
short_description: Knows how far a playbook is
description:
  - The part of P(playcast_events#callback) that knows which tasks are planned, and counts those that are done.
  - Does nothing when it is enabled.
requirements:
  - Beside playcast_events.
"""

SPECIAL = {"all", "always", "never", "tagged", "untagged"}  # words of ansible's own among the tags of a call
FACTS = "facts"  # stands for the task that gathers them, whose id is not known before


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible ships no types
    """Hears no event itself: playcast_events tells it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "playcast_progress"
    CALLBACK_NEEDS_ENABLED = True

    META = ("meta", "ansible.builtin.meta", "ansible.legacy.meta")

    @staticmethod
    def begin() -> Progress:
        """Return the progress of a playbook that has not begun."""
        return Progress()

    @staticmethod
    def id_of(what: Any) -> str:
        """Return the name under which a play or task is known here."""
        return str(what._uuid)  # noqa: SLF001 # they have no other name of their own


class Progress:
    """How far the playbook is, among the tasks that its plays hold before anything is included."""

    def __init__(self) -> None:
        self.shown: float | None = None  # 0..1; never falls
        self._tags: set[str] = set()  # of all tasks that are known, whether they run or not
        self._plans: dict[str, list[str]] = {}  # ids of tasks, by id of the play
        self._plan: list[str] = []
        self._before = self._share = 0.0  # tasks in earlier batches of hosts, and in this one
        self._total = self._hosts = self._started = self._answers = 0
        self._current = ""

    def plan(self, playbook: Any) -> int | None:
        """Count the tasks of all plays; None, and no progress, if that fails."""
        try:
            self._plans = {CallbackModule.id_of(play): list(self._planned(play)) for play in playbook.get_plays()}
        except Exception:  # noqa: BLE001 # inner parts of ansible: the job goes on without progress
            return None
        self._total = sum(map(len, self._plans.values()))
        self.shown = 0.0 if self._total else None
        return self._total

    def play(self, play_id: str, hosts: int, total: int) -> None:
        """Begin a play on a batch of its hosts; `total` counts the hosts of all batches."""
        self._before += self._share
        self._plan = self._plans.get(play_id, [])
        self._share = len(self._plan) * hosts / total if total else len(self._plan)
        self._hosts, self._started, self._answers = hosts, 0, 0
        self._show()

    def task(self, task_id: str, tags: Iterable[str]) -> None:
        """Begin a task. Handlers, rescues and what was included are not planned, and do not count."""
        self._tags.update(tags)
        if task_id in self._plan or (not self._started and FACTS in self._plan):
            self._current, self._answers = task_id, 0
            self._started += 1
            self._show()

    def result(self, task_id: str) -> None:
        """Count a host that is done with a task."""
        if task_id == self._current:
            self._answers += 1
            self._show()

    def unknown(self, tags: Iterable[str]) -> list[str]:
        """Return those of `tags` that no task has; none if that cannot be known, since a task's tags are templates."""
        if any("{{" in str(tag) for tag in self._tags):
            return []
        return sorted(set(tags) - self._tags - SPECIAL)

    def finish(self) -> None:
        """Nothing is left to do."""
        if self.shown is not None:
            self.shown = 1.0

    def _planned(self, play: Any) -> Iterator[str]:
        """Yield the ids of a play's tasks, those for trouble (`rescue`) left out, and FACTS if it gathers them."""
        if boolean(play.gather_facts, strict=False) or (play.gather_facts is None and DEFAULT_GATHERING != "explicit"):
            yield FACTS
        pending = [(task, False) for task in play.compile()]
        while pending:
            task, in_trouble = pending.pop()
            if isinstance(task, Block):
                pending += [(part, in_trouble) for part in (*task.block, *task.always)]
                pending += [(part, True) for part in task.rescue]
                continue
            self._tags.update(task.tags)
            chosen = _is_chosen(set(task.tags), set(play.only_tags), set(play.skip_tags))
            if chosen and not in_trouble and task.action not in CallbackModule.META:
                yield CallbackModule.id_of(task)

    def _show(self) -> None:
        if self.shown is not None:
            begun = self._started - 1 + min(1.0, self._answers / max(1, self._hosts)) if self._started else 0.0
            done = self._before + self._share * min(1.0, begun / max(1, len(self._plan)))
            self.shown = max(self.shown, min(0.999, round(done / self._total, 3)))


def _is_chosen(tags: set[str], only: set[str], skip: set[str]) -> bool:
    """Whether a job with these tags runs a task; ansible's own answer would settle the task's templates for good."""
    tags = tags or {"untagged"}
    wanted = tags & (only | {"always"}) or ("tagged" in only and tags != {"untagged"})
    return bool(wanted or ("all" in only and "never" not in tags)) and not tags & skip
