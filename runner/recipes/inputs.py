"""What a recipe takes as extra variables, declared in the form of Ansible's argument spec.

Each input has type, required, default, choices, description, no_log. A recipe without inputs takes any variables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.checks import invalid, variables
from runner.errors import Problem, Refused, quoted
from runner.secrets.secret_words import unmasked

_TOO_SHORT = (
    "a single character, signs alone and words such as true or none are everywhere and cannot be masked; "
    "send at least 2 characters with a letter or a digit among them, and true, false and null not as text"
)
_KEYS = ("type", "required", "default", "choices", "description", "no_log")
_FITS: dict[str, Callable[[object], bool]] = {
    "str": lambda value: isinstance(value, str),
    "path": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "dict": lambda value: isinstance(value, dict),
    "raw": lambda _value: True,
}


@dataclass(frozen=True)
class RecipeInput:
    """One declared input. A `secret` value is stored encrypted and never shown."""

    name: str
    type: str
    required: bool
    default: Any
    choices: list[Any] | None
    description: str | None
    secret: bool


def read_input(name: str, spec: object) -> RecipeInput:
    """One declared input; ValueError says what is wrong with it."""
    if not isinstance(spec, dict):
        raise ValueError(f"{name} is described by a mapping: {', '.join(_KEYS)}")  # noqa: TRY004 (pydantic's)
    choices = spec.get("choices")
    if not isinstance(choices, list | None):
        raise ValueError(f"the choices of {name} are a list")  # noqa: TRY004 (pydantic's)
    kind = str(spec.get("type", "str"))
    if kind not in _FITS:
        message = f"the type of {name} is {quoted(kind)}, not one of {', '.join(_FITS)}"
        raise ValueError(message)
    description = spec.get("description")
    return RecipeInput(
        name=name,
        type=kind,
        required=bool(spec.get("required", False)),
        default=spec.get("default"),
        choices=choices,
        description=" ".join(description) if isinstance(description, list) else description,
        secret=bool(spec.get("no_log", False)),
    )


def check_extra_vars(inputs: tuple[RecipeInput, ...], value: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """The extra variables of one run as (plain, secret); Refused names every input that does not fit."""
    given = variables({} if value is None else value, "extraVars")
    if not inputs:
        return given, {}
    known = {item.name: item for item in inputs}
    problems = [problem for item in inputs for problem in _problems(item, given)]
    for name in sorted(given.keys() - known.keys()):
        message = f"{name} is not an input of this recipe; it takes: {', '.join(known)}"
        problems.extend(invalid(message, "extraVars", name).problems)
    if problems:
        raise Refused(problems)
    secret = {name: item for name, item in given.items() if known[name].secret}
    return {name: item for name, item in given.items() if name not in secret}, secret


def check_masked(secret: Mapping[str, Any]) -> None:
    """Refused if the log of a job would show one of its secrets, however short; the message does not show it."""
    problems = [
        problem
        for name, value in secret.items()
        if unmasked(value)
        for problem in invalid(
            f"{name} is secret, but the log of the job would show it: {_TOO_SHORT}", "extraVars", name
        ).problems
    ]
    if problems:
        raise Refused(problems)


def _problems(item: RecipeInput, given: dict[str, Any]) -> tuple[Problem, ...]:
    if item.name not in given:
        message = f"{item.name} is required by this recipe"
        return invalid(message, "extraVars", item.name).problems if item.required else ()
    value = given[item.name]
    if not _FITS[item.type](value):
        return invalid(f"{item.name} must be of type {item.type}", "extraVars", item.name).problems
    if item.choices is not None and value not in item.choices:
        choices = ", ".join(str(choice) for choice in item.choices)
        return invalid(f"{item.name} must be one of: {choices}", "extraVars", item.name).problems
    return ()
