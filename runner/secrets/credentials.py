"""Credentials: from what a client sends, to what the table holds, to what a job gets."""

import re
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from models import Server, ServerAuthKind
from runner.checks import invalid, text
from runner.errors import LaunchFailed, quoted
from runner.programs.spellings import Masking, masking
from runner.secrets.vault import Vault

MAX_PASSWORD = 1024
MAX_KEY_BYTES = 64 * 1024
MAX_RSA_BITS = 16384
_KEY_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FIELD = "credential"
_OPENSSH = "BEGIN OPENSSH PRIVATE KEY"

log = structlog.get_logger()


@dataclass(frozen=True)
class Credential:
    """What a client sends: exactly one of the four is set."""

    password: str | None = None
    private_key: str | None = None
    key_file: str | None = None
    local: bool | None = None


@dataclass(frozen=True)
class Login:
    """What a job needs to log in, in clear: only ever in memory."""

    password: str | None = None
    private_key: str | None = None


class Credentials:
    """Checks, encrypts and opens credentials. `keys_dir` holds mounted private keys, if there is one."""

    def __init__(self, vault: Vault, keys_dir: Path | None) -> None:
        self._vault = vault
        self._keys_dir = keys_dir

    def accept(self, given: Credential) -> tuple[ServerAuthKind, bytes | None]:
        """What the table stores for `given`; Refused if it is malformed."""
        if given.password is not None:
            return ServerAuthKind.PASSWORD, self._vault.lock({"password": _password(given.password)})
        if given.private_key is not None:
            key = _private_key(given.private_key, _FIELD, "privateKey")
            return ServerAuthKind.SSH_KEY, self._vault.lock({"privateKey": key})
        if given.key_file is not None:
            self._read_key_file(given.key_file)
            return ServerAuthKind.SSH_KEY, self._vault.lock({"keyFile": given.key_file})
        if given.local is True:
            return ServerAuthKind.LOCAL, None
        raise invalid("give one of password, privateKey, keyFile, or local: true", _FIELD)

    def warn_if_shown(self, server: Server) -> None:
        """Say in the server log that the password of `server` is too short to be masked wherever a job prints it.

        It is not refused: whoever has such a server must get at it, if only to give it a better password.
        """
        password = self.open(server).password if server.auth is ServerAuthKind.PASSWORD else None
        where = Masking.ANYWHERE if password is None else masking(password)
        if where is Masking.NOWHERE:
            log.warning("the password of a server is too short or common to be masked in logs", server=server.name)
        elif where is Masking.ALONE:
            log.warning("the password of a server is so short that logs show it inside words", server=server.name)

    def open(self, server: Server) -> Login:
        """The login of `server` in clear; LaunchFailed if its key file is gone."""
        if server.credential is None:
            return Login()
        secret = self._vault.unlock(server.credential)
        if "password" in secret:
            return Login(password=str(secret["password"]))
        if "privateKey" in secret:
            return Login(private_key=str(secret["privateKey"]))
        return Login(private_key=self._read_key_file(str(secret["keyFile"]), failure=LaunchFailed))

    def _read_key_file(self, name: str, failure: type[LaunchFailed] | None = None) -> str:
        def refuse(message: str) -> Exception:
            return failure(message) if failure else invalid(message, _FIELD, "keyFile")

        if not _KEY_FILE.fullmatch(name):
            advice = "give the name of a file in the keys directory, not a path"
            raise refuse(f"{quoted(name)} is not the name of a key file: {advice}")
        if self._keys_dir is None:
            raise refuse("there is no keys directory here: set PLAYCAST_KEYS_DIR, or send the key as privateKey")
        path = (self._keys_dir / name).resolve()
        # Mounted secrets are often links inside their directory (..data/key); links that lead out are refused.
        if not path.is_relative_to(self._keys_dir.resolve()) or not path.is_file():
            raise refuse(f"there is no key file {quoted(name)} in the keys directory")
        try:
            return _private_key(path.read_text(), _FIELD, "keyFile")
        except (OSError, UnicodeDecodeError) as error:
            raise refuse(f"the key file {quoted(name)} cannot be read: {error}") from error


def _password(value: str) -> str:
    if not 1 <= len(value) <= MAX_PASSWORD or "\n" in value or "\r" in value:
        raise invalid(f"a password has 1 to {MAX_PASSWORD} characters, all on one line", _FIELD, "password")
    return text(value, _FIELD, "password")


def _check_rsa(key: object, *field: str) -> None:
    """ValueError if the numbers of an RSA key do not belong together.

    Whether its factors are primes is not asked: of numbers that somebody chose for that, it would take minutes.
    """
    if not isinstance(key, RSAPrivateKey):
        return
    if key.key_size > MAX_RSA_BITS:
        raise invalid(f"an RSA key of {key.key_size} bits is too long: ssh takes at most {MAX_RSA_BITS}", *field)
    numbers = key.private_numbers()
    primes = (numbers.p, numbers.q)
    if min(primes) < 3 or numbers.p * numbers.q != numbers.public_numbers.n:
        raise ValueError
    if any(numbers.d * numbers.public_numbers.e % (prime - 1) != 1 for prime in primes):
        raise ValueError


def _private_key(value: str, *field: str) -> str:
    key = value.strip().replace("\r\n", "\n") + "\n"
    if len(key) > MAX_KEY_BYTES:
        raise invalid(f"a private key has at most {MAX_KEY_BYTES // 1024} KiB", *field)
    try:
        if _OPENSSH in key:
            _check_rsa(load_ssh_private_key(key.encode(), None, unsafe_skip_rsa_key_validation=True), *field)
            return key
        # The only form that ansible takes as text is OpenSSH's own.
        loaded = load_pem_private_key(key.encode(), None, unsafe_skip_rsa_key_validation=True)
        _check_rsa(loaded, *field)
        return loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    except (ValueError, TypeError, UnsupportedAlgorithm, UnicodeEncodeError) as error:
        if isinstance(error, TypeError | UnsupportedAlgorithm) or "ENCRYPTED" in key or "encrypted" in str(error):
            raise invalid(
                "the private key has a passphrase, or a kind that is not supported: store it without", *field
            ) from error
        message = "this is not a private key that can be read: send the whole text, from -----BEGIN to END-----"
        raise invalid(message, *field) from error
