"""Everything Playcast refuses or fails at, as one tree.

PlaycastError
├── Refused        what a caller asked cannot be done; carries one or more problems, nothing was changed
├── BadInput       a malformed id, cursor or page size in a query
└── LaunchFailed   a claimed job could not be started

Messages are written for people where the rule lives; the edge translates each class once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable codes of expected failures."""

    INVALID = "INVALID"
    """A value that cannot be; `message` says what would do."""
    NOT_FOUND = "NOT_FOUND"
    """There is nothing with this id."""
    RECIPE_NOT_ALLOWED = "RECIPE_NOT_ALLOWED"
    """The recipe is not on the allow-list."""
    SERVERS_EMPTY = "SERVERS_EMPTY"
    """No server is named."""
    ALREADY_EXISTS = "ALREADY_EXISTS"
    """The name is taken."""
    JOB_NOT_FINISHED = "JOB_NOT_FINISHED"
    """The job has not ended yet."""
    JOB_FINISHED = "JOB_FINISHED"
    """The job has ended already."""
    IN_USE = "IN_USE"
    """A job that is not over needs it."""
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    """The key stands for another request."""
    FORBIDDEN = "FORBIDDEN"
    """The viewer may not do that."""


@dataclass(frozen=True)
class Problem:
    """One expected failure: `field` is the path of the input that caused it."""

    code: ErrorCode
    message: str
    field: tuple[str, ...] = ()


class PlaycastError(Exception):
    """The root: a message fit for a person."""


class Refused(PlaycastError):
    """A request that cannot be carried out; nothing was changed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))

    @classmethod
    def one(cls, code: ErrorCode, message: str, *field: str) -> "Refused":
        """A refusal with a single problem."""
        return cls([Problem(code, message, field)])


class BadInput(PlaycastError):
    """A value in a query that cannot be read: a malformed id, cursor or page size."""


class LaunchFailed(PlaycastError):
    """A claimed job could not be started; the message says what to do."""


def quoted(value: object, most: int = 60) -> str:
    """`value` for use inside a message: cut, and what is no letter for people escaped, since it may be hostile."""
    # Letters of any language stay; repr escapes what cannot be printed or turns the direction of a text.
    text = repr(value) if not isinstance(value, str) else repr(value[: most + 1])[1:-1]
    return f'"{text[:most]}…"' if len(text) > most else f'"{text}"'
