"""Keyset connections: pages that stay right while rows come and go."""

import base64
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import strawberry
from tortoise.models import Model
from tortoise.queryset import QuerySet

from gql.ids import read_number
from runner.errors import BadInput, quoted
from runner.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

Row = TypeVar("Row", bound=Model)
_PREFIX = "row:"


@strawberry.type
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True)
class Slice(Generic[Row]):
    """One page of rows, and the whole query for counting."""

    rows: list[Row]
    info: PageInfo
    query: QuerySet[Any]


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
        raise BadInput(f"{quoted(cursor)} is no cursor: use an `endCursor` that this API gave you, or none to start")
    return number


async def take(query: QuerySet[Row], first: int | None, after: str | None, *, newest_first: bool) -> Slice[Row]:
    """The `first` rows after a cursor, ordered by id."""
    first = DEFAULT_PAGE_SIZE if first is None else first
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise BadInput(f"first must be from 1 to {MAX_PAGE_SIZE}")
    page = query
    if after is not None:
        page = page.filter(**{"id__lt" if newest_first else "id__gt": _row_after(after)})
    rows = await page.order_by("-id" if newest_first else "id").limit(first + 1)
    info = PageInfo(
        has_next_page=len(rows) > first,
        has_previous_page=after is not None,
        start_cursor=cursor_of(rows[0]) if rows else None,
        end_cursor=cursor_of(rows[:first][-1]) if rows else None,
    )
    return Slice(rows[:first], info, query)
