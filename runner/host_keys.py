"""What ansible and ssh call a server, and the keys by which they know it."""

import base64
import hashlib
from collections.abc import Sequence

from models import Server


def host_name(server_id: int) -> str:
    """The name of a server inside inventories, and the alias of its host key."""
    return f"srv-{server_id}"


def known_hosts(servers: Sequence[Server]) -> str:
    """The pinned host keys of a job's servers, as ssh reads them; none of a server that is not checked."""
    checked = [server for server in servers if server.strict_host_key]
    lines = [f"{host_name(server.id)} {line}" for server in checked for line in (server.host_key or "").splitlines()]
    return "".join(f"{line}\n" for line in lines)


def learned_keys(known_hosts_text: str) -> dict[int, str]:
    """Host keys by server id, from the `known_hosts` that a job leaves: new ones and pinned ones."""
    found: dict[int, list[str]] = {}
    for line in known_hosts_text.splitlines():
        alias, _, key = line.partition(" ")
        # A playbook that runs on this machine may have written there, and not every database takes every byte.
        plain = key.isascii() and key.isprintable()
        if alias.startswith("srv-") and alias[4:].isdigit() and key and plain:
            found.setdefault(int(alias[4:]), []).append(key)
    return {server_id: "\n".join(keys) for server_id, keys in found.items()}


def fingerprint(host_key: str | None) -> str | None:
    """`SHA256:…` of the first key in `host_key` (`<type> <base64>`), as ssh-keygen writes it; None if there is none."""
    parts = (host_key or "").split()
    if len(parts) < 2:
        return None
    try:
        digest = hashlib.sha256(base64.b64decode(parts[1], validate=True)).digest()
    except ValueError:
        return None
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
