"""What a job's events mean for its hosts: counters and the task that each is at."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tortoise.expressions import F

from models import JobEvent, JobHost
from runner.events.event_line import COUNTERS, PluginEvent

_COUNTS = {
    "OK": ("ok",),
    "CHANGED": ("ok", "changed"),
    "SKIPPED": ("skipped",),
    "FAILED": ("failed",),
    "IGNORED": ("ok", "ignored"),
    "RESCUED": ("rescued",),
    "UNREACHABLE": ("unreachable",),
}
_TASK_LENGTH = 255
_HOST_LENGTH = 32
"""No requested host has a longer name: it is one that the playbook has added."""


class HostProgress:
    """Gathers the changes of one batch of events, and writes them in the caller's transaction."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._play_hosts: list[str] | None = None
        self._clear()

    def _clear(self) -> None:
        self._more: dict[str, Counter[str]] = {}
        self._recap: dict[str, Any] | None = None
        self._task: str | None = None
        self._task_moved = False
        self._done: list[str] = []

    def take(self, events: Sequence[PluginEvent]) -> None:
        """Note what these events change."""
        for event in events:
            details = event.details
            if event.kind == "play":
                self._play_hosts = details["hosts"]
                self._move_to(None)
            elif event.kind == "task":
                self._move_to(details["task"][:_TASK_LENGTH])
            elif event.kind == "host":
                if len(details["host"]) <= _HOST_LENGTH:
                    self._more.setdefault(details["host"], Counter()).update(_counts(details))
                    self._done.append(details["host"])
            elif event.kind == "recap":
                self._recap = details
                self._move_to(None)

    def _move_to(self, task: str | None) -> None:
        self._task, self._task_moved = task, True
        self._done = []

    def written(self) -> None:
        """The changes are stored: begin the next batch."""
        self._clear()

    async def write(self) -> None:
        """Store the changes; bears repeating until `written`, since the transaction may be repeated."""
        for host, more in self._more.items():
            changes: dict[str, Any] = {name: F(name) + count for name, count in more.items()}
            await self._hosts().filter(host=host).update(**changes)
        if self._task_moved:
            await self._write_task()
        if self._done:
            await self._hosts().filter(host__in=self._done).update(current_task=None)
        if self._recap is not None:
            requested = {host: one for host, one in self._recap["hosts"].items() if len(host) <= _HOST_LENGTH}
            for host, counters in requested.items():
                values: dict[str, Any] = {name: counters[name] for name in COUNTERS}
                values["served"] = host not in self._recap["unserved"]
                await self._hosts().filter(host=host).update(**values)

    async def _write_task(self) -> None:
        await self._hosts().filter(current_task__isnull=False).update(current_task=None)
        if self._task is None:
            return
        if self._play_hosts is None:
            # Taken over after a restart: the play began before.
            play = await JobEvent.filter(job_id=self._job_id, kind="play").order_by("-seq").first()
            self._play_hosts = play.details["hosts"] if play is not None else []
        here = self._hosts().filter(host__in=self._play_hosts, failed=0, unreachable=0)
        await here.update(current_task=self._task)

    def _hosts(self) -> Any:  # noqa: ANN401 (a query set, whose type tortoise does not name usefully)
        return JobHost.filter(job_id=self._job_id)


def _counts(details: dict[str, Any]) -> tuple[str, ...]:
    """The counters that go up, as in Ansible's own recap: a change counts even where the failure does not."""
    status, result = details["status"], details["result"]
    changed = status == "IGNORED" and isinstance(result, dict) and result.get("changed") is True
    return (*_COUNTS[status], "changed") if changed else _COUNTS[status]
