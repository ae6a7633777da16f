"""The two inventories of a job: `hosts.ini` to read, and a secret one that exists in memory only.

Inventory values are Jinja templates that ansible runs on this machine, so what a user wrote goes out as YAML
`!unsafe`. The tag stands on whole mappings, with every string in quotes: on a single string ansible would guess the
type anew, and read the password "12345" as a number. Names inside the inventory are ours (`srv-<id>`), never the
user's text.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from models import Server, ServerAuthKind
from runner.errors import LaunchFailed
from runner.host_keys import host_name
from runner.reserved import INTERPRETER, is_python
from runner.secrets.credentials import Login

# Only what stands here decides how ssh connects: neither the account's own ssh configuration nor its keys take part.
_SSH_ALWAYS = "-F /dev/null -o GlobalKnownHostsFile=/dev/null -o HashKnownHosts=no"
_SSH_MASTER = "-o ControlMaster=auto -o ControlPersist=60s"
# A server that is silent for a minute is gone: without this a job would wait for it until its own deadline.
_SSH_ALIVE = "-o ServerAliveInterval=15 -o ServerAliveCountMax=4"
_SSH_PASSWORD = "-o PreferredAuthentications=password,keyboard-interactive -o PubkeyAuthentication=no"  # noqa: S105 (ssh options)
_SSH_KEY = "-o PreferredAuthentications=publickey -o PasswordAuthentication=no"


@dataclass(frozen=True)
class Target:
    """One server of a job with its login in clear and its tags."""

    server: Server
    login: Login
    tags: Sequence[str]


class _Unsafe(dict[str, Any]):
    """Values that ansible must never run as templates."""


class _Dumper(yaml.SafeDumper):
    """Writes `_Unsafe` with the tag `!unsafe`, and every string in quotes."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 (the signature is PyYAML's)
        """No anchors: a value that occurs twice is written twice."""
        return True


_Dumper.add_representer(_Unsafe, lambda dumper, values: dumper.represent_mapping("!unsafe", values))
_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def hosts_ini(targets: Sequence[Target]) -> str:
    """The readable inventory: names, addresses and groups; checked values only, no secret."""
    lines = [_host_line(target.server) for target in targets]
    groups: dict[str, list[str]] = {}
    for target in targets:
        for tag in target.tags:
            groups.setdefault(tag, []).append(host_name(target.server.id))
    for tag, hosts in sorted(groups.items()):
        lines += ["", f"[{tag}]", *hosts]
    return "\n".join(lines) + "\n"


def _host_line(server: Server) -> str:
    # A backslash would be read as an escape; a user's name holds no quote.
    user = f"'{server.user}'" if "\\" in server.user else server.user
    address = f"ansible_host={server.host} ansible_port={server.port} ansible_user={user}"
    return f"{host_name(server.id)} {address}"


def host_variables(
    targets: Sequence[Target], secret_vars: Mapping[str, Any], scratch: str, python: str
) -> dict[str, dict[str, Any]]:
    """What ansible is told of each host: login, connection options, variables, values of secret inputs.

    `scratch` is the job's own temporary directory; `python` runs the modules of LOCAL servers, whatever their variables
    say: they run on this machine. LaunchFailed if one names an interpreter that is no Python.
    """
    hosts = {}
    for target in targets:
        # Variables hold nothing that says how ansible runs, but where Python is (runner.checks).
        given = {**target.server.variables, **secret_vars}
        if not is_python(given.get(INTERPRETER, "auto")):
            # It was stored before that was checked.
            message = (
                f"{INTERPRETER} of the server {target.server.name} is not the path of a Python: change its variables"
            )
            raise LaunchFailed(message)
        ours = {INTERPRETER: python} if target.server.auth is ServerAuthKind.LOCAL else {}
        hosts[host_name(target.server.id)] = {**given, **ours, **_host_vars(target, scratch)}
    return hosts


def keep_connection(host_vars: dict[str, Any], stem: str, seconds: int) -> None:
    """Let the connection of a host wait for the next job; `stem` names it (runner.start.kept_connections)."""
    # Ansible replaces %(directory)s in it, so that a percent sign is written twice.
    host_vars["ansible_control_path"] = f"{stem}-%%C"
    host_vars["ansible_ssh_args"] = f"-o ControlPersist={seconds}s {host_vars['ansible_ssh_args']}"


def secret_inventory(hosts: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The inventory that goes through memory."""
    return _dump({"all": {"hosts": {name: _Unsafe(variables) for name, variables in hosts.items()}}})


def vars_file(values: Mapping[str, Any]) -> bytes:
    """Extra variables as YAML, `!unsafe`; LaunchFailed if they hold an interpreter, which would win over any host's."""
    if INTERPRETER in values:
        # The job was requested before that was checked.
        raise LaunchFailed(f"{INTERPRETER} is not allowed in a call: set it in the variables of the server")
    return _dump(_Unsafe(values))


def _host_vars(target: Target, scratch: str) -> dict[str, Any]:
    server = target.server
    # Repeated from hosts.ini as typed values: the ini form would read a user called None as null.
    ours: dict[str, Any] = {
        "server_name": server.name,
        "ansible_host": server.host,
        "ansible_port": server.port,
        "ansible_user": server.user,
    }
    if server.auth is ServerAuthKind.LOCAL:
        ours |= _local_vars(scratch)
    else:
        ours |= _ssh_vars(server, target.login)
    return ours


def _local_vars(scratch: str) -> dict[str, Any]:
    ours: dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_remote_tmp": f"{scratch}/remote",
    }
    if os.getuid():
        # The job runs as the account of Playcast; sudo would stop and wait for a password that nobody gives.
        ours["ansible_become"] = False
    return ours


def _ssh_vars(server: Server, login: Login) -> dict[str, Any]:
    """Options for ssh. The first that names a thing wins, and `ansible_ssh_args` come before all of ansible's own."""
    by_password = login.password is not None
    ours = {
        "ansible_connection": "ssh",
        "ansible_ssh_args": f"{_host_key_check(server)} {_SSH_MASTER} {_SSH_ALIVE}",
        "ansible_ssh_common_args": f"{_SSH_ALWAYS} {_SSH_PASSWORD if by_password else _SSH_KEY}",
    }
    if not by_password:
        return {**ours, "ansible_ssh_private_key": login.private_key}
    # With its own check on, ansible makes of a refused host key a failed task, which a playbook may ignore or rescue.
    # Off, it says what ssh says, unreachable. The option that it then adds comes after ours and is void.
    return {**ours, "ansible_password": login.password, "ansible_host_key_checking": False}


def _host_key_check(server: Server) -> str:
    # known_hosts is relative to the job directory, where ansible runs, so no path needs quoting.
    strict, known = ("yes" if server.host_key else "accept-new", "known_hosts")
    if not server.strict_host_key:
        strict, known = ("no", "/dev/null")
    alias = host_name(server.id)
    return f"-o StrictHostKeyChecking={strict} -o UserKnownHostsFile={known} -o HostKeyAlias={alias}"


def _dump(value: object) -> bytes:
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=False, width=4096, sort_keys=False)
    return text.encode()
