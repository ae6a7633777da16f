"""What clients are told of the schema: nothing that only this server's library knows, and nothing that says nothing."""

import re
from copy import copy

from graphql import (
    GraphQLDirective,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    specified_directives,
)

# Of a draft of the specification. Clients that do not know it cannot read the introspection at all.
_DRAFT = {"DIRECTIVE_DEFINITION"}
_BUILT_IN = re.compile(
    rf"^directive @(?:{'|'.join(one.name for one in specified_directives)})\b[^\n]*\n+", re.MULTILINE
)


def publish(schema: GraphQLSchema) -> None:
    """Take out defaults of null, which say no more than leaving a value out, and places for directives of a draft."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            _drop_nulls(kind)
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field in kind.fields.values():
                for argument in field.args.values():
                    if argument.default_value is None:
                        argument.default_value = Undefined
    schema.directives = tuple(_without_draft(directive) for directive in schema.directives)


def _drop_nulls(kind: GraphQLInputObjectType) -> None:
    for field in kind.fields.values():
        if field.default_value is None:
            field.default_value = Undefined


def _without_draft(directive: GraphQLDirective) -> GraphQLDirective:
    # The library's own is the same object for all schemas.
    same = copy(directive)
    same.locations = tuple(place for place in directive.locations if place.name not in _DRAFT)
    return same


def printed(text: str) -> str:
    """The text of a schema without the definitions of directives that every reader has built in."""
    return _BUILT_IN.sub("", text)
