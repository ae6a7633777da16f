"""Reserved: the names of variables that belong to ansible, so that no client may set them.

Ansible reads options of its plugins from variables of any name, and some of them are programs, or arguments of one. A
test looks through the documentation of all its plugins, whether each of those names is refused.
"""

import re

INTERPRETER = "ansible_python_interpreter"
"""The one that the variables of a server may hold, with the path of a Python."""
_PYTHON = re.compile(r"(?:/(?!\.\.?/)[A-Za-z0-9_.+-]+)*/(?:platform-)?python(?:[0-9]+(?:\.[0-9]+)*t?)?")
_MOST_PATH = 255
# What ansible itself calls a search for Python.
_SEARCHES = frozenset({"auto", "auto_silent"})
# Ansible sets them itself; some of them it would take from a client, and say wrong things of hosts and groups.
_MAGIC = frozenset(
    {"group_names", "groups", "hostvars", "inventory_dir", "inventory_file", "inventory_hostname"}
    | {"inventory_hostname_short", "play_hosts", "playbook_dir", "role_name", "role_names", "role_path", "role_uuid"}
    | {"delegated_vars", "environment", "vars", "_z_test_entry"}
)
# Functions and values of its templates: a variable of this name would stand in their place.
_TEMPLATE = frozenset(
    {"cycler", "dict", "joiner", "lipsum", "lookup", "namespace", "now", "omit", "q", "query", "range", "undef"}
)
# Options of plugins in the community's collections that are programs, or lead to some.
_PLUGINS = frozenset({"incus_become_method", "lxd_become_method", "proxmox_become_method", "passwordstore_backend"})
_PLUGIN = re.compile(r"(?:mitogen|sops|conjur)_")


def is_ansibles(name: str) -> bool:
    """Whether a variable of this name says how ansible runs: which programs, as whom, and where."""
    return name.lstrip("_").startswith("ansible_") or name in _PLUGINS or _PLUGIN.match(name) is not None


def is_magic(name: str) -> bool:
    """Whether ansible has a variable, a function or a value of this name."""
    return name in _MAGIC or name in _TEMPLATE


def is_python_path(path: str) -> bool:
    """Whether this is an absolute path whose last part is the name of a Python.

    Any other program would run what ansible sends to a Python, and that holds what clients send.
    """
    return len(path) <= _MOST_PATH and _PYTHON.fullmatch(path) is not None


def is_python(value: object) -> bool:
    """Whether a server may have this as its interpreter: the path of a Python, or to look for one."""
    return isinstance(value, str) and (value in _SEARCHES or is_python_path(value))
