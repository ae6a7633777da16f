"""Descriptions of the schema, from the docstrings of the code: what a developer reads is what a client is told.

A docstring below an attribute describes it, as Sphinx has it; Python forgets those, so they are read from the source.
"""

import ast
import inspect
import sys
from enum import Enum
from functools import cache
from itertools import pairwise
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema

_DEFINITION = "strawberry-definition"
_WithFields = GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType
_OURS = frozenset({"gql", "models", "runner"})


def describe(schema: GraphQLSchema) -> None:
    """Give every type, field and enum value of ours its description."""
    for kind in schema.type_map.values():
        definition = kind.extensions.get(_DEFINITION)
        if isinstance(kind, GraphQLEnumType):
            _describe_enum(kind, definition)
        elif definition is not None and isinstance(kind, _WithFields):
            _describe_class(kind, definition.origin)


def _describe_enum(kind: GraphQLEnumType, definition: Any) -> None:  # noqa: ANN401 (strawberry's)
    enum: type[Enum] | None = getattr(definition, "wrapped_cls", None)
    if enum is not None:
        kind.description = _text(enum.__doc__)
        documented = attribute_docs(enum)
        for name, value in kind.values.items():
            value.description = documented.get(name)


def _describe_class(kind: _WithFields, origin: type) -> None:
    kind.description = _text(origin.__doc__)
    documented: dict[str, str] = {}
    for base in reversed(origin.__mro__[:-1]):
        documented |= attribute_docs(base)
    for field in kind.fields.values():
        definition = field.extensions[_DEFINITION]
        resolver = getattr(definition, "base_resolver", None)
        field.description = documented.get(definition.python_name) or _text(resolver and resolver.wrapped_func.__doc__)


def attribute_docs(of: type) -> dict[str, str]:
    """The docstrings below the attributes of a class, by name."""
    ours = of.__module__.partition(".")[0] in _OURS
    return _docs_of_module(of.__module__).get(of.__name__, {}) if ours else {}


@cache
def _docs_of_module(name: str) -> dict[str, dict[str, str]]:
    """The same for each class of a module, which is parsed once."""
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {node.name: _docs_of(node.body) for node in tree.body if isinstance(node, ast.ClassDef)}


def _docs_of(body: list[ast.stmt]) -> dict[str, str]:
    found = {}
    for one, after in pairwise(body):
        target = (
            one.target if isinstance(one, ast.AnnAssign) else one.targets[0] if isinstance(one, ast.Assign) else None
        )
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = _text(str(after.value.value)) or ""
    return found


def _text(docstring: str | None) -> str | None:
    """A docstring as one line, its paragraphs joined."""
    return " ".join(docstring.split()) if docstring else None
