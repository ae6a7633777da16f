"""The parts that verbs work with, tied together once at the edge."""

from dataclasses import dataclass
from pathlib import Path

from runner.bus import Bus
from runner.log.appender import Appender
from runner.log.shelf import Shelf
from runner.queue.dispatch import Dispatcher
from runner.recipes.book import RecipeBook
from runner.secrets.credentials import Credentials
from runner.secrets.shown_variables import Shown
from runner.secrets.vault import Vault
from runner.start.cold_start import Starter
from runner.start.fact_cache import Facts
from runner.start.kept_connections import Connections


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
