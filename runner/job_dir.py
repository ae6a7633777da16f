"""The directory of one job: its files, written whole and private. docs/architecture.md lists their formats."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

# Nothing to read is there. Other troubles, such as too many open files, pass: then it is tried again.
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)

_TICK_SECONDS = 0.02


class JobDir:
    """`jobs/<id>/`: directory 0700, files 0600."""

    def __init__(self, jobs_dir: Path, job_id: int) -> None:
        self.path = jobs_dir / str(job_id)
        self.hosts = self.path / "hosts.ini"
        self.known_hosts = self.path / "known_hosts"
        self.vars = self.path / "vars.yml"
        self.spec = self.path / "spec.json"
        self.claim = self.path / "claim"
        self.run = self.path / "run.json"
        self.log = self.path / "ansible.log"
        self.events = self.path / "events.jsonl"
        self.facts = self.path / "facts"
        self.exit = self.path / "exit.json"
        self.cut_off = self.path / "cut_off"

    def make(self) -> None:
        """Create the directory; it may stand already when a launch is tried again."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)

    def write(self, file: Path, content: bytes) -> None:
        """Replace `file` as a whole, so that no reader ever sees half of it."""
        draft = file.with_name(file.name + ".tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
            handle.write(content)
        draft.replace(file)

    def link_group_vars(self, group_vars: Path) -> None:
        """Let ansible find the variables per environment: it looks for `group_vars` beside the inventory."""
        link = self.path / "group_vars"
        if group_vars.is_dir() and not link.is_symlink():
            link.symlink_to(group_vars.resolve())

    def read_json(self, file: Path) -> dict[str, Any] | None:
        """The JSON object in `file`; None if it is missing or was not finished."""
        try:
            value = json.loads(file.read_bytes())
        except (*_NO_FILE, ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def read_run(self) -> dict[str, Any] | None:
        """run.json; None if it is missing or does not say which process is the supervisor."""
        run = self.read_json(self.run)
        if run is None or not isinstance(run.get("boot_id"), str) or not isinstance(run.get("supervisor"), dict):
            return None
        pid, start = (run["supervisor"].get(name) for name in ("pid", "start"))
        well = isinstance(pid, int) and 0 < pid < 2**31 and isinstance(start, int)
        return run if well else None

    def made_for(self) -> str | None:
        """When the job was created that the directory was made for, as its specification says; None if it does not."""
        created_at = (self.read_json(self.spec) or {}).get("created_at")
        return created_at if isinstance(created_at, str) else None

    def claimed(self) -> bool:
        """Whether a supervisor ever took this job, as far as can be seen; two never can, whatever this says."""
        try:
            return self.claim.exists()
        except PermissionError:
            # The launch will say so.
            return False

    def claimed_since(self, moment: float) -> bool:
        """Whether a supervisor took this job at `moment` (Unix seconds) or later, by the clock of the file system."""
        try:
            claimed_at = self.claim.stat().st_mtime_ns
        except OSError:
            return False
        # Some file systems keep whole seconds, and others the time of the last tick of the kernel.
        slack = 1.0 if claimed_at % 10**9 == 0 else _TICK_SECONDS
        return claimed_at / 1e9 >= moment - slack

    def held(self) -> bool:
        """Whether the supervisor that took this job is still alive: it holds a lock on `claim` for life."""
        if not self.claimed():
            # Known without opening anything, also where no more files may be open.
            return False
        try:
            handle = os.open(self.claim, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False
