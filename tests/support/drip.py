"""A job that prints a line every tenth of a second, so that bad things can happen in its middle."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.jobs.test_recovery import read_until
from tests.support.api import JSON, Api

# `begun` gets a line each time it is started.
DRIP = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Begin
      ansible.builtin.shell: echo begun >>{begun}
    - name: Drip
      ansible.builtin.debug: {{msg: "line {{{{ item }}}}"}}
      loop: "{{{{ range(count) | list }}}}"
      loop_control: {{pause: 0.1, label: .}}
"""


def add_drip(ansible_dir: Path, begun: Path) -> None:
    """Write the recipe `drip`."""
    (ansible_dir / "playbooks" / "drip.yml").write_text(DRIP.format(begun=begun))


async def drip(api: Api, server: str, count: int) -> JSON:
    """A new job of so many lines, once it prints."""
    job = await api.run("drip", server, extraVars={"count": count})
    await read_until(api, job["id"], '"line 2"')
    return job


def dripped(log: bytes) -> list[int]:
    """The numbers of the printed lines."""
    return [int(number) for number in re.findall(rb'^ +"msg": "line (\d+)"$', log, re.MULTILINE)]


def steady(api: Api) -> Callable[[], Awaitable[Api]]:
    """What a watcher of a server that does not die asks for it."""

    async def up() -> Api:
        return api

    return up
