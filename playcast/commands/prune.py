"""The command `playcast prune`: remove old logs and jobs now, or say what would go."""

import typer
from tortoise.exceptions import DBConnectionError, OperationalError

from playcast.cluster import make_pruner
from playcast.settings import Settings
from playcast.storage.database import dialect, migrate, opened
from playcast.storage.database_file import DatabaseInUse, WriterLock
from playcast.storage.read_only import existing_file, opened_read_only
from runner.errors import PlaycastError
from runner.retention.rules import Totals, Victim

_NOTHING_LIMITED = (
    "nothing is limited, so nothing goes: set PLAYCAST_KEEP_LOGS_DAYS, PLAYCAST_KEEP_LOGS_BYTES, "
    "PLAYCAST_KEEP_JOBS_DAYS or PLAYCAST_KEEP_JOBS_BYTES"
)


async def prune(chosen: Settings) -> int:
    """Remove what the settings no longer keep and print how much it was; the exit code, 1 if files stayed behind."""
    if not chosen.retention.limited:
        typer.echo(_NOTHING_LIMITED)
        return 0
    embedded = dialect(chosen.database_url) == "sqlite"
    if embedded:
        existing_file(chosen.database_url)
    try:
        lock = WriterLock(chosen)
    except DatabaseInUse:
        typer.echo("a server works on this database: it prunes by itself, by its own settings, every 10 minutes")
        return 0
    try:
        if embedded:
            await migrate(chosen.database_url)
        async with opened(chosen.database_url):
            ran = await make_pruner(chosen).run()
    except (OperationalError, DBConnectionError) as error:
        raise _unreadable(error) from error
    finally:
        lock.release()
    if ran is None:
        typer.echo("another process prunes this database just now, so nothing was done here")
        return 0
    totals, stuck = ran
    typer.echo(_told("removed", totals))
    return 1 if stuck else 0


async def show_what_would_go(chosen: Settings) -> int:
    """Print what `prune` would remove now, one job a line, and change nothing; the exit code."""
    if not chosen.retention.limited:
        typer.echo(_NOTHING_LIMITED)
        return 0
    totals = Totals()
    try:
        async with opened_read_only(chosen.database_url):
            async for victim in make_pruner(chosen).chosen():
                typer.echo(_line(victim))
                totals.add(victim)
    except (OperationalError, DBConnectionError) as error:
        raise _unreadable(error) from error
    typer.echo(_told("would remove", totals))
    return 0


def _unreadable(error: Exception) -> PlaycastError:
    advice = "if another version made it, run `playcast migrate` first"
    return PlaycastError(f"the database cannot be read ({error}); {advice}")


def _line(victim: Victim) -> str:
    what = " and ".join(name for name, goes in (("job", victim.job), ("log", victim.log)) if goes)
    return f"job {victim.job_id}: {what}, {victim.why}, {_counted(victim.size, 'byte')}"


def _told(verb: str, totals: Totals) -> str:
    if totals == Totals():
        return "nothing to remove"
    jobs, logs = _counted(totals.jobs, "job"), _counted(totals.logs, "log")
    return f"{verb} {jobs} and {logs}, {_counted(totals.size, 'byte')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
