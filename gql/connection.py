"""Keyset connections: pages that stay right while rows come and go."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import strawberry
from tortoise.models import Model

from gql.ids import read_number
from runner.errors import BadInput, quoted
from runner.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

Row = TypeVar("Row", bound=Model)
_PREFIX = "row:"


@strawberry.type
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool
    """Whether there are rows after this page."""
    has_previous_page: bool
    """Whether the page began after a cursor, so that there may be rows before it."""
    start_cursor: str | None
    """Cursor of the first row; null if the page is empty."""
    end_cursor: str | None
    """Cursor of the last row, for `after` of the next page; null if the page is empty."""


@dataclass(frozen=True)
class Window:
    """Which rows a client asks for: the `first` ones after the row with the id `after`."""

    first: int
    after: int | None

    @classmethod
    def of(cls, first: int | None, after: str | None) -> "Window":
        """The window of a connection's arguments; BadInput if they are none."""
        size = sized(DEFAULT_PAGE_SIZE if first is None else first)
        return cls(size, _row_after(after) if after is not None else None)

    @property
    def most(self) -> int:
        """How many rows to read: one more shows whether there is a next page."""
        return self.first + 1


@dataclass(frozen=True)
class Slice(Generic[Row]):
    """One page of rows; `count` counts the whole list, if asked."""

    rows: list[Row]
    info: PageInfo
    count: Callable[[], Awaitable[int]]

    @classmethod
    def of(cls, rows: list[Row], window: Window, count: Callable[[], Awaitable[int]]) -> "Slice[Row]":
        """The page out of the rows that were read for it."""
        page = rows[: window.first]
        info = PageInfo(
            has_next_page=len(rows) > window.first,
            has_previous_page=window.after is not None,
            start_cursor=cursor_of(page[0]) if page else None,
            end_cursor=cursor_of(page[-1]) if page else None,
        )
        return cls(page, info, count)


def sized(first: int) -> int:
    """`first`, if it is a size that a page may have; else BadInput."""
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise BadInput(f"first must be from 1 to {MAX_PAGE_SIZE}")
    return first


def cursor_of(row: Any) -> str:  # noqa: ANN401 (any row with an id)
    """The opaque cursor of a row."""
    return base64.b64encode(f"{_PREFIX}{row.id}".encode()).decode()


def _row_after(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor, validate=True).decode("ascii")
    except ValueError:
        text = ""
    number = read_number(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else None
    if number is None:
        raise BadInput(
            f"{quoted(cursor)} is not a valid cursor: use an `endCursor` that this API gave you, or none to start"
        )
    return number
