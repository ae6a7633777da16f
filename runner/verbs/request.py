"""What a call asks for. CONTRIBUTING.md tells what else a new job option touches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from pydantic.alias_generators import to_camel

from models import ProvisionJob
from runner.secrets.vault import Secret


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a recipe is to be run, as far as a call can say it; None means the default."""

    check: bool = field(default=False, metadata={"column": "check_mode"})
    diff: bool = False
    tags: Sequence[str] = ()
    skip_tags: Sequence[str] = ()
    timeout_seconds: int | None = None
    priority: int = 0

    def columns(self) -> dict[str, Any]:
        """The same as columns of a job."""
        return {column: _plain(getattr(self, name)) for name, column in OPTIONS.items()}


OPTIONS: Mapping[str, str] = {option.name: option.metadata.get("column", option.name) for option in fields(Options)}
"""The column of a job that holds each option."""


@dataclass(frozen=True, kw_only=True)
class Request(Options):
    """What a call asks for, as far as two calls can differ in it."""

    recipe: str
    server_ids: Sequence[int]
    extra_vars: object | None = None

    @classmethod
    def of(cls, job: ProvisionJob, server_ids: Sequence[int], secret: Secret) -> Self:
        """What `job` was asked for, on these servers; `secret` are the values of its secret inputs."""
        options: Mapping[str, Any] = {name: getattr(job, column) for name, column in OPTIONS.items()}
        return cls(recipe=job.recipe, server_ids=server_ids, extra_vars={**(job.extra_vars or {}), **secret}, **options)

    def options_other_than(self, made: Options) -> list[str]:
        """The inputs, as clients call them, whose options this sets to something else than `made` has."""
        wanted = {name: _plain(getattr(self, name)) for name in OPTIONS}
        return [
            to_camel(name)
            for name, value in wanted.items()
            if value is not None and value != _plain(getattr(made, name))
        ]


@dataclass(frozen=True, kw_only=True)
class Order(Request):
    """A request, and how it is made."""

    idempotency_key: str | None = None
    # Variables that stay secret, even where the recipe no longer says so.
    secrets: frozenset[str] = frozenset()


def _plain(value: object) -> object:
    """Equal for equal lists, whatever holds them."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
