"""The parts that verbs work with, tied together once at the edge."""

from dataclasses import dataclass
from pathlib import Path

from runner.appender import Appender
from runner.bus import Bus
from runner.connections import Connections
from runner.credentials import Credentials
from runner.dispatch import Dispatcher
from runner.facts import Facts
from runner.recipes import RecipeBook
from runner.shelf import Shelf
from runner.shown import Shown
from runner.start import Starter
from runner.vault import Vault


@dataclass(frozen=True)
class Engine:
    """Everything a verb needs beside its own arguments. Times are seconds, sizes bytes."""

    bus: Bus
    shelf: Shelf
    appender: Appender
    dispatcher: Dispatcher
    recipes: RecipeBook
    credentials: Credentials
    vault: Vault
    connections: Connections
    facts: Facts
    starter: Starter
    jobs_dir: Path
    timeout: int
    cancel_grace: float
    log_cap: int
    mask_words: tuple[str, ...]
    shown: Shown
