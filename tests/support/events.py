"""Runs the real ansible-playbook with the shipped callback plugins alone, and reads what they wrote."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playcast.settings import shipped_ansible_dir
from runner.programs.ansible_hooks import PLUGINS

ANSIBLE = Path(sys.executable).with_name("ansible-playbook")


@dataclass
class Done:
    """A finished run: its exit code, its log, and the lines that it added to its events file."""

    code: int
    log: bytes
    lines: list[bytes]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]

    def said(self, event: dict[str, Any]) -> str:
        """The part of the log that belongs to an event."""
        return self.log[event["log_start"] : event["log_offset"]].decode()

    def hosts(self, task: str) -> dict[str, dict[str, Any]]:
        """What a task came to, by host."""
        return {event["host"]: event for event in self.of("host") if event["task"] == task}


class Bench:
    """Runs playbooks in a directory of its own."""

    def __init__(self, tmp_path: Path, ansible_dir: Path | None = None) -> None:
        self.path = ansible_dir / "playbooks" if ansible_dir else tmp_path / "run"
        self.path.mkdir(exist_ok=True)
        self.events: Path | None = tmp_path / "events.jsonl"
        self.hosts = ["srv-1"]
        self._config = (ansible_dir or shipped_ansible_dir()) / "ansible.cfg"
        self._start: list[str] = []

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def start_by(self, script: str, *arguments: str) -> None:
        """Let a Python script start ansible-playbook; its further arguments are the command."""
        self.write("start.py", script)
        self._start = [sys.executable, str(self.path / "start.py"), *arguments]

    def run(self, playbook: str, *arguments: str, **environment: str) -> Done:
        self.write("playbook.yml", playbook)
        local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        self.write("hosts.ini", "".join(f"{host}\n" if " " in host else f"{host} {local}\n" for host in self.hosts))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "ANSIBLE_CONFIG": str(self._config),
            "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS / "callback"),
            # The path of a control socket has room for about 100 characters, and pytest's directories take most.
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
            **({"PLAYCAST_EVENTS": str(self.events)} if self.events else {}),
            **environment,
        }
        command = [*self._start, str(ANSIBLE), "-i", "hosts.ini", *arguments, "playbook.yml"]
        before = self.events.stat().st_size if self.events and self.events.exists() else 0
        log = self.path / "log"
        with log.open("ab") as file:
            done = subprocess.run(command, cwd=self.path, env=env, stdout=file, stderr=file, check=False, timeout=200)
        return Done(done.returncode, log.read_bytes(), self._lines(before))

    def _lines(self, begin: int) -> list[bytes]:
        if self.events is None or not self.events.is_file():
            return []
        with self.events.open("rb") as file:
            file.seek(begin)
            return file.read().splitlines()
