"""The description of a recipe for Playcast, in `ansible/recipes/<name>.yml`; every key may be left out.

inputs      one argument spec for each extra variable that the recipe takes (runner.recipes.inputs)
timeout     seconds after which a job of this recipe is stopped, if the call does not say
pipelining  false: ansible copies its modules and runs them on a terminal, so that a cancel ends what runs over there
fact_cache  seconds for which the facts of a server serve later jobs of this recipe; without it each job gathers anew
prompts     `default`: go on without an answer where the playbook asks a person; without it such a call is refused
expects     what a job must come to for SUCCESS: on which of its servers the playbook works (`Expects`)
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from runner.errors import PlaycastError
from runner.limits import MAX_TIMEOUT_SECONDS
from runner.recipes.inputs import RecipeInput, read_input
from runner.recipes.questions import MALFORMED

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


def _inputs(declared: object) -> tuple[RecipeInput, ...]:
    """The inputs in the form of Ansible's argument spec."""
    if not isinstance(declared, dict | None):
        raise ValueError("inputs is a mapping with one argument spec for each name")  # noqa: TRY004 (pydantic's)
    return tuple(read_input(str(name), spec or {}) for name, spec in (declared or {}).items())


def _seconds(most: int) -> Any:  # noqa: ANN401 (a field of any model)
    return Field(default=None, ge=1, le=most, description=f"a whole number of seconds from 1 to {most}")


class Sidecar(BaseModel):
    """What the file says. `timeout` of None means the default of the installation, `fact_cache` of None no cache."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    inputs: Annotated[tuple[RecipeInput, ...], BeforeValidator(_inputs)] = ()
    timeout: int | None = _seconds(MAX_TIMEOUT_SECONDS)
    pipelining: bool = Field(default=True, description="true or false")
    fact_cache: int | None = _seconds(MAX_FACT_CACHE_SECONDS)
    expects: Expects = Field(default=Expects.ALL, strict=False, description=f"one of {', '.join(Expects)}")
    prompts: Literal["default"] | None = Field(default=None, description="`default`, or left out")

    @property
    def pass_over_prompts(self) -> bool:
        """Whether ansible goes on without an answer where the playbook asks a person."""
        return self.prompts is not None


KEYS = tuple(Sidecar.model_fields)


def read_sidecar(path: Path) -> Sidecar:
    """The description in `path`, the defaults if there is no such file; PlaycastError if it says something else."""
    if not path.is_file():
        return Sidecar()
    try:
        said = yaml.safe_load(path.read_text())
        return Sidecar.model_validate({} if said is None else said)
    except ValidationError as error:
        raise PlaycastError(f"{path} does not describe a recipe: {_first(error)}") from error
    except (OSError, yaml.YAMLError, *MALFORMED) as error:
        raise PlaycastError(f"{path} does not describe a recipe: {error}") from error


def _first(found: ValidationError) -> str:
    """What a person has to mend first."""
    error = found.errors()[0]
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    field = Sidecar.model_fields.get(str(error["loc"][0])) if error["loc"] else None
    return f"{error['loc'][0]} is {field.description}" if field else f"it is a mapping of {', '.join(KEYS)}"
