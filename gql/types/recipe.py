"""Recipes and their inputs."""

from typing import cast

import strawberry

from gql.scalars import JSON
from runner import inputs, recipes


@strawberry.type(description="One extra variable that a recipe takes.")
class RecipeInput:
    """A declared input."""

    name: str
    type: str
    required: bool
    default: JSON | None
    choices: list[JSON] | None
    description: str | None
    secret: bool

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


@strawberry.type(description="A playbook that may be run.")
class Recipe:
    """One playbook of the allow-list."""

    name: str
    description: str | None
    revision: str = strawberry.field(description="SHA-256 over the playbook tree, recorded on each job.")
    timeout_seconds: int | None = strawberry.field(
        description="Seconds after which its jobs are stopped, if a call does not say; null: as everywhere here."
    )
    inputs: list[RecipeInput] = strawberry.field(description="Typed inputs, from the recipe's argument spec.")

    @classmethod
    def of(cls, recipe: recipes.Recipe) -> "Recipe":
        """The recipe as clients see it."""
        inputs = [RecipeInput.of(item) for item in recipe.inputs]
        return cls(
            name=recipe.name,
            description=recipe.description,
            revision=recipe.revision,
            timeout_seconds=recipe.sidecar.timeout,
            inputs=inputs,
        )
