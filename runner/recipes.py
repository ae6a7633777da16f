"""Recipes: the allow-list of playbooks that may be run, read from the ansible directory."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import yaml

from runner.errors import ErrorCode, PlaycastError, Refused, quoted
from runner.inputs import RecipeInput
from runner.sidecar import MALFORMED, Sidecar, read_sidecar

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TREE = ("playbooks", "recipes", "roles", "group_vars")

log = structlog.get_logger()


@dataclass(frozen=True)
class Recipe:
    """One playbook of the allow-list. `revision` is the SHA-256 over it, the roles and the group_vars.

    `prompts` are the variables that its plays ask a person for, and whether they go on with a default.
    """

    name: str
    description: str | None
    revision: str
    sidecar: Sidecar
    prompts: Mapping[str, bool]
    playbook: Path

    @property
    def inputs(self) -> tuple[RecipeInput, ...]:
        """The extra variables that it declares."""
        return self.sidecar.inputs


class RecipeBook:
    """The recipes below one ansible directory; read anew when a file of the tree changed."""

    def __init__(self, ansible_dir: Path) -> None:
        self.ansible_dir = ansible_dir
        self._seen: tuple[object, ...] | None = None
        self._recipes: dict[str, Recipe] = {}
        self._broken: dict[str, str] = {}

    def all(self) -> list[Recipe]:
        """Every recipe, by name; one whose description is broken is left out, and `allowed` says why."""
        seen = tuple(self._signature())
        if seen != self._seen:
            self._broken = {}
            self._recipes = {recipe.name: recipe for recipe in self._read()}
            self._seen = seen
        return list(self._recipes.values())

    def find(self, name: str) -> Recipe | None:
        """The recipe called `name` ("base" and "base.yml" mean the same); None if it is not on the list."""
        wanted = name.removesuffix(".yml")
        return next((recipe for recipe in self.all() if recipe.name == wanted), None)

    def allowed(self, name: str) -> Recipe:
        """The recipe called `name`; Refused (RECIPE_NOT_ALLOWED) if it is not on the list."""
        recipe = self.find(name)
        if recipe is None:
            names = ", ".join(recipe.name for recipe in self.all()) or "none"
            message = f"{quoted(name)} is not a recipe; the recipes here are: {names}"
            message = self._broken.get(name.removesuffix(".yml"), message)
            raise Refused.one(ErrorCode.RECIPE_NOT_ALLOWED, message, "recipe")
        return recipe

    def _signature(self) -> Iterator[object]:
        for path in self._files():
            stat = path.lstat()
            yield (str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _files(self) -> Iterator[Path]:
        for part in _TREE:
            yield from sorted(path for path in (self.ansible_dir / part).rglob("*") if not path.is_dir())

    def _read(self) -> Iterator[Recipe]:
        playbooks = (self.ansible_dir / "playbooks").resolve()
        for path in sorted(playbooks.glob("*.yml")):
            # A link may point to another playbook, but never out of the directory.
            if not _NAME.fullmatch(path.stem) or path.resolve().parent != playbooks or not path.is_file():
                continue
            try:
                sidecar = read_sidecar(self.ansible_dir / "recipes" / path.name)
            except PlaycastError as error:
                log.warning("a recipe is left out", recipe=path.stem, error=str(error))
                self._broken[path.stem] = str(error)
                continue
            plays = _plays(path)
            name = plays[0].get("name") if plays else None
            description = str(name) if name is not None else None
            yield Recipe(path.stem, description, self._revision(path), sidecar, _prompts(plays), path.resolve())

    def _revision(self, playbook: Path) -> str:
        digest = hashlib.sha256()
        others = [path for part in ("roles", "group_vars") for path in sorted((self.ansible_dir / part).rglob("*"))]
        for path in [playbook, *others]:
            if path.is_file():
                name = path.name if path is playbook else path.relative_to(self.ansible_dir).as_posix()
                content = path.read_bytes()
                digest.update(f"{len(name.encode())}:{name}{len(content)}:".encode())
                digest.update(content)
        return digest.hexdigest()


class _PlaybookLoader(yaml.SafeLoader):
    """Reads a playbook's plain parts; Ansible's own tags (!vault, !unsafe) become None."""


_PlaybookLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _plays(playbook: Path) -> list[dict[str, Any]]:
    """The plays as far as they are readable; running a broken playbook shows ansible's own, exact message."""
    try:
        plays = yaml.load(playbook.read_text(), Loader=_PlaybookLoader)  # noqa: S506 (a SafeLoader, with tags ignored)
    except (yaml.YAMLError, OSError, *MALFORMED):
        return []
    return [play for play in plays if isinstance(play, dict)] if isinstance(plays, list) else []


def _prompts(plays: list[dict[str, Any]]) -> dict[str, bool]:
    lists = [items for play in plays if isinstance(items := play.get("vars_prompt"), list)]
    asked = [item for items in lists for item in items if isinstance(item, dict)]
    found: dict[str, bool] = {}
    for item in asked:
        name = item.get("name")
        # One that is a template itself cannot be known before.
        if isinstance(name, str) and name.isidentifier():
            found[name] = found.get(name, True) and item.get("default") is not None
    return found
