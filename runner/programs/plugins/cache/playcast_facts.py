"""Ansible cache plugin that begins with the facts Playcast hands over, and leaves those of a job for the next one."""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

from ansible.plugins.cache import BaseCacheModule
from ansible.utils.display import Display
from cryptography.fernet import Fernet

DOCUMENTATION = """
name: playcast_facts
short_description: Facts that come from Playcast and go back to it
description:
  - Holds facts in memory. It begins with those in the memory file whose descriptor is in E(PLAYCAST_FACTS), and at the
    end writes those that have changed, encrypted, into the file that is named there.
  - Without the variable it holds facts for the job alone.
author: Playcast
options:
  descriptor:
    description: Number of the descriptor; a memory file with JSON, which is closed once it was read.
    type: int
    env:
      - name: PLAYCAST_FACTS
"""


class CacheModule(BaseCacheModule):  # type: ignore[misc]  # ansible ships no types
    """The facts of one job. Facts that cannot be kept are a warning in the log and never fail the job."""

    # They stay the objects that they are: ansible reads them for each task and host, and would decode them each time.
    _persistent = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Read what was handed over, and see to the end."""
        super().__init__(*args, **kwargs)
        given = _given(self.get_option("descriptor"))
        self._file = given.get("file")
        self._most = given.get("most", 0)
        self._keys = {host: one["key"] for host, one in given.get("hosts", {}).items()}
        known = {host: one for host, one in given.get("hosts", {}).items() if "facts" in one}
        self._facts = {host: json.loads(one["facts"]) for host, one in known.items()}
        # When the first of a host's facts were gathered, in seconds: what is added later does not make them younger.
        self._since = {host: one["since"] for host, one in known.items()}
        self._changed: set[str] = set()
        self._owner = os.getpid()
        atexit.register(self._leave)

    def get(self, key: str) -> Any:
        """The facts of a host; KeyError if there are none."""
        return self._facts[key]

    def set(self, key: str, value: Any) -> None:
        """Replace the facts of a host."""
        self._facts[key] = value
        self._since.setdefault(key, time.time())
        self._changed.add(key)

    def keys(self) -> Iterable[str]:
        """The hosts with facts."""
        return self._facts.keys()

    def contains(self, key: str) -> bool:
        """Whether a host has facts."""
        return key in self._facts

    def delete(self, key: str) -> None:
        """Forget the facts of a host; KeyError if there are none."""
        del self._facts[key]
        del self._since[key]
        self._changed.add(key)

    def flush(self) -> None:
        """Forget all facts."""
        for key in list(self._facts):
            self.delete(key)

    def _leave(self) -> None:
        """Write a line for each host of the job whose facts have changed: `<host> <token>`, without facts `<host> `."""
        changed = sorted(self._changed & self._keys.keys())
        if os.getpid() != self._owner or self._file is None or not changed:
            return
        lines = [f"{host} {self._token(host)}\n" for host in changed]
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.writelines(lines)
        except OSError as error:
            Display().warning(f"No facts are kept: {error}")

    def _token(self, host: str) -> str:
        """The facts of a host, encrypted for Playcast alone; nothing if they cannot be kept, and a warning."""
        if host not in self._facts:
            return ""
        try:
            facts = json.dumps(self._facts[host])
        except (TypeError, ValueError, RecursionError):
            # The error's own text may quote a value.
            return _refuse(host, "they hold a value that JSON has no form for, such as a date")
        if len(facts) > self._most:
            return _refuse(host, f"they have {len(facts)} bytes, and at most {self._most} are kept")
        if sys.modules["playcast_programs.masking"].mask(facts) is not facts:
            # The next job does not know it as a secret, and would print it.
            return _refuse(host, "they hold a secret of this job")
        return Fernet(self._keys[host]).encrypt(f"{self._since[host]} {facts}".encode()).decode()


def _given(descriptor: int | None) -> dict[str, Any]:
    if descriptor is None:
        return {}
    with os.fdopen(descriptor, encoding="utf-8") as file:
        given: dict[str, Any] = json.load(file)
    return given


def _refuse(host: str, why: str) -> str:
    Display().warning(f"The facts of {host} are not kept: {why}.")
    return ""
