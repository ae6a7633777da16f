"""Making a fork of the launcher a fresh run of ansible, as if it had not been imported before by ansible_preload.py.

Uses private parts of ansible-core, as ansible_preload.py and ansible_hooks.py do. Tried with 2.19 to 2.22; where a
part is missing or raises, the launcher's self-test fails and jobs start cold.

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
from typing import NoReturn

from . import ansible_child


def become(argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Be the job's process, as if `argv` had just been executed with `env`."""
    code = 1
    try:
        atexit._clear()
        # argv is what a cold start executes: `programs.command("ansible_child")` and its arguments.
        ansible_child.take_over(list(argv[argv.index("ansible_child") + 1 :]))
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
