"""Recipes and their inputs."""

from typing import cast

import strawberry

from gql.scalars import JSON
from runner.recipes import book, inputs


@strawberry.type
class RecipeInput:
    """One extra variable that a recipe takes."""

    name: str
    """Name of the extra variable."""
    type: str
    """Type of ansible's argument specs: str, int, float, bool, list, dict, path or raw."""
    required: bool
    """Whether a job needs a value for it."""
    default: JSON | None
    """The value that counts where none is given; null if there is none, or if it is secret."""
    choices: list[JSON] | None
    """The only values it may have; null if any will do."""
    description: str | None
    """For people; null if the recipe says nothing."""
    secret: bool
    """Whether its value is masked in logs and never shown."""

    @classmethod
    def of(cls, item: inputs.RecipeInput) -> "RecipeInput":
        """The input as clients see it."""
        return cls(
            name=item.name,
            type=item.type,
            required=item.required,
            default=None if item.secret else cast("JSON | None", item.default),
            choices=cast("list[JSON] | None", item.choices),
            description=item.description,
            secret=item.secret,
        )


@strawberry.type
class Recipe:
    """A playbook that may be run."""

    name: str
    """Path of the playbook below `playbooks/`, without its ending."""
    description: str | None
    """For people; null if the recipe says nothing."""
    revision: str
    """SHA-256 over the playbook tree, recorded on each job."""
    timeout_seconds: int | None
    """Seconds after which its jobs are stopped, if a call does not say; null: as everywhere here."""
    inputs: list[RecipeInput]
    """Typed inputs, from the recipe's argument spec."""

    @classmethod
    def of(cls, recipe: book.Recipe) -> "Recipe":
        """The recipe as clients see it."""
        inputs = [RecipeInput.of(item) for item in recipe.inputs]
        return cls(
            name=recipe.name,
            description=recipe.description,
            revision=recipe.revision,
            timeout_seconds=recipe.sidecar.timeout,
            inputs=inputs,
        )
