"""What a playbook would ask a person: read from its files before anything starts, since nobody is there to answer.

Followed is what leads to a file by a plain name: imported playbooks, roles and those that they depend on, imported and
included tasks. What hangs on a condition, or on a name that is a template, may never ask; if it does, the job stops
there (runner/programs/ansible_hooks.py).
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

# What PyYAML raises beside its own errors: at 2026-99-99 for one, which is no date, or at a thousand brackets.
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
_MOST_FILES = 500
_BUILT_IN = ("", "ansible.builtin.", "ansible.legacy.")
_PAUSE = {f"{prefix}pause" for prefix in _BUILT_IN}
_FAIL = {f"{prefix}fail" for prefix in _BUILT_IN}
_TIMES = {"seconds", "minutes"}
_PLAYBOOK = {f"{prefix}import_playbook" for prefix in _BUILT_IN}
_TASKS = {f"{prefix}{kind}_tasks" for prefix in _BUILT_IN for kind in ("import", "include")}
_ROLE = {f"{prefix}{kind}_role" for prefix in _BUILT_IN for kind in ("import", "include")}
_OF_A_PLACE = re.compile(r"{{\s*(playbook_dir|role_path)\s*}}")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two classes
    """Reads YAML as ansible does, by libyaml if it is there; Ansible's own tags (!vault, !unsafe) become None."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


@dataclass
class Questions:
    """`variables`: what plays ask for (`vars_prompt`), and whether it has a default. `pauses`: names of tasks."""

    variables: dict[str, bool] = field(default_factory=dict)
    pauses: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """Where tasks stand: in which directory, of which playbook's and of which role's.

    `timed`: whether `module_defaults` there give a pause its time, or may do so.
    `lenient`: whether failures are ignored there.
    """

    here: Path
    playbook: Path
    role: Path | None = None
    timed: bool = False
    lenient: bool = False

    def within(self, part: dict[str, Any]) -> "_Place":
        """The same with what a play, role, block or task says of it; what stands further inside counts."""
        timed, given = self.timed, part.get("module_defaults")
        if isinstance(given, str):
            timed = True
        for defaults in given if isinstance(given, list) else [given]:
            for key, value in defaults.items() if isinstance(defaults, dict) else ():
                if key in _PAUSE:
                    timed = not isinstance(value, dict) or bool(value.keys() & _TIMES)
        return replace(self, timed=timed, lenient=bool(part.get("ignore_errors", self.lenient)))

    def name(self, value: object, key: str | None = None) -> str | None:
        """A name that is written out: `value` itself, or what its `key` says."""
        if isinstance(value, dict) and key is not None:
            value = value.get(key)
        if isinstance(value, str):
            known = {"playbook_dir": self.playbook, "role_path": self.role}
            value = _OF_A_PLACE.sub(lambda found: str(known[found[1]] or found[0]), value)
            if "=" in value and key is not None:
                value = _pairs(value).get(key, "")
        return value.strip() if isinstance(value, str) and not _is_template(value) and value.strip() else None


def load(path: Path) -> list[dict[str, Any]]:
    """The mappings in a file that holds a list; none if it cannot be read, as ansible itself will tell."""
    return [item for item in _items(_read(path)) if isinstance(item, dict)]


def _read(path: Path) -> object:
    try:
        return yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 (a safe loader, with tags ignored)
    except (yaml.YAMLError, OSError, *MALFORMED):
        return None


def read_questions(playbook: Path, ansible_dir: Path) -> Questions:
    """All that this playbook asks whenever it runs."""
    reading = _Reading(ansible_dir)
    # A chain of files or blocks that is so deep that ansible will not follow it either.
    with suppress(RecursionError):
        reading.playbook(playbook)
    return reading.found


class _Reading:
    """One walk through the files of a playbook; each file and each list once, and so many files at most."""

    def __init__(self, ansible_dir: Path) -> None:
        self.found = Questions()
        self._ansible_dir = ansible_dir
        self._seen: set[tuple[Path, bool]] = set()
        # By their ids: an alias may lead from a list to itself, or to another one a million times.
        self._walked: dict[tuple[int, bool], list[Any]] = {}

    def playbook(self, path: Path) -> None:
        place = _Place(path.parent, path.parent)
        for play in self._load(path):
            for key in _PLAYBOOK & play.keys():
                if (imported := place.name(play[key])) and not _hangs(play):
                    self.playbook(path.parent / imported)
            self._variables(play.get("vars_prompt"))
            if _hangs(play):
                continue
            inside = place.within(play)
            for role in _items(play.get("roles")):
                self._role(role, inside)
            for key in ("pre_tasks", "tasks", "post_tasks"):
                self._tasks(_items(play.get(key)), inside)

    def _variables(self, asked: object) -> None:
        for item in _items(asked):
            name = item.get("name") if isinstance(item, dict) else None
            # One that is a template itself cannot be known before.
            if isinstance(name, str) and name.isidentifier():
                known = self.found.variables.get(name, True)
                self.found.variables[name] = known and item.get("default") is not None

    def _tasks(self, tasks: list[Any], place: _Place) -> None:
        if (id(tasks), place.timed) in self._walked:
            return
        self._walked[id(tasks), place.timed] = tasks
        for task in tasks:
            if isinstance(task, dict) and not _hangs(task):
                self._task(task, place.within(task))

    def _task(self, task: dict[str, Any], place: _Place) -> None:
        runs = ("block", "always") if place.lenient or not _fails(task.get("block")) else ("block", "rescue", "always")
        for key in runs:
            self._tasks(_items(task.get(key)), place)
        for module, value in _actions(task):
            if module in _PAUSE and not place.timed and _waits(value, task.get("args")):
                self.found.pauses.append(str(task.get("name") or "pause"))
            elif module in _TASKS | _ROLE:
                self._include(module, value, place)

    def _include(self, module: str, value: object, place: _Place) -> None:
        apply = value.get("apply") if isinstance(value, dict) else None
        if isinstance(apply, dict):
            if _hangs(apply):
                return
            place = place.within(apply)
        if module in _ROLE and (name := place.name(value, "name")):
            chosen = isinstance(value, dict) and "tasks_from" in value
            self._role(name, place, place.name(value, "tasks_from") or ("" if chosen else "main"))
        elif module in _TASKS and (name := place.name(value, "file")):
            path = place.here / name
            self._tasks(self._load(path, place), replace(place, here=path.parent))

    def _role(self, role: object, place: _Place, tasks: str = "main") -> None:
        """A role, as a play, a task or another role names it, from its file `tasks`, if that is known."""
        if isinstance(role, dict):
            if _hangs(role):
                return
            place = place.within(role)
        name = place.name(role, "role") or place.name(role, "name")
        for parent in (place.playbook / "roles", self._ansible_dir / "roles"):
            if name is not None and (parent / name).is_dir():
                self._read_role(parent / name, place, tasks)
                return

    def _read_role(self, role: Path, place: _Place, tasks: str) -> None:
        place = replace(place, here=role / "tasks", role=role)
        for path in _spelled(role / "meta", "main"):
            if self._is_new(path, place):
                meta = _read(path)
                for needed in _items(meta.get("dependencies") if isinstance(meta, dict) else None):
                    self._role(needed, place)
        for path in _spelled(role / "tasks", tasks):
            self._tasks(self._load(path, place), place)

    def _load(self, path: Path, place: _Place | None = None) -> list[dict[str, Any]]:
        return load(path) if self._is_new(path, place) else []

    def _is_new(self, path: Path, place: _Place | None) -> bool:
        key = (path.resolve(), place is not None and place.timed)
        if key in self._seen or len(self._seen) >= _MOST_FILES:
            return False
        self._seen.add(key)
        return True


def _spelled(folder: Path, name: str) -> list[Path]:
    """The file of a role by this name: the first that is there."""
    paths = (folder / f"{name}{end}" for end in (".yml", ".yaml", "") if name)
    return [path for path in paths if path.is_file()][:1]


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _hangs(part: dict[str, Any]) -> bool:
    """Whether it runs under a condition only, or for calls that name a tag."""
    tags = part.get("tags")
    # Of a list ansible parts no item.
    never = "never" in (map(str.strip, tags.split(",")) if isinstance(tags, str) else _items(tags))
    keys = (key for key in part if key in ("when", "loop") or str(key).startswith("with_"))
    return never or any(part[key] is not None for key in keys)


def _fails(block: object) -> bool:
    """Whether a block fails whenever it runs, so that its `rescue` runs too."""
    tasks = (task for task in _items(block) if isinstance(task, dict) and not _hangs(task))
    return any(_FAIL & task.keys() and not {"ignore_errors", "failed_when"} & task.keys() for task in tasks)


def _is_template(text: str) -> bool:
    return "{{" in text or "{%" in text


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


def _waits(*arguments: object) -> bool:
    """Whether a pause waits for a person: it does without a time. What is a template as a whole may give it one."""
    for given in arguments:
        if isinstance(given, str) and (_pairs(given).keys() & _TIMES or given.lstrip().startswith(("{{", "{%"))):
            return False
        if isinstance(given, dict) and given.keys() & _TIMES:
            return False
    return True
