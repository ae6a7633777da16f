"""What comes as variables: no list of it is longer than anything here takes, before each of its values is looked at."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    type_from_ast,
)

from gql.errors import RequestError
from runner.errors import quoted

MAX_LIST = 10_000
MAX_WORDS = 100
"""Values of a list of an enum, each of which takes a hundred times as long as an id."""
MAX_UNKNOWN = 10
MAX_NAME = 64


def check_lists(schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> None:
    """RequestError that names a list of more than MAX_LIST values. What is inside a JSON value is not looked at."""
    for one in operation.variable_definitions or ():
        name = one.variable.name.value
        if name in variables:
            _check(type_from_ast(schema, one.type), variables[name], f"${name}")


def _check(kind: object, value: object, path: str) -> None:
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList) and isinstance(value, list):
        most = MAX_WORDS if isinstance(get_named_type(kind), GraphQLEnumType) else MAX_LIST
        if len(value) > most:
            message = f"{path}: {len(value)} values are too many: no such list here takes more than {most}"
            raise RequestError(message, extensions={"code": "BAD_USER_INPUT"})
        for item in value:
            _check(kind.of_type, item, path)
    elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
        # What is wrong with these is told with all of them, and with names that are like them.
        unknown = value.keys() - kind.fields.keys()
        if len(unknown) > MAX_UNKNOWN or any(len(name) > MAX_NAME for name in unknown):
            message = f"{path}: {quoted(min(unknown))} is not a field of {kind.name}"
            raise RequestError(message, extensions={"code": "BAD_USER_INPUT"})
        for name, field in kind.fields.items():
            if name in value:
                _check(field.type, value[name], f"{path}.{name}")
