"""What runs in a process of its own, with the standard library alone; some of it also imports a job's ansible.

`__main__.py` starts one of these programs, and says how they import each other.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
# The supervisor needs no installed package. Ansible is one, and its plugins find theirs through the environment.
_OPTIONS = {"launcher": ("-I",), "supervisor": ("-I", "-S"), "ansible_child": ("-P",)}


def command(program: str) -> list[str]:
    """What starts `launcher`, `supervisor` or `ansible_child`; its own arguments follow."""
    return [sys.executable, *_OPTIONS[program], str(FOLDER / "__main__.py"), program]
