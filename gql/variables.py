"""What comes as variables: no list of it is longer than anything here takes, before each of its values is looked at."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    type_from_ast,
)

from gql.errors import RequestError

MAX_LIST = 10_000


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
        if len(value) > MAX_LIST:
            message = f"{path}: {len(value)} values are too many: no list here takes more than {MAX_LIST}"
            raise RequestError(message, extensions={"code": "BAD_USER_INPUT"})
        for item in value:
            _check(kind.of_type, item, path)
    elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
        for name, field in kind.fields.items():
            if name in value:
                _check(field.type, value[name], f"{path}.{name}")
