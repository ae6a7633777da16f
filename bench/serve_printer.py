"""A real Playcast server whose jobs run `printer.py` in the place of ansible-playbook."""

import asyncio
import os
import stat
import sys
from pathlib import Path

from playcast import settings
from playcast.server import serve, set_up_logging
from runner import launch


def make_program(folder: Path) -> str:
    """The printer as a program of its own, for this Python."""
    program = folder / "ansible-playbook"
    printer = Path(__file__).with_name("printer.py")
    program.write_text(f"#!{sys.executable}\n{printer.read_text()}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def main() -> None:
    """Serve, as the environment says."""
    set_up_logging()
    chosen = settings.load(os.environ)
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    program = make_program(chosen.data_dir)
    # The one seam: everything before and after the program is Playcast as it is.
    launch.find_ansible_playbook = lambda: program
    asyncio.run(serve(chosen))


if __name__ == "__main__":
    main()
