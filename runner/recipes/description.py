"""The description of a recipe for Playcast, in `ansible/recipes/<name>.yml`; every key may be left out.

inputs      one argument spec for each extra variable that the recipe takes (runner.recipes.inputs)
timeout     seconds after which a job of this recipe is stopped, if the call does not say
pipelining  false: ansible copies its modules and runs them on a terminal, so that a cancel ends what runs over there
fact_cache  seconds for which the facts of a server serve later jobs of this recipe; without it each job gathers anew
prompts     `default`: go on without an answer where the playbook asks a person; without it such a call is refused
expects     what a job must come to for SUCCESS: on which of its servers the playbook works (`Expects`)
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from runner.errors import PlaycastError
from runner.limits import MAX_TIMEOUT_SECONDS
from runner.recipes.inputs import RecipeInput, read_input
from runner.recipes.questions import MALFORMED

KEYS = ("inputs", "timeout", "pipelining", "fact_cache", "expects", "prompts")
MAX_FACT_CACHE_SECONDS = 24 * 60 * 60


class Expects(StrEnum):
    """On which of its servers a job must come to a good end. Trouble on a server is an error in any case.

    ALL    each play that names a server came to its end there, every server is named, and no task failed there, not
           even one whose failure was forgotten by `clear_host_errors`
    SOME   the playbook chooses: at least one server is named, and the playbook ended well
    NONE   the playbook may work on this machine alone, and need not name any server
    """

    ALL = "all"
    SOME = "some"
    NONE = "localhost"


@dataclass(frozen=True)
class Sidecar:
    """What the file says. `timeout` of None means the default of the installation, `fact_cache` of None no cache."""

    inputs: tuple[RecipeInput, ...] = ()
    timeout: int | None = None
    pipelining: bool = True
    fact_cache: int | None = None
    expects: Expects = Expects.ALL
    pass_over_prompts: bool = False


def read_sidecar(path: Path) -> Sidecar:
    """The description in `path`, the defaults if there is no such file; PlaycastError if it says something else."""
    if not path.is_file():
        return Sidecar()
    try:
        return _sidecar(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, *MALFORMED) as error:
        raise PlaycastError(f"{path} does not describe a recipe: {error}") from error


def _sidecar(said: object) -> Sidecar:
    if said is None:
        return Sidecar()
    if not isinstance(said, dict) or said.keys() - set(KEYS):
        raise ValueError(f"it is a mapping of {', '.join(KEYS)}")
    timeout = _seconds(said, "timeout", MAX_TIMEOUT_SECONDS)
    fact_cache = _seconds(said, "fact_cache", MAX_FACT_CACHE_SECONDS)
    pipelining = said.get("pipelining", True)
    if not isinstance(pipelining, bool):
        raise TypeError("pipelining is true or false")
    declared = said.get("inputs") or {}
    if not isinstance(declared, dict):
        raise TypeError("inputs is a mapping with one argument spec for each name")
    inputs = tuple(read_input(str(name), spec or {}) for name, spec in declared.items())
    if said.get("prompts", "default") != "default":
        raise ValueError("prompts is `default`, or left out")
    expects = _expects(said.get("expects", Expects.ALL))
    return Sidecar(inputs, timeout, pipelining, fact_cache, expects, "prompts" in said)


def _expects(value: object) -> Expects:
    if value not in list(Expects):
        raise ValueError(f"expects is one of {', '.join(Expects)}")
    return Expects(str(value))


def _seconds(said: dict[object, object], key: str, most: int) -> int | None:
    value = said.get(key)
    if value is None:
        return None
    # No `isinstance`: true is an int as well.
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{key} is a whole number of seconds from 1 to {most}")
    return value
