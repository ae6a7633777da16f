"""Where Python is on the hosts of a job: what earlier ones found is known at once, what this one finds is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: playcast_interpreters
type: notification
short_description: Remembers between jobs where Python is on each host
description:
  - The part of P(playcast_events#callback) that knows about Python interpreters.
  - Does nothing when it is enabled.
requirements:
  - Beside playcast_events.
"""

FACT = "discovered_interpreter_python"  # ansible's own name; it looks for Python only where this fact is missing


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible ships no types
    """Hears no event itself: playcast_events asks it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "playcast_interpreters"
    CALLBACK_NEEDS_ENABLED = True

    @staticmethod
    def recall(manager: Any, job_dir: Path) -> None:
        """Make what `spec.json` in the job's directory says a fact of each host, as if it had just been found."""
        for host, path in _kept(job_dir):
            try:
                known = manager._fact_cache.get(host)  # noqa: SLF001 # there is no public way to ask for facts alone
            except KeyError:
                known = {}
            if FACT not in known:
                manager.set_host_facts(host, {FACT: path})

    @staticmethod
    def found(result: Any) -> str | None:
        """Return what a task has found out about its own host."""
        # A task that is delegated runs on another host.
        if result.task.delegate_to:
            return None
        items = result.result.get("results")
        for told in (result.result, *(items if isinstance(items, list) else ())):
            facts = told.get("ansible_facts") if isinstance(told, Mapping) else None
            if isinstance(facts, Mapping) and isinstance(facts.get(FACT), str):
                return str(facts[FACT])
        return None


def _kept(job_dir: Path) -> Iterator[tuple[str, str]]:
    """Yield (host, path)."""
    try:
        kept = json.loads((job_dir / "spec.json").read_bytes()).get("interpreters", {})
    except OSError:
        return
    for server_id, (_, _, path) in kept.items():
        if path is not None:
            yield f"srv-{server_id}", path
