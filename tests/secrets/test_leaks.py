"""No secret in any file, command line or environment: looked for while a job runs, and after it."""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from playcast.app import ENGINE
from runner.job_processes import marked, of_job
from tests.conftest import StartApp
from tests.support.launchers import until
from tests.support.sshd import make_key, require_sshd, start_sshd

# New in each run: another run on this machine may look for its own at the same time.
PASSWORD = f"pw-{secrets.token_hex(4)}-is-secret"
TOKEN_INPUT = f"in-{secrets.token_hex(4)}-is-secret"
SLOW = """
- name: Uses a secret
  hosts: all
  gather_facts: false
  tasks:
    - name: Take long enough to be looked at
      ansible.builtin.shell: until [ -e {go} ]; do sleep 0.1; done
      changed_when: false
    - name: Know the secret without saying it
      ansible.builtin.assert:
        that: api_token | length == 21
    - name: Hand it to a program
      ansible.builtin.command: cat
      args:
        stdin: "{{{{ api_token }}}}"
      changed_when: false
      no_log: true
"""
SIDECAR = "inputs:\n  api_token: {type: str, required: true, no_log: true}\n"


class Poller:
    """Reads the command line and environment of every process, again and again, and notes which words it saw."""

    def __init__(self, words: list[bytes]) -> None:
        self.seen: set[bytes] = set()
        self.rounds = 0
        self._words = words
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._stop.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        content = (process / name).read_bytes()
                    except OSError:
                        continue
                    self.seen.update(word for word in self._words if word in content)
            self.rounds += 1
            time.sleep(0.005)


def holding(folder: Path, words: list[bytes]) -> list[str]:
    """The files below `folder` that hold one of the words."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            # What other processes of the machine keep in a shared directory may go at any time.
            with suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    content = path.read_bytes()
                    found += [str(path) for word in words if word in content]
    return found


def memory_files(pid: int) -> list[str]:
    """The files in memory that a process has open."""
    links = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        # It may have closed this one since.
        with suppress(OSError):
            links.append(str(path.readlink()))
    return [link for link in links if link.startswith("/memfd:")]


def ansible_of(job_dir: Path) -> int:
    """The process that runs a job's playbook."""
    return int(json.loads((job_dir / "run.json").read_text())["ansible"]["pid"])


@pytest.fixture
def planted() -> Iterator[bytes]:
    """A word on the command line of a process of ours: the poller must see this one."""
    word = f"word-{secrets.token_hex(4)}-planted"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", word]) as process:
        yield word.encode()
        process.kill()


@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_secrets_are_nowhere(
    start_app: StartApp,
    tmp_path: Path,
    data_dir: Path,
    ansible_dir: Path,
    add_recipe: Callable[[str, str], None],
    planted: bytes,
    go: Path,
    launcher: str,
) -> None:
    require_sshd()
    api = await start_app(launcher=launcher)
    add_recipe("secretive", SLOW.format(go=go))
    (ansible_dir / "recipes" / "secretive.yml").write_text(SIDECAR)
    (tmp_path / "key").mkdir()
    private, public = make_key(tmp_path / "key")
    key_line = private.splitlines()[2].encode()
    words = [PASSWORD.encode(), TOKEN_INPUT.encode(), key_line]
    with (
        start_sshd(tmp_path, "127.0.0.2", authorized_key=public) as one,
        start_sshd(tmp_path, "127.0.0.3", password=PASSWORD) as two,
    ):
        first = await api.create_server(
            name="key", host=one.address, port=one.port, user=one.user, credential={"privateKey": private}
        )
        second = await api.create_server(
            name="password", host=two.address, port=two.port, user=two.user, credential={"password": PASSWORD}
        )
        with Poller([*words, planted]) as poller:
            job = await api.run("secretive", first, second, extraVars={"api_token": TOKEN_INPUT})
            async for chunk in api.log(job["id"]):
                if "TASK [Take long enough" in chunk["text"]:
                    in_memory = memory_files(ansible_of(data_dir / "jobs/1"))
                    await until(lambda: poller.rounds > 20)
                    go.touch()
            ended = await api.finished(job["id"])
    assert (ended["status"], ended["message"]) == ("SUCCESS", None)
    assert poller.seen == {planted}
    # The words to mask were closed as soon as they were read; ansible may read its inventory again.
    assert in_memory == ["/memfd:playcast-inventory (deleted)"]
    scratch = Path(json.loads((data_dir / "jobs/1/spec.json").read_text())["scratch"])
    assert not scratch.exists()
    for folder in (data_dir, Path("/dev/shm")):  # noqa: S108 (where the default log-in would leave the password)
        assert holding(folder, words) == []
    # The search itself works: it finds a planted one.
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "it").write_bytes(b"x" + key_line)
    assert holding(tmp_path / "found", words) == [str(tmp_path / "found" / "it")]
    job_json = await api.ask('{ job(id: "1") { extraVars } }')
    assert job_json == {"job": {"extraVars": None}}
    # Its ssh agent, its ssh masters, its commands.
    assert (of_job(data_dir / "jobs/1"), marked(f"TMPDIR={scratch}")) == ([], [])
    assert api.client.app[ENGINE].starter.warm == (launcher == "warm")
