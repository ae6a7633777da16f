"""Importing ansible ahead of time, and reading once what each run would read anew.

Uses private parts of ansible-core, as ansible_refresh.py and ansible_hooks.py do. Tried with 2.19 to 2.22; where a
part is missing or raises, the launcher says so and jobs start cold.
"""

import contextlib
import ctypes
import functools
import gc
import importlib
import io
import os
import pickle
import signal
import sys
import traceback
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

_PR_SET_PDEATHSIG = 1
_MODULES = (
    "ansible.executor.module_common",
    "ansible.executor.playbook_executor",
    "ansible.executor.process.worker",
    "ansible.executor.task_executor",
    "ansible.executor.task_queue_manager",
    "ansible.inventory.manager",
    "ansible.module_utils.basic",
    "ansible.parsing.yaml.dumper",
    "ansible.playbook.handler_task_include",
    "ansible.plugins.filter.core",
    "ansible.plugins.test.core",
    "ansible.template",
    "ansible.vars.manager",
    "multiprocessing.popen_fork",
    "multiprocessing.queues",
    "multiprocessing.synchronize",
    "getpass",
    "pty",
    "zipfile",
)
# Plugins that each job loads, many of them once per host and task; * stands for all that ansible has of the kind, since
# a job reads the options of each. Not so for connections: what those import may be made for no fork.
_PLUGINS = {
    "action_loader": ("command", "copy", "debug", "gather_facts", "normal", "template"),
    "become_loader": ("*",),
    "cache_loader": ("memory",),
    "callback_loader": ("*",),
    "connection_loader": ("local", "ssh"),
    "inventory_loader": ("ini", "yaml"),
    "shell_loader": ("*",),
    "strategy_loader": ("free", "linear"),
}
# Not the vars plugins: the loader would keep the class in place of the instance, and every run would die of it.

# What most playbooks send to servers.
_SENT = ("command", "copy", "file", "lineinfile", "ping", "service", "setup", "slurp", "stat", "systemd", "user")
# {(full name, source): ([(file, content)], metadata)}
Payloads = dict[tuple[str, bytes], tuple[list[tuple[str, bytes]], object]]
_Found = tuple[dict[bytes, object], Payloads]
Inside = dict[str, Any]


def preload() -> None:
    """Import ansible and its usual plugins. Call it once, before any thread exists, with ANSIBLE_CONFIG set."""
    importlib.import_module("ansible.cli.playbook")
    for name in _MODULES:
        importlib.import_module(name)
    loaders = importlib.import_module("ansible.plugins.loader")
    own = f"{Path(loaders.__file__ or '').parent}{os.sep}"
    found = {}
    for kind, names in _PLUGINS.items():
        loader = getattr(loaders, kind)
        for name in _all_names(own, loader.subdir) if names == ("*",) else names:
            # One that ansible.cfg puts in its place is not ours to run here, and may change at any time.
            if str(loader.find_plugin(name)).startswith(own):
                # One that cannot be loaded here cannot be in a job, which says so itself.
                with contextlib.suppress(Exception):
                    plugin = loader.get(name, class_only=True)
                    found[plugin.__module__] = (loader.type, name)
        # Jobs look for plugins anew: another may stand in front of these by then.
        loaded = dict(loader._module_cache)
        loader._clear_caches()
        loader._module_cache.update(loaded)
    _yield_to_others(loaders, found)
    _read_ahead(loaders)
    # What is frozen is never looked at by the collector again, so its pages stay shared with every fork.
    gc.collect()
    gc.freeze()


def _all_names(own: str, subdir: str) -> list[str]:
    """The plugins of a kind that ansible itself has; those with an underscore are old names."""
    folder = Path(own) / subdir.removesuffix("_plugins")
    return sorted(file.stem for file in folder.glob("[!_]*.py"))


def _yield_to_others(loaders: ModuleType, preloaded: dict[str, tuple[str, str]]) -> None:
    """Let a plugin of a playbook, a role or ansible.cfg take the place of a preloaded one, as in a fresh run.

    `preloaded` is {module: (type, name) of the plugin}. By itself the loader takes a module that is there for the one
    to load, whatever its file, and the options that are known for the plugin's.
    """
    load: Callable[..., ModuleType] = loaders.PluginLoader._load_module_source
    definitions = importlib.import_module("ansible.constants").config._plugins

    def load_from_file(self: object, *given: str, **named: str) -> ModuleType:
        module, path = (*given, *named.values())
        if module in preloaded and path != sys.modules[module].__file__:
            kind, name = preloaded.pop(module)
            definitions.get(kind, {}).pop(name, None)
            del sys.modules[module]
        return load(self, *given, **named)

    loaders.PluginLoader._load_module_source = load_from_file


def _read_ahead(loaders: ModuleType) -> None:
    """Read once what each run would read anew: where ansible's own names lead, and what usual modules import.

    It happens in a fork, and only what was found comes back: the trees of parsed files would stay for good.
    """
    collections = importlib.import_module("ansible.utils.collection_loader._collection_finder").__dict__
    module_common = importlib.import_module("ansible.executor.module_common").__dict__
    routing, payloads = _in_fork(lambda: _found(collections, module_common, loaders.module_loader.find_plugin))
    collections["_meta_yml_to_dict"] = _remembering(collections["_meta_yml_to_dict"], routing)
    module_common["recursive_finder"] = _recalling(module_common, loaders.module_utils_loader._get_paths, payloads)


def _in_fork(find: Callable[[], _Found]) -> _Found:
    """What `find` returns, found by a fork of this process."""
    come, go = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            # It has no life of its own: it would hold the launcher's streams open, and wait for a reader that is gone.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.close(come)
            with os.fdopen(go, "wb") as answer:
                pickle.dump(find(), answer)
            os._exit(0)
        except BaseException:  # noqa: BLE001 (a fork must never come back)
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(go)
    with os.fdopen(come, "rb") as answer:
        found = answer.read()
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("ansible's modules could not be read ahead")
    result: _Found = pickle.loads(found)  # noqa: S301 (written by this very code)
    return result


def _found(collections: Inside, module_common: Inside, find_plugin: Callable[[str], str]) -> _Found:
    """(what files of routing say, by their text; what each module of _SENT imports)."""
    routing: dict[bytes, object] = {}
    parse = collections["_meta_yml_to_dict"]
    collections["_meta_yml_to_dict"] = lambda text, name: routing.setdefault(text, parse(text, name))
    collections["_AnsibleCollectionFinder"](paths=[], scan_sys_paths=False)._install()
    importlib.import_module("ansible_collections.ansible.builtin")
    # Most of what one module imports, the others import too.
    module_common["_compile_module_ast"] = functools.cache(module_common["_compile_module_ast"])
    plain = module_common["_builder"].ExtensionManager.create(task_vars={})
    contents: dict[bytes, bytes] = {}
    payloads: Payloads = {}
    for name in _SENT:
        path = find_plugin(name)
        source, full_name = Path(path).read_bytes(), module_common["_get_ansible_module_fqn"](path)
        with zipfile.ZipFile(io.BytesIO(), "w") as made:
            metadata = module_common["recursive_finder"](name, full_name, source, made, datetime.now(UTC), plain)
            files = [(file, made.read(file)) for file in made.namelist()]
        payloads[full_name, source] = [(file, contents.setdefault(text, text)) for file, text in files], metadata
    return routing, payloads


def _remembering(parse: Callable[[bytes, object], object], known: dict[bytes, object]) -> Callable[..., object]:
    """`parse`, with what it says to the texts in `known`."""
    return lambda text, content_id: known[text] if text in known else parse(text, content_id)


def _recalling(module_common: Inside, paths: Callable[..., list[str]], known: Payloads) -> Callable[..., object]:
    """Ansible's finder of all that a module imports, which parses some fifty files, with what it found in `known`.

    That stands as long as nobody puts a directory of `module_utils` (`paths`) in front of ansible's own.
    """
    find, entry = module_common["recursive_finder"], module_common["_make_zinfo"]
    own = Path(module_common["_MODULE_UTILS_PATH"]).resolve()

    def is_plain(extensions: Any) -> bool:  # noqa: ANN401 (ansible's)
        others = (place for place in map(Path, paths(subdirs=False)) if place.is_dir() and place.resolve() != own)
        return not any(others) and not extensions.extension_names

    def recall(name: str, full_name: str, source: bytes, *rest: Any) -> object:  # noqa: ANN401 (ansible's)
        made, date_time, extensions = rest
        found = known.get((full_name, bytes(source)))
        if found is None or not is_plain(extensions):
            return find(name, full_name, source, *rest)
        for file, content in found[0]:
            made.writestr(entry(file, date_time, zf=made), content)
        return found[1]

    return recall


def ansible_version() -> str:
    """The version that was imported."""
    return str(importlib.import_module("ansible.release").__version__)
