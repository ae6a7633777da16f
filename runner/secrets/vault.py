"""Secrets at rest: Fernet tokens under one key that lives outside the database."""

import hashlib
import hmac
import json
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from runner.errors import PlaycastError
from runner.new_file import made_whole
from runner.programs.system_errors import explained

Secret = dict[str, object]


class Vault:
    """Locks and unlocks small JSON objects with one Fernet key."""

    def __init__(self, key: str) -> None:
        try:
            self._fernet = Fernet(key.strip())
        except ValueError as error:
            message = (
                "the secret key is not a Fernet key: make one with `python -c "
                "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
            )
            raise PlaycastError(message) from error
        self._key = key.strip().encode()

    def lock(self, secret: Secret) -> bytes:
        """The encrypted form of `secret`, safe to store."""
        return self._fernet.encrypt(json.dumps(secret).encode())

    def unlock(self, token: bytes) -> Secret:
        """What `lock` was given; PlaycastError if it was locked with another key."""
        try:
            secret: Secret = json.loads(self._fernet.decrypt(bytes(token)))
        except InvalidToken as error:
            message = "a stored secret cannot be read: it was encrypted with another PLAYCAST_SECRET_KEY"
            raise PlaycastError(message) from error
        return secret

    def digest(self, content: bytes) -> str:
        """Equal for equal content; without the key it tells nothing of it. Hexadecimal, 64 characters."""
        return hmac.new(self._key, b"digest:" + content, hashlib.sha256).hexdigest()


def key_from_file(path: Path) -> str:
    """The key in `path`; made once, with mode 0600, when the file does not exist. PlaycastError if it holds none.

    A key that is there is never replaced: what is stored can be read with no other.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with made_whole(path) as draft:
                draft.write_text(Fernet.generate_key().decode() + "\n")
        # Read also after making it: another process may have been first.
        key = path.read_text(errors="replace").strip()
    except OSError as error:
        raise PlaycastError(f"the secret key {path} cannot be read or made: {explained(error)}") from error
    try:
        Fernet(key)
    except ValueError as error:
        what = "holds no whole key" if key else "is empty"
        advice = "put it back from your backup, or delete it if nothing is stored yet"
        raise PlaycastError(f"the secret key {path} {what}: {advice}") from error
    return key
