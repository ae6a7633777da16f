"""What tools read of the schema: the file, and the introspection."""

import inspect
import json
import re
from typing import Any

from graphql import build_schema, get_introspection_query

from gql.published import printed
from gql.schema import make_schema
from tests.support.api import JSON, Api
from tests.support.nodejs import run
from tests.support.serving import CHECKOUT

FILE = CHECKOUT / "schema.graphql"
# GraphQL specification of October 2021, 3.13. Clients such as graphql-core 3.2.6 fail at any other.
PLACES = {
    *("QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"),
    *("VARIABLE_DEFINITION", "SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION", "ARGUMENT_DEFINITION", "INTERFACE"),
    *("UNION", "ENUM", "ENUM_VALUE", "INPUT_OBJECT", "INPUT_FIELD_DEFINITION"),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    dict.fromkeys(
        ("specified_by_url", "directive_is_repeatable", "schema_description", "input_value_deprecation"), True
    ),
    {name: True for name, one in inspect.signature(get_introspection_query).parameters.items() if one.default is False},
]


async def introspected(api: Api, **options: Any) -> JSON:
    answer = await api.raw(get_introspection_query(**options))
    assert "errors" not in answer
    data: JSON = answer["data"]
    return data


def test_the_file_defines_nothing_that_is_built_in_and_no_default_of_null() -> None:
    text = FILE.read_text()
    assert re.findall(r"^directive .*$", text, re.MULTILINE) == []
    assert re.findall(r"= null", text) == []
    assert "input CredentialInput @oneOf {" in text
    assert printed("directive @oneOf on INPUT_OBJECT\n\ndirective @own on OBJECT\n\ntype A { a: Int }") == (
        "directive @own on OBJECT\n\ntype A { a: Int }"
    )


def test_other_defaults_are_still_told() -> None:
    text = FILE.read_text()
    arguments = re.findall(r"^    (\w+): [A-Z]\w+!? = (.*)$", text, re.MULTILINE)
    assert sorted(arguments) == [("first", "100"), *[("first", "50")] * 3, ("last", "false"), ("maxBytes", "65536")]
    defaults = re.findall(r"^  (\w+): [A-Z]\w+!? = (.*)$", text, re.MULTILINE)
    assert sorted(defaults) == [
        ("check", "false"),
        ("diff", "false"),
        ("failedHostsOnly", "false"),
        ("port", "22"),
        ("priority", "0"),
        ("strictHostKey", "true"),
    ]


async def test_the_introspection_holds_nothing_of_a_draft(api: Api) -> None:
    for options in OPTIONS:
        schema = (await introspected(api, **options))["__schema"]
        places = {place for directive in schema["directives"] for place in directive["locations"]}
        assert places <= PLACES
        assert [one["name"] for one in schema["directives"]] == [
            "include",
            "skip",
            "deprecated",
            "specifiedBy",
            "oneOf",
        ]
        values = [
            value
            for kind in schema["types"]
            for value in [*(kind["inputFields"] or []), *(arg for one in kind["fields"] or [] for arg in one["args"])]
        ]
        assert len(values) > 50
        assert [value["name"] for value in values if value["defaultValue"] == "null"] == []


def test_the_library_itself_is_left_as_it_is() -> None:
    make_schema()
    from graphql import GraphQLDeprecatedDirective

    assert "DIRECTIVE_DEFINITION" in {place.name for place in GraphQLDeprecatedDirective.locations}


async def test_graphql_js_reads_both(api: Api) -> None:
    answers = [await introspected(api, **options) for options in OPTIONS]
    told = json.loads(await run("schema.mjs", str(FILE), given=json.dumps(answers).encode()))
    assert (told["oneOf"], told["answers"]) == (True, [True, True, True])
    assert told["types"] == len([name for name in build_schema(FILE.read_text()).type_map if name[:2] != "__"])
