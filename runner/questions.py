"""What a playbook would ask a person: read from its files before anything starts, since nobody is there to answer.

Followed is what leads to a file by a plain name: imported playbooks, roles, imported and included tasks. What hangs on
a condition, or on a name that is a template, may never ask; if it does, the job stops there (runner/hooks.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# What PyYAML raises beside its own errors: at 2026-99-99 for one, which is no date, or at a thousand brackets.
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
_MOST_FILES = 500
_BUILT_IN = ("", "ansible.builtin.", "ansible.legacy.")
_PAUSE = {f"{prefix}pause" for prefix in _BUILT_IN}
_PLAYBOOK = {f"{prefix}import_playbook" for prefix in _BUILT_IN}
_TASKS = {f"{prefix}{kind}_tasks" for prefix in _BUILT_IN for kind in ("import", "include")}
_ROLE = {f"{prefix}{kind}_role" for prefix in _BUILT_IN for kind in ("import", "include")}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two classes
    """Reads YAML as ansible does, by libyaml if it is there; Ansible's own tags (!vault, !unsafe) become None."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


@dataclass
class Questions:
    """`variables`: what plays ask for (`vars_prompt`), and whether it has a default. `pauses`: names of tasks."""

    variables: dict[str, bool] = field(default_factory=dict)
    pauses: list[str] = field(default_factory=list)


def load(path: Path) -> list[dict[str, Any]]:
    """The mappings in a file that holds a list; none if it cannot be read, as ansible itself will tell."""
    try:
        found = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 (a safe loader, with tags ignored)
    except (yaml.YAMLError, OSError, *MALFORMED):
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def read_questions(playbook: Path, ansible_dir: Path) -> Questions:
    """All that this playbook asks whenever it runs."""
    reading = _Reading(ansible_dir)
    reading.playbook(playbook)
    return reading.found


class _Reading:
    """One walk through the files of a playbook; each file once, and so many at most."""

    def __init__(self, ansible_dir: Path) -> None:
        self.found = Questions()
        self._ansible_dir = ansible_dir
        self._seen: set[Path] = set()

    def playbook(self, path: Path) -> None:
        for play in self._load(path):
            for key in _PLAYBOOK & play.keys():
                if (imported := _plain(play[key])) and not _hangs(play):
                    self.playbook(path.parent / imported)
            self._variables(play.get("vars_prompt"))
            if _hangs(play):
                continue
            for role in _items(play.get("roles")):
                self._role(role, path.parent)
            for key in ("pre_tasks", "tasks", "post_tasks"):
                self._tasks(_items(play.get(key)), path.parent, path.parent)

    def _variables(self, asked: object) -> None:
        for item in _items(asked):
            name = item.get("name") if isinstance(item, dict) else None
            # One that is a template itself cannot be known before.
            if isinstance(name, str) and name.isidentifier():
                known = self.found.variables.get(name, True)
                self.found.variables[name] = known and item.get("default") is not None

    def _tasks(self, tasks: list[Any], here: Path, base: Path) -> None:
        """Tasks in a file in `here`, of a playbook in `base`."""
        for task in tasks:
            if not isinstance(task, dict) or _hangs(task):
                continue
            for key in ("block", "always"):
                self._tasks(_items(task.get(key)), here, base)
            if any(_waits(*action) for action in _actions(task)):
                self.found.pauses.append(str(task.get("name") or "pause"))
            for key, value in _actions(task):
                if key in _TASKS and (name := _plain(value, "file")):
                    self._tasks(self._load(here / name), (here / name).parent, base)
                elif key in _ROLE and (name := _plain(value, "name")):
                    self._role(name, base)

    def _role(self, role: object, base: Path) -> None:
        if isinstance(role, dict) and _hangs(role):
            return
        name = _plain(role, "role") or _plain(role, "name")
        if name is None:
            return
        for place in (base / "roles", self._ansible_dir / "roles"):
            for main in (place / name / "tasks/main.yml", place / name / "tasks/main.yaml"):
                if main.is_file():
                    self._tasks(self._load(main), main.parent, base)
                    return

    def _load(self, path: Path) -> list[dict[str, Any]]:
        path = path.resolve()
        if path in self._seen or len(self._seen) >= _MOST_FILES:
            return []
        self._seen.add(path)
        return load(path)


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _hangs(part: dict[str, Any]) -> bool:
    """Whether it runs under a condition only, or for calls that name a tag."""
    tags = part.get("tags")
    never = "never" in (tags.split(",") if isinstance(tags, str) else _items(tags))
    return never or any(part.get(key) is not None for key in ("when", "loop", "with_items"))


def _plain(value: object, key: str | None = None) -> str | None:
    """A name that is written out: `value` itself, or what its `key` says."""
    if isinstance(value, dict) and key is not None:
        value = value.get(key)
    if isinstance(value, str) and "=" in value and key is not None:
        value = _pairs(value).get(key)
    return value.strip() if isinstance(value, str) and "{{" not in value and value.strip() else None


def _pairs(text: str) -> dict[str, str]:
    """`a=b c="d e"`, as the short form of a task writes its arguments."""
    words = (word.partition("=") for word in text.split() if "=" in word)
    return {name: value.strip("\"'") for name, _, value in words}


def _actions(task: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(module, arguments) in each form that a task may have."""
    yield from ((str(key), value) for key, value in task.items())
    for key in ("action", "local_action"):
        value = task.get(key)
        if isinstance(value, str):
            module, _, rest = value.strip().partition(" ")
            yield module, rest
        elif isinstance(value, dict) and isinstance(value.get("module"), str):
            yield value["module"].partition(" ")[0], {**value, **_pairs(value["module"])}


def _waits(module: str, arguments: object) -> bool:
    """Whether it waits for a person: a pause without a time does."""
    if module not in _PAUSE:
        return False
    given = arguments if isinstance(arguments, dict) else _pairs(str(arguments or ""))
    return not given.keys() & {"seconds", "minutes"}
