"""Who is asking. Every verb takes a viewer, so that users and grants can come without touching callers."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a viewer may do."""

    VIEWER = "VIEWER"
    """For those who only look; nobody has it yet."""
    OPERATOR = "OPERATOR"
    """For those who run jobs; nobody has it yet."""
    ADMIN = "ADMIN"
    """May do everything."""


@dataclass(frozen=True)
class Viewer:
    """The caller of a verb; `name` is recorded on what it starts."""

    name: str
    role: Role


LOCAL_VIEWER = Viewer("local", Role.ADMIN)
TOKEN_VIEWER = Viewer("token", Role.ADMIN)
