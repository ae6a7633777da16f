"""Some real sshds to run playbooks on, each on a loopback address of its own."""

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bench.rig.server import Server
from tests.support.sshd import Sshd, make_key, start_sshd


class Fleet:
    """`size` sshds that one key opens; ended with the context."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.private, public = make_key(folder)
        self._key = folder / "key"
        self._key.touch(0o600)
        self._key.write_text(self.private)
        with ExitStack() as opened:
            self.sshds = [
                opened.enter_context(start_sshd(folder, f"127.0.0.{number + 2}", authorized_key=public))
                for number in range(size)
            ]
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def add_to(self, server: Server, name: str = "") -> list[str]:
        """Their ids on a Playcast server, where `name` begins their names."""
        name = name or str(len(self.sshds))
        return [server.add_server(name=f"{name} {each.address}", **self._login(each)) for each in self.sshds]

    def _login(self, sshd: Sshd) -> dict[str, Any]:
        where = {"host": sshd.address, "port": sshd.port, "user": sshd.user}
        return {**where, "credential": {"privateKey": self.private}}

    def inventory(self) -> Path:
        """An inventory as a person writes it."""
        file = self.folder / "hosts.ini"
        file.write_text(
            "".join(
                f"srv-{number} ansible_host={each.address} ansible_port={each.port} ansible_user={each.user} "
                f"ansible_ssh_private_key_file={self._key}\n"
                for number, each in enumerate(self.sshds, 1)
            )
        )
        return file

    def environment(self) -> dict[str, str]:
        """What a person runs ansible with: its plain settings, and no connection left open by an earlier run."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": tempfile.mkdtemp(prefix="cp-", dir=self.folder),
        }


def ansible_playbook() -> str:
    """The program of this environment, else of PATH."""
    program = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program is not None, "ansible-playbook is not installed"
    return program
