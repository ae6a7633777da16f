"""Everything that Playcast knows of ansible's inside: importing it ahead of time, and making a fork of it a fresh run.

The only file that uses private parts of ansible-core. Tried with 2.19 to 2.22; where a part is missing or raises, the
launcher's self-test fails and jobs start cold. Standard library and ansible alone: it runs in the launcher.

Each step of `become` undoes what an import remembers:

os.environ          plugins read their options from it when a play begins
constants (C.*)     computed once, at import, from environment and ansible.cfg; DEFAULT_LOCAL_TMP is a directory that
                    is made there and then, and removed by an exit handler: all forks would share one, and the first
                    to end would remove it from under the others
exit handlers       the launcher's own, for that directory: not for its forks to run
Display             a singleton that has wrapped the streams of the launcher (2.19 and later)
ANSIBLE_COLOR       decided at import from the launcher's standard output
random_int, cur_id  from which the ids of tasks are made: all forks would give their tasks the same ones
signals             Python turns SIGINT into KeyboardInterrupt at its own start only
bytecode            Python reads PYTHONDONTWRITEBYTECODE at its own start only
tempfile.tempdir    computed once, from TMPDIR, by the first who asks
"""

import atexit
import gc
import importlib
import io
import multiprocessing.util
import os
import runpy
import secrets
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

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
# Plugins that each job loads whether it needs them or not, many of them once per host and task.
_PLUGINS = {
    "action_loader": ("command", "copy", "debug", "gather_facts", "normal", "template"),
    "become_loader": ("su", "sudo"),
    "cache_loader": ("memory",),
    "callback_loader": ("default", "junit", "minimal", "oneline", "tree"),
    "connection_loader": ("local", "ssh"),
    "inventory_loader": ("ini", "yaml"),
    "shell_loader": ("cmd", "powershell", "sh"),
    "strategy_loader": ("free", "linear"),
}
# Not the vars plugins: the loader would keep the class in place of the instance, and every run would die of it.


def preload() -> None:
    """Import ansible and its usual plugins. Call it once, before any thread exists, with ANSIBLE_CONFIG set."""
    # First of all: what follows then fills the memory that this takes meanwhile.
    _know_routing()
    importlib.import_module("ansible.cli.playbook")
    for name in _MODULES:
        importlib.import_module(name)
    loaders = importlib.import_module("ansible.plugins.loader")
    own = f"{Path(loaders.__file__ or '').parent}{os.sep}"
    found = {}
    for kind, names in _PLUGINS.items():
        loader = getattr(loaders, kind)
        for name in names:
            # One that ansible.cfg puts in its place is not ours to run here, and may change at any time.
            if str(loader.find_plugin(name)).startswith(own):
                plugin = loader.get(name, class_only=True)
                found[plugin.__module__] = (loader.type, name)
        # Jobs look for plugins anew: another may stand in front of these by then.
        loaded = dict(loader._module_cache)
        loader._clear_caches()
        loader._module_cache.update(loaded)
    _yield_to_others(loaders, found)
    # What is frozen is never looked at by the collector again, so its pages stay shared with every fork.
    gc.collect()
    gc.freeze()


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


def _know_routing() -> None:
    """Parse the list of what ansible.builtin has moved elsewhere, as each run does: 0.1 s, 9 MB, and 2 MB that stay."""
    finder = importlib.import_module("ansible.utils.collection_loader._collection_finder")
    # "This function may be monkeypatched", says its docstring, "to cache the output".
    parse: Callable[[bytes | str, object], object] = finder._meta_yml_to_dict
    release = importlib.import_module("ansible.release").__file__
    text = Path(release or "").with_name("config").joinpath("ansible_builtin_runtime.yml").read_bytes()
    known = parse(text, ("ansible.builtin", "runtime.yml"))

    def parse_others(data: bytes | str, content_id: object) -> object:
        return known if data == text else parse(data, content_id)

    finder.__dict__["_meta_yml_to_dict"] = parse_others


def ansible_version() -> str:
    """The version that was imported."""
    return str(importlib.import_module("ansible.release").__version__)


def become(argv: Sequence[str], env: Mapping[str, str], child: ModuleType) -> NoReturn:
    """Be the job's process, as if `argv` had just been executed with `env`; `child` is runner/child.py."""
    code = 1
    try:
        atexit._clear()
        # argv is what a cold start executes: python -P child.py WORDS_FD LOG_CAP ANSIBLE_PLAYBOOK ARGUMENT…
        child.take_over(list(argv[2:]))
        _forget(env)
        _adopt_streams()
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = _code(end.code)
    except BaseException as error:  # noqa: BLE001 (the last frame of this process: it ends as the interpreter would)
        traceback.print_exc()
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    _end(code)


def _forget(env: Mapping[str, str]) -> None:
    atexit.register(multiprocessing.util._exit_function)  # type: ignore[attr-defined]  # private
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(env)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    tempfile.tempdir = None
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (open for the life of the process)
    constants = importlib.import_module("ansible.constants")
    for setting in constants.config.get_configuration_definitions():
        value = constants.config.get_config_value(setting, variables=vars(constants))
        constants.set_constant(setting, value)
    importlib.import_module("ansible.utils.color").__dict__["ANSIBLE_COLOR"] = constants.ANSIBLE_FORCE_COLOR
    importlib.import_module("ansible.utils.vars").__dict__.update(random_int=secrets.token_hex(4), cur_id=0)


def _adopt_streams() -> None:
    """Do for the job's streams what Display did for the launcher's when it was made."""
    module = importlib.import_module("ansible.utils.display")
    synchronize: Callable[..., None] | None = getattr(module, "_synchronize_textiowrapper", None)
    display = module.Display()
    for stream in (sys.stdout, sys.stderr):
        if synchronize is not None:
            synchronize(stream, display._lock)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="_replacing_warning_handler")


def _code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _end(code: int) -> NoReturn:
    """Do what the interpreter does at its end, in its order; a negative code is a signal to die of."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # private
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
    finally:
        os._exit(code & 0xFF)
