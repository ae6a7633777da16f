"""The contract describes itself: all that `schema.graphql` has says what it is, from one docstring each."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import GraphQLNamedType, build_schema, is_introspection_type, is_specified_scalar_type

from gql.descriptions import attribute_docs
from models import JobStatus

ROOT = Path(__file__).parents[2]
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
KINDS = [
    kind
    for name, kind in sorted(SCHEMA.type_map.items())
    if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
]


def elements(kind: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    """A type and all that is in it, each with its description."""
    yield kind.name, kind.description
    for name, field in getattr(kind, "fields", {}).items():
        yield f"{kind.name}.{name}", field.description
        for argument, what in getattr(field, "args", {}).items():
            yield f"{kind.name}.{name}({argument})", what.description
    for name, value in getattr(kind, "values", {}).items():
        yield f"{kind.name}.{name}", value.description


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_everything_says_what_it_is(kind: GraphQLNamedType) -> None:
    assert [name for name, description in elements(kind) if not (description or "").strip()] == []
    assert [name for name, description in elements(kind) if "\n" in (description or "")] == []


def test_nothing_is_described_twice() -> None:
    """What a decorator said besides would never be seen."""
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in sorted((ROOT / "gql").rglob("*.py"))
        for line in file.read_text().splitlines()
        if re.search(r"strawberry\.(?:type|interface|input|enum|field|mutation|subscription)\(.*description=", line)
    ]
    assert found == []


def test_docstrings_below_attributes_are_read() -> None:
    assert attribute_docs(JobStatus)["RUNNING"].startswith("A worker has claimed it")
    assert attribute_docs(int) == {}
