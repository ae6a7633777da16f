"""Connections of ssh that outlive their job, so that the next one need not log in again: who may share one.

Whoever finds the control socket of a connection is logged in, whatever credential they have themselves. Two jobs
share one only if everything agrees that could have decided how the first of them logged in: the server with its
log-in and host key, the recipe's files, ansible.cfg, and all variables. Then the second would log in just the same.
"""

import json
import stat
from collections.abc import Collection, Mapping
from contextlib import suppress
from os import geteuid
from pathlib import Path
from typing import Any

import structlog

from runner.programs import process_tree
from runner.secrets.vault import Vault

# Of a digest, as much as nobody meets by chance: a socket's path has at most 107 bytes, and ssh needs 58 of them.
_PLACE_DIGITS = 8
_DIGITS = 16

log = structlog.get_logger()


class Connections:
    """Names the connections of one installation. They wait `seconds` for the next job; 0 keeps none."""

    def __init__(self, vault: Vault, jobs_dir: Path, seconds: int) -> None:
        self.seconds = seconds
        self._vault = vault
        # The same after a restart, and nobody can guess it.
        name = vault.digest(str(jobs_dir).encode())[:_PLACE_DIGITS]
        self._place = Path(f"/tmp/pc-ssh-{name}")  # noqa: S108 (`_made` takes no directory of somebody else)

    def all_of(self, server_id: int) -> str:
        """What the control paths of all connections to a server begin with, whoever may share them."""
        return f"{self._place}/{server_id:x}."

    def stem(self, server_id: int, host_vars: Mapping[str, Any], *agreed: object) -> str | None:
        """What the control paths of a server's host begin with; None if its connection is not to be kept.

        `host_vars` are all that ansible is told of it, the secrets too, and `agreed` what else must be the same. ssh
        adds a hyphen and `%C`, since a task may name another user or address.
        """
        if not self.seconds or not self._made():
            return None
        content = json.dumps([host_vars, *agreed], sort_keys=True, default=str)
        return self.all_of(server_id) + self._vault.digest(content.encode())[:_DIGITS]

    def close(self, in_use: Collection[str]) -> None:
        """End the connections that wait for a job; those in use (stems) end by themselves after theirs."""
        with suppress(OSError):
            kept = {f"{self._place}/{file.name.rpartition('-')[0]}" for file in self._place.iterdir()}
            process_tree.end_masters(sorted(kept - set(in_use)))
            self._place.rmdir()

    def _made(self) -> bool:
        """Whether the directory is there, and ours alone."""
        try:
            self._place.mkdir(mode=0o700, exist_ok=True)
            found = self._place.lstat()
        except OSError as error:
            log.warning("connections are not kept", error=str(error))
            return False
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == geteuid() and not found.st_mode & 0o077
        if not ours:
            log.warning("connections are not kept", error=f"{self._place} is not a private directory of this account")
        return ours
