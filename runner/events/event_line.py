"""One line of `events.jsonl`, read with care: the plugin wrote it, but a playbook may write there as well."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models import HostTaskStatus, JobEvent

COUNTERS = ("ok", "changed", "failed", "skipped", "unreachable", "rescued", "ignored")
MAX_HOST = 253
"""Characters of a host's name: what a playbook adds bears names of the DNS."""
MAX_NAME = 1000
MAX_DEPTH = 100
# Far from what the columns hold: the counters go on from here.
_MOST = 10**9

Details = dict[str, Any]
Recap = dict[str, dict[str, int]]


@dataclass(frozen=True)
class PluginEvent:
    """An event of the plugin. `log_start` to `log_offset` are the bytes of the log that it printed."""

    kind: str
    at: datetime
    log_start: int
    log_offset: int
    progress: float | None
    details: Details

    @property
    def stored(self) -> bool:
        """Whether clients see it; the start only carries the plan that the progress is counted from."""
        return self.kind != "start"

    def row(self, job_id: int, log_line: int | None) -> JobEvent:
        """The row without its number."""
        row = JobEvent.of(job_id, 0, self.kind, self.at, self.details)
        row.log_line = log_line
        return row


def read_event(line: bytes) -> PluginEvent | None:
    """Parse one line; None if it is no event of the plugin."""
    try:
        event = json.loads(line, parse_constant=_finite, parse_float=_finite)
        kind = event["kind"]
        details = _DETAILS[kind](event)
        return PluginEvent(
            kind=kind,
            at=datetime.fromisoformat(event["at"]).astimezone(UTC),
            log_start=_count(event.get("log_start", 0), 2**62),
            log_offset=_count(event["log_offset"], 2**62),
            progress=_number(event.get("progress"), 1.0),
            details=details,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _finite(text: str) -> float:
    """JSON has no NaN and no infinity; Python would read them, also out of 1e999, and clients could not."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _play(event: Mapping[str, Any]) -> Details:
    hosts = event["hosts"]
    if not isinstance(hosts, list):
        raise TypeError
    return {"play": _text(event["play"]), "hosts": [_text(host, MAX_HOST) for host in hosts]}


def _task(event: Mapping[str, Any]) -> Details:
    path = event.get("path")
    return {
        "play": _text(event["play"]),
        "task_id": _text(event["task_id"]),
        "task": _text(event["task"]),
        "action": _text(event["action"]),
        "path": _text(path) if path is not None else None,
    }


def _host(event: Mapping[str, Any]) -> Details:
    message, result, delegate = event.get("message"), event.get("result"), event.get("delegate")
    shallow = _is_shallow(result)
    return {
        "host": _text(event["host"], MAX_HOST),
        "task_id": _text(event["task_id"]),
        "task": _text(event["task"]),
        "status": HostTaskStatus(event["status"]).value,
        "delegate": _text(delegate, MAX_HOST) if delegate is not None else None,
        "duration": _number(event.get("duration"), _MOST),
        "message": _text(message, 4000) if message is not None else None,
        "result": result if shallow else None,
        "truncated": bool(event.get("truncated")) or not shallow,
    }


def _recap(event: Mapping[str, Any]) -> Details:
    hosts: Recap = {
        _text(host, MAX_HOST): {name: _count(counters.get(name, 0), _MOST) for name in COUNTERS}
        for host, counters in event["hosts"].items()
    }
    unserved = event.get("unserved", {})
    return {"hosts": hosts, "unserved": {_text(host, MAX_HOST): _text(why) for host, why in unserved.items()}}


def _text(value: object, most: int = MAX_NAME) -> str:
    """Text that every database takes."""
    if not isinstance(value, str):
        raise TypeError
    return value[:most].replace("\0", "\ufffd").encode(errors="replace").decode()


def _count(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError
    return value


def _number(value: object, most: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return min(max(float(value), 0.0), most)


def _is_shallow(value: object) -> bool:
    """Whether it nests at most MAX_DEPTH levels: deeper JSON cannot be read everywhere."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for part in level
            if isinstance(part, dict | list)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return True
    return False


_DETAILS: dict[str, Callable[[Mapping[str, Any]], Details]] = {
    "start": lambda _event: {},
    "play": _play,
    "task": _task,
    "host": _host,
    "recap": _recap,
}
