"""A real sshd for tests: its own host key, port and log, and a user that exists for it alone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import pytest

PASSWORD = "right-7f3a"
"""What opens the one that the fixture `sshd` starts."""

START_SECONDS = 30.0
"""How long an sshd may take until it listens; a loaded machine needs about one second."""

END_SECONDS = 30.0
"""How long an ended sshd and its sessions may take to go away."""

UNSHARE = ("unshare", "--mount", "--propagation", "private", "--")
"""Runs what follows in a mount namespace of its own, under the same process id."""

IN_ITS_OWN_ROOM = """
for name in passwd shadow group; do mount --bind "$1/$name" "/etc/$name"; done
if [ -e "$1/sudoers" ]; then mount --bind "$1/sudoers" /etc/sudoers; fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
mkdir -m 711 /run/room
mount --bind "$1" /run/room
exec "$2" -D -e -f "$1/sshd_config"
"""
"""The mounts are seen by this sshd alone; ``exec`` keeps the process id.

``/run/room`` is the directory of the sshd, on a path that every user may go.
"""

SUDO = """#!/bin/sh
while :; do
  case "$1" in
    -u|-p) shift 2 ;;
    -*) shift ;;
    *) exec "$@" ;;
  esac
done
"""
"""Stands in for sudo: the user of the sshd is uid 0 already, and the machine needs no sudo installed."""


class Namespace:
    """The mount namespace that marks every process of an sshd.

    Linux gives the number of one that is gone to the next one made, which may be that of an sshd started by somebody
    else. So it is kept, with or without a process in it, until it is closed.
    """

    def __init__(self, pid: int) -> None:
        self._open = Path(f"/proc/{pid}/ns/mnt").open("rb")  # noqa: SIM115 (open for as long as the sshd)
        self._identity = _identity(os.fstat(self._open.fileno()))
        if self._identity == _identity(Path("/proc/self/ns/mnt").stat()):
            self.close()
            raise RuntimeError("the sshd never left our own mount namespace")

    def close(self) -> None:
        """Let the number go to others."""
        self._open.close()

    @property
    def closed(self) -> bool:
        """Whether somebody else may have the number."""
        return self._open.closed

    def members(self) -> list[int]:
        """The processes in it."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(ValueError, OSError):
                if _identity((entry / "ns/mnt").stat()) == self._identity:
                    found.append(int(entry.name))
        return found

    def empty(self) -> None:
        """End every process in it: a session may leave the sshd's group, but never its namespace."""
        deadline = time.monotonic() + END_SECONDS
        while members := self.members():
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes {members} of an sshd do not end")
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@dataclass(frozen=True)
class Account:
    """What is special about the user of an sshd, and about the sshd itself."""

    uid: int = 0
    """Of another user than root."""
    sudoers: str | None = None
    """Lines of ``/etc/sudoers``: the real sudo works over there. None: a program stands in for it."""
    shell: str = "/bin/sh"
    expiry: str = "19000:0:99999:7:::"
    """The fields of ``shadow`` after the password."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Further options of ``sshd_config``; they win over the usual ones."""


@dataclass
class Sshd:
    """A running sshd. Close it, or use it in a ``with`` statement."""

    address: str
    port: int
    user: str
    host_key_fingerprint: str
    """As OpenSSH prints it: ``SHA256:...``."""
    host_public_key: str
    """Type and key as in a ``known_hosts`` line, without a host name."""
    home: Path
    log: Path
    process: subprocess.Popen[bytes]
    namespace: Namespace

    @property
    def pid(self) -> int:
        """The process id of the sshd itself, which is also the process that was started."""
        return self.process.pid

    def close(self) -> None:
        """End the sshd, its sessions and whatever they left running on this "server"."""
        if self.namespace.closed:
            return
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.namespace.empty()
        self.namespace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def start_sshd(
    tmp: Path,
    address: str = "127.0.0.2",
    *,
    user: str = "deploy",
    password: str | None = None,
    authorized_key: str | None = None,
    port: int = 0,
    account: Account = Account(),
) -> Sshd:
    """Start an sshd below ``tmp`` and return it once it listens.

    A password and a public key line each allow their kind of log-in. Port 0 takes a free one; a fixed port with a
    new sshd is a server whose host key changed. Raises RuntimeError with the log if the sshd does not start.
    """
    start = partial(
        _started, tmp, address, user=user, password=password, authorized_key=authorized_key, account=account
    )
    if port:
        return start(port)
    while True:
        try:
            return start(_free_port(address))
        except RuntimeError as error:
            # Somebody else was given it too, and came first.
            if "Address already in use" not in str(error):
                raise


def _started(
    tmp: Path,
    address: str,
    port: int,
    *,
    user: str,
    password: str | None,
    authorized_key: str | None,
    account: Account,
) -> Sshd:
    room = Path(tempfile.mkdtemp(prefix="sshd-", dir=tmp))
    key, fingerprint = _make_host_key(room)
    _write_accounts(room, user, password, account)
    _write_config(room, address, port, user, password is not None, authorized_key, account)
    log = room / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*UNSHARE, "sh", "-euc", IN_ITS_OWN_ROOM, "sh", str(room), _sshd_path()],
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            env={"PATH": os.defpath + ":/usr/sbin:/sbin"},
        )
    try:
        _wait_until_listening(process, log)
        namespace = Namespace(process.pid)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Sshd(address, port, user, fingerprint, key, room / "home", log, process, namespace)


def make_key(tmp: Path) -> tuple[str, str]:
    """Return a new ed25519 key: the private key in OpenSSH's text form, and the line for ``authorized_keys``."""
    with tempfile.TemporaryDirectory(dir=tmp) as folder:
        path = Path(folder) / "key"
        _keygen(path)
        return path.read_text(), path.with_suffix(".pub").read_text().strip()


def missing_parts() -> str | None:
    """Name what this machine lacks to run an sshd for tests, or return None."""
    missing = [tool for tool in ("ssh", "ssh-keygen", "sshpass", "openssl", "unshare") if shutil.which(tool) is None]
    if not os.access(_sshd_path(), os.X_OK):
        missing.append("sshd")
    if os.geteuid() != 0:
        missing.append("root")
    if not missing and not _may_unshare():
        missing.append("the right to unshare mounts")
    return ", ".join(missing) or None


def require_sshd() -> None:
    """Skip the test where an sshd cannot run; in continuous integration that is a failure."""
    _require(missing_parts(), "a real sshd")


def require_sudo() -> None:
    """The same where there is no sudo."""
    _require(None if shutil.which("sudo") else "sudo", "the real sudo")


def _require(missing: str | None, what: str) -> None:
    if missing is None:
        return
    reason = f"{what} needs: {missing}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _sshd_path() -> str:
    """Return the full path, which sshd insists on; it is often outside an ordinary PATH."""
    return shutil.which("sshd") or "/usr/sbin/sshd"


def _may_unshare() -> bool:
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)


def _make_host_key(room: Path) -> tuple[str, str]:
    """Return the public part without its comment, and the fingerprint."""
    path = room / "host_key"
    _keygen(path)
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-E", "sha256", "-f", str(path)], check=True, capture_output=True, text=True
    )
    public = path.with_suffix(".pub").read_text().split()
    return " ".join(public[:2]), listed.stdout.split()[1]


def _write_accounts(room: Path, user: str, password: str | None, account: Account) -> None:
    """Write the user data base that only this sshd sees; the user has uid 0."""
    home = room / "home"
    home.mkdir(mode=0o700)
    os.chown(home, account.uid, account.uid)
    room.chmod(0o711)
    own, place = f"{account.uid}:{account.uid}", home if not account.uid else "/run/room/home"
    accounts = {"root": f"0:0:root:{home}:/bin/sh"} | {user: f"{own}:{user}:{place}:{account.shell}"}
    accounts |= {"sshd": "74:65534:sshd:/run/sshd:/usr/sbin/nologin"}
    accounts |= {"nobody": "65534:65534:nobody:/nonexistent:/usr/sbin/nologin"}
    hashed = "*" if password is None else _hash(password)
    (room / "passwd").write_text("".join(f"{name}:x:{rest}\n" for name, rest in accounts.items()))
    group = f"{user}:x:{account.uid}:\n" if account.uid else ""
    (room / "group").write_text(f"root:x:0:\nnogroup:x:65534:\n{group}")
    if account.sudoers is not None:
        (room / "sudoers").write_text(account.sudoers)
        (room / "sudoers").chmod(0o440)
    shadow = room / "shadow"
    shadow.touch(mode=0o600)
    lines = [f"{name}:*:{Account.expiry}\n" for name in accounts if name != user]
    shadow.write_text("".join([*lines, f"{user}:{hashed}:{account.expiry}\n"]))


def _hash(password: str) -> str:
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, check=True, capture_output=True, text=True
    )
    return hashed.stdout.strip()


def _write_config(
    room: Path,
    address: str,
    port: int,
    user: str,
    by_password: bool,
    authorized_key: str | None,
    account: Account,
) -> None:
    programs = room / "bin"
    programs.mkdir()
    if account.sudoers is None:
        sudo = programs / "sudo"
        sudo.write_text(SUDO)
        sudo.chmod(0o755)
    keys = room / "authorized_keys"
    keys.write_text(f"{authorized_key}\n" if authorized_key else "")
    options = {
        "AddressFamily": "inet",
        "ListenAddress": address,
        "Port": str(port),
        "HostKey": str(room / "host_key"),
        "PidFile": "none",
        "LogLevel": "VERBOSE",
        "UsePAM": "no",
        "UseDNS": "no",
        "StrictModes": "no",
        "PermitRootLogin": "yes",
        "AllowUsers": user,
        "PasswordAuthentication": "yes" if by_password else "no",
        "KbdInteractiveAuthentication": "no",
        "PubkeyAuthentication": "yes" if authorized_key else "no",
        "AuthorizedKeysFile": str(keys) if not account.uid else "/run/room/authorized_keys",
        "MaxStartups": "200",
        "PrintMotd": "no",
        "PrintLastLog": "no",
        "SetEnv": f"PATH={programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "Subsystem": "sftp internal-sftp",
    }
    if _openssh_version() >= (9, 8):
        # A test of wrong passwords must not shut out the next test from the same address.
        options["PerSourcePenalties"] = "no"
    options |= account.options
    (room / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))


def _openssh_version() -> tuple[int, int]:
    shown = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _wait_until_listening(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while b"Server listening on" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"sshd does not listen: {log.read_text()}")
        time.sleep(0.01)
