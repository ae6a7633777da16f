"""Ansible callback that appends what happens in a job to the job's events file, one JSON line per event."""

from __future__ import annotations

import errno
import functools
import json
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.loader import callback_loader

DOCUMENTATION = """
name: playcast_events
type: notification
short_description: Append the events of a job to a file
description:
  - Appends one JSON line per event to a file.
  - Each line carries the size of the log before and after the event, so that a reader finds the place in the log.
options:
  file:
    description: The file; without one the plugin does nothing.
    type: str
    env:
      - name: PLAYCAST_EVENTS
"""

COUNTERS = ("ok", "changed", "failed", "skipped", "unreachable", "rescued", "ignored")
# Of failures that may have to do with becoming another user: only then it is told whom and how.
BECOMING = re.compile(r"privilege escalation| password|become|becoming|account is|without a word")
MAX_HOSTS = 1000
MAX_FILE = 64 << 20  # bytes, after which results are left out

# The neighbour files; plugins cannot import each other in another way.
_Results: Any = callback_loader.get("playcast_results", class_only=True)
_Interpreters: Any = callback_loader.get("playcast_interpreters", class_only=True)
_Progress: Any = callback_loader.get("playcast_progress", class_only=True)
_Served: Any = callback_loader.get("playcast_served", class_only=True)


def _harmless(method: Callable[..., None]) -> Callable[..., None]:
    """Keep every error of a callback away from the job; the first one is a warning in the log."""

    @functools.wraps(method)
    def call(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 # an event may be lost, the job may not
            # The text of any other error may quote what must be masked.
            why = error if isinstance(error, OSError) else type(error).__name__
            self.warn_once(f"An event was not written to {self.path}: {why}")

    return call


class CallbackModule(_Results):  # type: ignore[misc]  # ansible ships no types
    """Writes the events. A file that cannot be written is a warning in the log and never fails the job."""

    CALLBACK_NAME = "playcast_events"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin with nothing written; `set_options` names the file, which the first event opens."""
        super().__init__(*args, **kwargs)
        self.path = ""
        self._file = _Lines(self.path)
        self._seq = self._log_end = 0
        self._warned = False
        self._progress = _Progress.begin()
        self._served = _Served.begin()
        self._play: Any = None
        self._names: dict[str, str] = {}  # of the play's started tasks, by id
        self._running: dict[tuple[str, str], tuple[float, int]] = {}  # by host and task: see v2_runner_on_start
        self._said: dict[tuple[str, str], list[str]] = {}  # by failed items of a loop; by host and task
        self._elsewhere: dict[tuple[str, str], dict[str, None]] = {}  # where they ran, if not on their host; the same

    def set_options(self, *args: Any, **kwargs: Any) -> None:
        """Take the file's name from ansible, which may know it without any program that it starts knowing it too."""
        super().set_options(*args, **kwargs)
        self.path = self.get_option("file") or ""
        self.disabled = not self.path
        self._file = _Lines(self.path)

    def warn_once(self, text: str) -> None:
        """Say it in the log, unless something was said before."""
        if not self._warned:
            self._warned = True
            self._display.warning(text)

    @_harmless
    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Write how many tasks are planned."""
        self._served.playbook(playbook.get_plays())
        self._write("start", planned=self._progress.plan(playbook))

    @_harmless
    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Write the play; with `serial` once for each batch of hosts."""
        manager = play.get_variable_manager()
        if self._play is None:
            _Interpreters.recall(manager, Path(self.path).parent)
        self._play, self._names = play, {}
        inventory = manager._inventory  # noqa: SLF001 # no public way leads to the hosts
        hosts = [host.get_name() for host in inventory.get_hosts(play.hosts, order=play.order)]
        self._served.play(play, inventory, hosts)
        total = len(inventory.get_hosts(play.hosts, ignore_restrictions=True)) if play.serial else len(hosts)
        self._progress.play(_Progress.id_of(play), len(hosts), total)
        self._write("play", play=self._name(play), hosts=[self.host_name(host) for host in hosts[:MAX_HOSTS]])

    @_harmless
    def v2_playbook_on_task_start(self, task: Any, is_conditional: Any = None) -> None:
        """Write a task that starts: once, though the strategy "free" tells it for each host."""
        self._served.task()
        is_free = self._play.strategy.rpartition(".")[2] in {"free", "host_pinned"}
        task_id = _Progress.id_of(task)
        if task.action in _Progress.META or (is_free and task_id in self._names):
            return
        self._names[task_id] = self._name(task)
        self._progress.task(task_id, task.tags)
        about = {"play": self._name(self._play), "task_id": task_id, "task": self._names[task_id]}
        action = getattr(task, "_resolved_action", None) or task.action
        self._write("task", **about, action=self.clean(str(action)), path=self.clean(_path(task)) or None)

    v2_playbook_on_handler_task_start = v2_playbook_on_task_start
    v2_playbook_on_cleanup_task_start = v2_playbook_on_task_start

    @_harmless
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Remember when it began (seconds), and how often the host had been given up before."""
        name = host.get_name()
        self._running[name, _Progress.id_of(task)] = (time.monotonic(), self._given_up(name))

    @_harmless
    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Remember what an item of a loop said, for the message of the whole."""
        key = (result.host.get_name(), _Progress.id_of(result.task))
        self._said.setdefault(key, []).append(self.item_message(result.result, result.exception))
        delegate = self.delegate(result)
        if delegate is not None:
            self._elsewhere.setdefault(key, {})[delegate] = None

    @_harmless
    def v2_runner_on_ok(self, result: Any) -> None:
        """Write a host that is done with a task."""
        self._done(result, "CHANGED" if result.is_changed() else "OK")

    @_harmless
    def v2_runner_on_skipped(self, result: Any) -> None:
        """Write a host that a task does not concern."""
        self._done(result, "SKIPPED")

    @_harmless
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Write a host that did not answer: ignored, as in ansible's recap, where the playbook allows it."""
        ignored = result.task.ignore_unreachable
        self._done(result, "IGNORED" if ignored else "UNREACHABLE", **({"away": True} if ignored else {}))

    @_harmless
    def v2_runner_on_failed(self, result: Any, ignore_errors: Any = None) -> None:
        """Write a host on which a task failed.

        By now ansible has given the host up, and has taken it back if a `rescue` follows. Only a file to include that
        does not exist comes here without a start: ansible's recap counts it as failed in any case.
        """
        host = result.host.get_name()
        start = self._running.get((host, _Progress.id_of(result.task)))
        rescued = start is not None and start[1] == self._given_up(host)
        self._done(result, "IGNORED" if ignore_errors else "RESCUED" if rescued else "FAILED")

    @_harmless
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the recap: every host that a play names, with its counters, and which of them were not served."""
        self._served.finish()
        hosts = {}
        for host in sorted({*stats.processed, *self._served.named}):
            summary = stats.summarize(host)
            summary["failed"] = summary["failures"]
            hosts[self.host_name(host)] = {counter: summary[counter] for counter in COUNTERS}
        unserved = {self.host_name(host): why for host, why in self._served.unserved.items()}
        unknown = self._progress.unknown([*self._play.only_tags, *self._play.skip_tags] if self._play else [])
        for tag in unknown:
            self._display.warning(f"No task has the tag {self.clean(tag)}.")
        self._progress.finish()
        self._write("recap", hosts=hosts, unserved=unserved, unknown_tags=[self.clean(tag) for tag in unknown])

    def _given_up(self, host: str) -> int:
        return list(getattr(self._play, "_removed_hosts", ())).count(host)

    def _name(self, what: Any) -> str:
        return str(self.clean(str(what.get_name()).strip()))

    def _done(self, result: Any, status: str, **more: Any) -> None:
        """Write what a task came to on a host, and what `more` there is to say."""
        host, task_id, found = result.host.get_name(), _Progress.id_of(result.task), result.result
        if result.task.action in _Progress.META:
            return
        start = self._running.pop((host, task_id), None)
        said = self._said.pop((host, task_id), [])
        self._progress.result(task_id)
        kept, truncated = self.fit(found) if self._file.size < MAX_FILE else (None, True)
        if status == "FAILED":
            self._served.failed(host)
        name = self._names.get(task_id) or self._name(result.task)
        about = {"host": self.host_name(host), "task_id": task_id, "task": name, "status": status, **more}
        delegate = self.delegate(result) or ", ".join(self._elsewhere.pop((host, task_id), ()))
        if delegate:
            about["delegate"] = delegate
        duration = None if start is None else round(time.monotonic() - start[0], 3)
        failed = status not in {"OK", "CHANGED", "SKIPPED"}
        message = self.message(found, said, result.exception, failed=failed) or None
        if status == "UNREACHABLE" or (status == "FAILED" and BECOMING.search(message or "")):
            variables = self._play.get_variable_manager().get_vars(play=self._play, host=result.host, task=result.task)
            fields = result._task_fields  # noqa: SLF001 # the public name is deprecated
            about.update(self.becomes(fields, variables) | self.user(fields, variables))
        interpreter = _Interpreters.found(result)
        if interpreter is not None:
            about["interpreter"] = self.clean(interpreter)
        self._write("host", **about, duration=duration, message=message, result=kept, truncated=truncated)

    def _write(self, kind: str, **details: Any) -> None:
        """Append one event."""
        self._seq += 1
        sys.stdout.flush()
        start, self._log_end = self._log_end, os.fstat(1).st_size  # stays 0 if the log is not a regular file
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        common = {"seq": self._seq, "at": now, "kind": kind, "log_start": start, "log_offset": self._log_end}
        event = {**common, "progress": self._progress.shown, **details}
        self._file.append(json.dumps(event, separators=(",", ":")).encode() + b"\n")


class _Lines:
    """A file that lines are appended to, each in one write, so that a reader never sees two lines mixed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._torn = False
        self.size = 0  # bytes

    def append(self, line: bytes) -> None:
        """Append a line; one that follows a torn one starts on a new line. Raises OSError."""
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.size = os.fstat(self._file).st_size
        data = b"\n" + line if self._torn else line
        written = os.write(self._file, data)
        self.size += written
        self._torn = written < len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes fit")


def _path(task: Any) -> str:
    """Return where a task stands, "file:line", the file relative to the directory of ansible.cfg if it is below."""
    config = Path(os.environ.get("ANSIBLE_CONFIG", "/ansible.cfg"))
    path = str(task.get_path())
    return path.removeprefix(f"{config.absolute().parent}/").removeprefix(f"{config.resolve().parent}/")
