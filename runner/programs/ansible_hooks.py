"""What Playcast hooks into the ansible of a job: its settings, its plugins, and who judges an exit code of ssh.

`ansible_child.py` calls it before ansible reads its configuration. The hooks use private parts of ansible-core, tried
with 2.19 to 2.22; where one is missing, the job goes on in the way that its function says.
"""

import functools
import importlib
import os
import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

PLUGINS = Path(__file__).with_name("plugins")
_SSHPASS = str(Path(__file__).with_name("bin") / "sshpass").encode()
# Of Connection, which of them begins a command with sshpass: ansible-core 2.19, and later ones.
_BEGIN_COMMANDS = ("_build_command", "_sshpass_cmd")
_SSH = "ansible.plugins.connection.ssh"
# Of Display.prompt_until(msg, private, seconds, …).
_PLACE_OF_SECONDS = 3
# bin/sshpass writes it where sshpass itself says that the password is wrong.
_WRONG_PASSWORD = b"playcast: Invalid/incorrect password"


EndConnections = Callable[[list[str]], object]


def hook_in(spec: Mapping[str, Any], end_connections: EndConnections) -> None:
    """Prepare ansible for the job of `spec`.

    `settings`           names and values of environment variables of ansible
    `pass_over_prompts`  whether to go on where the playbook asks a person
    `resets`             by "host port" what the control paths of all kept connections to a server begin with;
                         `end_connections` ends those that begin so
    """
    hide_settings(spec["settings"])
    add_plugins()
    if not spec.get("pass_over_prompts", True):
        stop_at_prompts()
    when_ssh_is_there(lambda ssh: _change_ssh(ssh, spec.get("resets", {}), end_connections))


def hide_settings(settings: Mapping[str, str]) -> None:
    """Let ansible find `settings` as in its environment, and no program that it starts.

    A task that runs ansible-playbook itself must find what it would find by hand. If ansible reads its environment in
    another way than it did, the settings stand in the environment after all.
    """
    manager = importlib.import_module("ansible.config.manager").ConfigManager
    read = getattr(manager, "_loop_entries", None)
    if read is None:
        os.environ.update(settings)
        return

    def read_with_settings(self: object, container: Mapping[str, Any], *rest: Any) -> Any:  # noqa: ANN401 (ansible's own)
        if container is os.environ:
            # The environment first: ansible writes into it where the agent listens that it has started.
            container = ChainMap(os.environ, dict(settings))
        return read(self, container, *rest)

    manager._loop_entries = read_with_settings


def add_plugins() -> None:
    """Let ansible find Playcast's plugins, whatever directories its configuration names."""
    loaders = importlib.import_module("ansible.plugins.loader")
    loaders.callback_loader.add_directory(str(PLUGINS / "callback"))
    loaders.cache_loader.add_directory(str(PLUGINS / "cache"))


def stop_at_prompts() -> None:
    """Make a question an error: by itself ansible would go on without an answer, and the job would look well.

    A `pause` with a time waits for that time, as ever.
    """
    display = importlib.import_module("ansible.utils.display").Display
    error = importlib.import_module("ansible.errors").AnsibleError
    wait = display.prompt_until

    def ask(_self: object, name: str, *_rest: Any, **_named: Any) -> None:  # noqa: ANN401 (ansible's own)
        raise error(f"the playbook asks for {name} (vars_prompt): send it as an extra variable")

    def wait_for_time(self: object, *given: Any, **named: Any) -> Any:  # noqa: ANN401 (ansible's own)
        if named.get("seconds") is None and len(given) < _PLACE_OF_SECONDS:
            raise error(
                "it waits for a person, and nobody is there: give the pause a time, "
                "or let the recipe go on without an answer (`prompts: default`)"
            )
        return wait(self, *given, **named)

    display.do_var_prompt, display.prompt_until = ask, wait_for_time


def when_ssh_is_there(change: Callable[[ModuleType], None]) -> None:
    """Change the connection plugin ssh, now or when it is loaded; never, if ansible loads plugins in another way."""
    loader = importlib.import_module("ansible.plugins.loader").PluginLoader
    load = getattr(loader, "_load_module_source", None)
    if _SSH in sys.modules:
        change(sys.modules[_SSH])
    elif load is not None:

        def load_and_change(self: object, *given: Any, **named: Any) -> ModuleType:  # noqa: ANN401 (ansible's own)
            known = _SSH in sys.modules
            module: ModuleType = load(self, *given, **named)
            if module.__name__ == _SSH and not known:
                change(module)
            return module

        loader._load_module_source = load_and_change


def _change_ssh(ssh: ModuleType, resets: Mapping[str, list[str]], end_connections: EndConnections) -> None:
    _replace_sshpass(ssh)
    _replace_judge(ssh)
    _reset_all(ssh, resets, end_connections)


def _replace_sshpass(ssh: ModuleType) -> None:
    """Let ansible's own log-ins, and nothing else, go through `runner/programs/bin/sshpass`.

    It is not on PATH: whoever calls sshpass in a task or from an ansible of its own must find the real one.
    """
    connection = getattr(ssh, "Connection", None)
    for name in _BEGIN_COMMANDS:
        if hasattr(connection, name):
            setattr(connection, name, _with_our_sshpass(getattr(connection, name)))


def _with_our_sshpass(begin: Callable[..., list[bytes]]) -> Callable[..., list[bytes]]:
    @functools.wraps(begin)
    def begin_command(*given: Any, **named: Any) -> list[bytes]:  # noqa: ANN401 (ansible's own)
        command = begin(*given, **named)
        return [_SSHPASS, *command[1:]] if command[:1] == [b"sshpass"] else command

    return begin_command


def _reset_all(ssh: ModuleType, resets: Mapping[str, list[str]], end_connections: EndConnections) -> None:
    """Let `meta: reset_connection` end all kept connections to a server, also those that other recipes would take up.

    A playbook resets a connection where only a new log-in sees what it has changed, such as the groups of its user.
    """
    connection = getattr(ssh, "Connection", None)
    reset = getattr(connection, "reset", None)
    if connection is None or reset is None:
        return

    def reset_and_end(self: Any) -> None:  # noqa: ANN401 (ansible's own)
        reset(self)
        end_connections(resets.get(f"{self.get_option('host')} {self.get_option('port')}", []))

    connection.reset = reset_and_end


def _replace_judge(ssh: ModuleType) -> None:
    """Take an exit code below 255 behind sshpass for the remote command's own, as it is behind ssh.

    ansible-core 2.19 takes 1 to 6 for sshpass's, so that a failed task of a server with a password looks as if the
    server did not answer. `bin/sshpass` ends with 255 where sshpass itself fails, and its name, the whole path, keeps
    ansible from taking its other codes so. Without the part that is replaced here ansible judges as it likes.
    """
    judge = getattr(ssh, "_handle_error", None)
    if judge is None:
        return

    def judge_ssh(remaining: int, command: bytes, result: tuple[int, bytes, bytes], *rest: Any, **named: Any) -> None:  # noqa: ANN401 (ansible's own)
        code, out, err = result
        if code == 255 and _WRONG_PASSWORD in err:
            # Ansible knows this code: it tries no further, which would lock the account.
            judge(remaining, b"sshpass", (5, out, err), *rest, **named)
        judge(remaining, command, result, *rest, **named)

    ssh._handle_error = judge_ssh  # type: ignore[attr-defined]  # a module of ansible's
