"""Recipes: the allow-list of playbooks that may be run, read from the ansible directory."""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from runner.errors import ErrorCode, PlaycastError, Refused, quoted
from runner.recipes.description import Sidecar, read_sidecar
from runner.recipes.file_tree import FileTree, Stamp
from runner.recipes.inputs import RecipeInput
from runner.recipes.questions import Questions, load, read_questions
from runner.single_flight import SingleFlight

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TREE = ("playbooks", "recipes", "roles", "group_vars")
# What each recipe's revision covers besides its own playbook.
_SHARED = ("roles", "group_vars")

log = structlog.get_logger()


@dataclass(frozen=True)
class Recipe:
    """One playbook of the allow-list. `revision` is the SHA-256 over it, the roles and the group_vars."""

    name: str
    description: str | None
    revision: str
    sidecar: Sidecar
    playbook: Path

    @property
    def inputs(self) -> tuple[RecipeInput, ...]:
        """The extra variables that it declares."""
        return self.sidecar.inputs


@dataclass(frozen=True)
class _Read:
    """What the two files of a recipe said when they bore these stamps; `broken` says why it cannot be one."""

    stamps: tuple[Stamp | None, ...]
    description: str | None
    sidecar: Sidecar
    broken: str | None


class RecipeBook:
    """The recipes below one ansible directory, as its files stand when somebody asks. Close it when done.

    Files are read in a thread, each once until it changes: a tree with thousands of them must not hold up the loop.
    """

    def __init__(self, ansible_dir: Path) -> None:
        self.ansible_dir = ansible_dir
        self._tree = FileTree(ansible_dir, _TREE)
        self._looks: SingleFlight[None, bool] = SingleFlight(self._look)
        self._reading: asyncio.Future[None] | None = None
        self._read: dict[str, _Read] = {}
        self._recipes: dict[str, Recipe] = {}
        self._questions: dict[str, Questions] = {}

    async def all(self) -> list[Recipe]:
        """Every recipe, by name; one whose description is broken is left out, and `allowed` says why."""
        # What a look that is going on will find is not known yet.
        if self._is_reading() or not self._tree.still():
            await self._looks.ask(None)
        return list(self._recipes.values())

    async def find(self, name: str) -> Recipe | None:
        """The recipe called `name` ("base" and "base.yml" mean the same); None if it is not on the list."""
        await self.all()
        return self._recipes.get(name.removesuffix(".yml"))

    async def allowed(self, name: str) -> Recipe:
        """The recipe called `name`; Refused (RECIPE_NOT_ALLOWED) if it is not on the list."""
        recipe = await self.find(name)
        if recipe is None:
            names = ", ".join(self._recipes) or "none"
            message = f"{quoted(name)} is not a recipe; the recipes here are: {names}"
            read = self._read.get(name.removesuffix(".yml"))
            message = read.broken if read is not None and read.broken else message
            raise Refused.one(ErrorCode.RECIPE_NOT_ALLOWED, message, "recipe")
        return recipe

    async def questions(self, recipe: Recipe) -> Questions:
        """What the playbook of a recipe asks a person."""
        found = self._questions.get(recipe.name)
        if found is None:
            found = await asyncio.to_thread(read_questions, recipe.playbook, self.ansible_dir)
            self._questions[recipe.name] = found
        return found

    def close(self) -> None:
        """Stop watching the files."""
        self._tree.close()

    async def _look(self, _key: None) -> bool:
        """Take up what has changed; True, since the answer is in the fields."""
        if self._reading is not None and self._is_reading():
            # Whoever asked for that has gone; its thread cannot be stopped.
            await asyncio.wait([self._reading])
        self._reading = asyncio.ensure_future(asyncio.to_thread(self._take_up))
        await asyncio.shield(self._reading)
        return True

    def _is_reading(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _take_up(self) -> None:
        if self._tree.look():
            shared = self._digest_of_shared()
            self._read = dict(self._playbooks())
            self._recipes = {
                name: self._recipe(name, read, shared) for name, read in self._read.items() if not read.broken
            }
            self._questions = {}
            self._tree.forget_gone()

    def _playbooks(self) -> Iterator[tuple[str, _Read]]:
        """What is known of each file that may be a recipe, by its name; read anew where a file has changed."""
        playbooks = (self.ansible_dir / "playbooks").resolve()
        for path in sorted(playbooks.glob("*.yml")):
            # A link may point to another playbook, but never out of the directory.
            if not _NAME.fullmatch(path.stem) or path.resolve().parent != playbooks or not path.is_file():
                continue
            files = (f"playbooks/{path.resolve().name}", f"recipes/{path.name}")
            stamps = tuple(map(self._tree.stamp, files))
            known = self._read.get(path.stem)
            yield path.stem, known if known is not None and known.stamps == stamps else self._read_anew(path, stamps)

    def _read_anew(self, path: Path, stamps: tuple[Stamp | None, ...]) -> _Read:
        plays = load(path)
        name = plays[0].get("name") if plays else None
        description = str(name) if name is not None else None
        try:
            return _Read(stamps, description, read_sidecar(self.ansible_dir / "recipes" / path.name), None)
        except PlaycastError as error:
            log.warning("a recipe is left out", recipe=path.stem, error=str(error))
            return _Read(stamps, description, Sidecar(), str(error))

    def _recipe(self, name: str, read: _Read, shared: bytes) -> Recipe:
        playbook = (self.ansible_dir / "playbooks" / f"{name}.yml").resolve()
        own = self._tree.digest(f"playbooks/{playbook.name}")
        revision = hashlib.sha256(shared + own).hexdigest()
        return Recipe(name, read.description, revision, read.sidecar, playbook)

    def _digest_of_shared(self) -> bytes:
        digest = hashlib.sha256()
        for path in (path for part in _SHARED for path in self._tree.files(part)):
            digest.update(f"{len(path.encode())}:{path}".encode() + self._tree.digest(path))
        return digest.digest()
