"""Sixteen servers that have nothing in common: host key, account, credential, environment, colour; and their jobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.host_keys import fingerprint
from tests.support.api import Api
from tests.support.sshd import Sshd, make_key, start_sshd

SIZE = 16
SHOWS = r"""
- hosts: all
  gather_facts: false
  tasks:
    - name: Paint {{ colour | paint }}
      ansible.builtin.command: printenv HOME USER SSH_CONNECTION
      register: there
    - name: Show what is mine
      ansible.builtin.debug:
        msg: "<<{{ mine | to_json | b64encode }}>>"
      vars:
        mine:
          hosts: "{{ groups.all }}"
          server: "{{ server_name }}"
          environment: "{{ environment_name }}"
          word: "{{ word }}"
          token: "{{ token | hash('sha256') }}"
          there: "{{ there.stdout_lines }}"
          env: "{{ query('env', 'TMPDIR', 'ANSIBLE_HOME', 'ANSIBLE_PIPELINING') }}"
          config: "{{ lookup('config', 'ANSIBLE_HOME', 'ANSIBLE_PIPELINING', 'ANSIBLE_FORCE_COLOR') }}"
          agent: "{{ lookup('config', 'SSH_AGENT') }}"
          local_temp: "{{ lookup('config', 'DEFAULT_LOCAL_TMP') | dirname }}"
    - ansible.builtin.debug:
        msg: "own {{ token }}, other {{ word }};"
"""
SIDECAR = "inputs: {{word: {{type: str}}, token: {{type: str, no_log: true}}}}\npipelining: {}\n"
# No setting gives a job a colour of its own. This gives it one in the way that a leak would: in the memory of ansible.
PAINT = """
import ansible.constants
import ansible.utils.color

def paint(colour):
    if colour:
        ansible.utils.color.ANSIBLE_COLOR = True
        for name in dir(ansible.constants):
            if name.startswith("COLOR_") and name != "COLOR_CODES":
                setattr(ansible.constants, name, f"color{colour}")
    return colour

class FilterModule:
    def filters(self):
        return {"paint": paint}
"""
_LOGIN = re.compile(r"Accepted (\w+) for (\S+) from 127\.\S+ port (\d+) ssh2(?:: ED25519 (\S+))?$", re.MULTILINE)


def token(number: int) -> str:
    """The secret of a job, of which nothing stands in another's: eight letters of its base64 would be masked."""
    return "tok-" + hashlib.sha256(f"token {number}".encode()).hexdigest()[:20]


@dataclass
class Member:
    """One server of the crowd, and what its jobs must show. `key` is the private key that it takes, else a password."""

    number: int
    sshd: Sshd
    key: str | None
    public_key: str
    id: str = ""

    @property
    def name(self) -> str:
        """As people call it."""
        return f"server {self.number}"

    @property
    def recipe(self) -> str:
        """Half of those with a key and half of those with a password do without pipelining."""
        return "shows" if self.pipelining else "shows_too"

    @property
    def pipelining(self) -> bool:
        """Whether its recipe pipelines."""
        return self.number // 2 % 2 == 1

    @property
    def colour(self) -> int:
        """What its job paints its log with; 0 for the half that does not."""
        return 16 + self.number if self.number // 4 % 2 else 0

    @property
    def credential(self) -> dict[str, str]:
        """The one that its sshd takes."""
        return {"privateKey": self.key} if self.key else {"password": password(self.number)}

    async def add_to(self, api: Api, credential: dict[str, str]) -> None:
        """Make its row, which need not have the right credential."""
        tags = [["production"], ["staging"], []][self.number % 3]
        login = {"host": self.sshd.address, "port": self.sshd.port, "user": self.sshd.user, "credential": credential}
        self.id = await api.create_server(name=self.name, tags=tags, variables={"colour": self.colour}, **login)

    async def run(self, api: Api) -> tuple[int, tuple[str, str | None, str | None]]:
        """A job; (its number, (status, failureReason, message)). Its word is the next one's secret."""
        given = {"word": token(self.number % SIZE + 1), "token": token(self.number)}
        job = await api.run(self.recipe, self.id, extraVars=given)
        ended = await api.finished(job["id"])
        return job["number"], (ended["status"], ended["failureReason"], ended["message"])

    def logins(self) -> list[tuple[str, str, str, str]]:
        """Who has logged in so far: (method, user, port of the client, fingerprint of the key)."""
        return _LOGIN.findall(self.sshd.log.read_text())

    def login_from(self, port: str) -> tuple[str, str, str, str]:
        """The one login that may ever happen from a port of the client."""
        if self.key:
            return ("publickey", self.sshd.user, port, str(fingerprint(self.public_key)))
        return ("password", self.sshd.user, port, "")

    def expected(self, spec: dict[str, Any]) -> dict[str, Any]:
        """What its job must have seen."""
        scratch = spec["scratch"]
        return {
            "hosts": [f"srv-{self.number}"],
            "server": self.name,
            "environment": ["production", "staging", "none"][self.number % 3],
            "word": token(self.number % SIZE + 1),
            "token": hashlib.sha256(token(self.number).encode()).hexdigest(),
            "there": [str(self.sshd.home), self.sshd.user],
            "env": [scratch, "", ""],
            "config": [f"{scratch}/ansible", self.pipelining, False],
            "local_temp": f"{scratch}/ansible/tmp",
        }


def password(number: int) -> str:
    """The password of a server that takes one."""
    return f"pw{number:02}'s \"#; é"


@contextmanager
def crowd(tmp_path: Path) -> Iterator[dict[int, Member]]:
    """The servers by their number, from 1; those with even numbers take a key each."""
    members = {}
    with ExitStack() as opened:
        for number in range(1, SIZE + 1):
            key, public_key = make_key(tmp_path) if number % 2 == 0 else (None, "")
            sshd = start_sshd(
                tmp_path,
                f"127.0.1.{number}",
                user=f"deploy{number}",
                password=None if key else password(number),
                authorized_key=public_key or None,
            )
            members[number] = Member(number, opened.enter_context(sshd), key, public_key)
        yield members


def write_recipes(ansible_dir: Path) -> None:
    """The recipes of the crowd's jobs."""
    for name, pipelining in (("shows", "true"), ("shows_too", "false")):
        (ansible_dir / "playbooks" / f"{name}.yml").write_text(SHOWS)
        (ansible_dir / "recipes" / f"{name}.yml").write_text(SIDECAR.format(pipelining))
    filters = ansible_dir / "playbooks" / "filter_plugins"
    filters.mkdir()
    (filters / "paint.py").write_text(PAINT)
