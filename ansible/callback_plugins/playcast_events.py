"""Ansible callback that appends what happens in a job to the job's events file, one JSON line per event."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: playcast_events
type: notification
short_description: Append the events of a job to a file
description:
  - Appends one JSON line per event to the file that the environment variable E(PLAYCAST_EVENTS) names.
  - Without the variable it does nothing.
  - Each line carries the size of the log at that moment, so that a reader finds the place in the log.
requirements:
  - Listed in callbacks_enabled.
"""

RECAP_COUNTERS = {
    "ok": "ok",
    "changed": "changed",
    "failed": "failures",
    "skipped": "skipped",
    "unreachable": "unreachable",
    "rescued": "rescued",
    "ignored": "ignored",
}
"""Our names of the counters, and what ``AggregateStats.summarize`` calls them."""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible ships no types
    """Writes the events. A file that cannot be written is a warning in the log and never fails the job."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "playcast_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Remember the file's name; the file is opened by the first event."""
        super().__init__(*args, **kwargs)
        self._path = os.environ.get("PLAYCAST_EVENTS")
        self._file: int | None = None
        self._seq = 0

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the recap: every host that took part, with its counters."""
        hosts = {}
        for host in sorted(stats.processed):
            summary = stats.summarize(host)
            hosts[host] = {ours: summary[theirs] for ours, theirs in RECAP_COUNTERS.items()}
        self._write("recap", hosts=hosts)

    def _write(self, kind: str, **details: Any) -> None:
        """Append one event."""
        if self._path is None:
            return
        self._seq += 1
        try:
            event = {"seq": self._seq, "at": _now(), "kind": kind, "log_offset": _log_offset(), **details}
            self._append(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            self._display.warning(f"An event was not written to {self._path}: {error}")

    def _append(self, line: bytes) -> None:
        """Hand the line over in one write, so that a reader never sees two lines mixed."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(str(self._path), flags, 0o600)
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes fit")


def _log_offset() -> int:
    """Return the bytes in the log so far; 0 when standard output is no regular file."""
    sys.stdout.flush()
    return os.fstat(1).st_size


def _now() -> str:
    """Return the time as RFC 3339 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
