"""Real Playcast processes whose jobs run something cheap: `python -m bench.stand_in.serve [serve|worker] [PLACE]`.

PLACE is what stands there: `printer` (`ansible.py` in ansible's place, the default), or `nothing` (`supervisor.py` in
the supervisor's). With `local` after it a server on PostgreSQL hands out its jobs by the queue of a single process.
"""

import asyncio
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

from bench.stand_in.supervisor import NoStart
from playcast import app, worker
from playcast.server import serve, set_up_logging
from playcast.settings import Settings, load
from runner.engine import Engine
from runner.jobs import launch
from runner.queue.dispatch import LocalDispatcher


def make_program(folder: Path) -> str:
    """The printer as a program of its own, for this Python."""
    program = folder / "ansible-playbook"
    printer = Path(__file__).with_name("ansible.py")
    program.write_text(f"#!{sys.executable}\n{printer.read_text()}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def main() -> None:
    """Run as the environment says."""
    given = set(sys.argv[1:])
    set_up_logging()
    chosen = load(os.environ)
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    program = make_program(chosen.data_dir)
    made = app.make_engine

    def make_engine(settings: Settings) -> Engine:
        engine = made(settings)
        engine = replace(engine, starter=NoStart()) if "nothing" in given else engine
        return replace(engine, dispatcher=LocalDispatcher()) if "local" in given else engine

    # The seams: everything before and after is Playcast as it is.
    launch.find_ansible_playbook = lambda: program
    app.make_engine = make_engine
    vars(worker)["make_engine"] = make_engine
    asyncio.run(worker.work(chosen) if "worker" in given else serve(chosen))


if __name__ == "__main__":
    main()
