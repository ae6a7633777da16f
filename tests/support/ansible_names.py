"""Prints the names of all variables that the installed ansible-core says it reads, as JSON; run as a program.

options    variables that options of plugins and settings are read from, and those that ansible sets
reserved   words that ansible warns of where a variable is called so
"""

import ast
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml


def named_in(value: object) -> Iterator[str]:
    """The names below `vars:` of an option, wherever in a documentation."""
    if isinstance(value, dict):
        options = value.get("vars")
        for option in options if isinstance(options, list) else ():
            if isinstance(option, dict) and isinstance(option.get("name"), str):
                yield option["name"]
        for item in value.values():
            yield from named_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from named_in(item)


def documents(root: Path) -> Iterator[str]:
    """Each text in ansible-core that may say which variables an option is read from."""
    yield from (path.read_text() for path in [*root.glob("config/*.yml"), *root.glob("plugins/**/*.y*ml")])
    for path in root.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "vars:" in node.value:
                yield node.value


def options() -> set[str]:
    """See the head of this file."""
    constants = importlib.import_module("ansible.constants")
    found = set(constants.COMMON_CONNECTION_VARS) | set(constants.INTERNAL_STATIC_VARS)
    for names in constants.MAGIC_VARIABLE_MAPPING.values():
        found |= set(names)
    for text in documents(Path(constants.__file__ or "").parent):
        try:
            found |= set(named_in(yaml.safe_load(text)))
        except yaml.YAMLError:
            # No documentation: that of each plugin is YAML, or ansible could not read it.
            if "\noptions:" in text:
                raise
    return found


if __name__ == "__main__":
    reserved = importlib.import_module("ansible.vars.reserved").get_reserved_names()
    json.dump({"options": sorted(options()), "reserved": sorted(reserved)}, sys.stdout)
