"""The command `playcast`. Every error is one clear line."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from gql.schema import make_schema
from playcast import __version__, settings
from playcast.app import make_engine
from playcast.commands.client import Client
from playcast.commands.demo import seed_if_empty, show_demo
from playcast.commands.follow import follow
from playcast.commands.prune import prune, show_what_would_go
from playcast.commands.seed import read_seed, seed
from playcast.server import serve, set_up_logging
from playcast.setting_texts import in_one_line
from playcast.settings import Settings
from playcast.storage.database import migrate, opened
from playcast.storage.database_file import WriterLock
from playcast.worker import work
from runner.errors import PlaycastError
from runner.programs.core_dumps import forbid_core_dumps
from runner.verbs.read_log import parse_cursor

T = TypeVar("T")

app = typer.Typer(
    help="Run Ansible playbooks for an application and show them live.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_PRUNED = "query Pruned($id: ID!) { job(id: $id) { number logPrunedAt } }"

Recipe = Annotated[str, typer.Argument(help="Name of the recipe, such as base.")]
Servers = Annotated[list[str], typer.Argument(help="Names or numbers of servers.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Print the log to the end of the job.")]


def main() -> NoReturn:
    """Run the command line."""
    forbid_core_dumps()
    try:
        app(standalone_mode=True)
    except PlaycastError as error:
        typer.echo(f"playcast: {in_one_line(str(error))}", err=True)
        sys.exit(2)
    sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"playcast {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 (its callback does the work)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    set_up_logging()
    for name in settings.unknown_names(os.environ):
        typer.echo(f"playcast: warning: {in_one_line(name)} is not a setting; docs/settings.md lists them", err=True)


def _run(work: Coroutine[Any, Any, int]) -> NoReturn:
    raise typer.Exit(asyncio.run(work))


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to listen on.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="On an empty database: run a first job here.")] = False,
) -> None:
    """Serve the API and run jobs."""
    _run(_serve(settings.load(host=host, port=port), demo=demo))


async def _serve(chosen: Settings, *, demo: bool) -> int:
    if not demo:
        await serve(chosen)
        return 0
    empty = await _with_database(chosen, lambda: seed_if_empty(make_engine(chosen)))
    await serve(chosen, lambda address: show_demo(chosen, address, empty=empty))
    return 0


@app.command("worker")
def worker_command(
    slots: Annotated[int | None, typer.Option(help="Jobs that run at the same time.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of this worker.")] = None,
) -> None:
    """Run jobs of a PostgreSQL database that servers share."""
    _run(_work(settings.load(slots=slots, worker=name)))


async def _work(chosen: Settings) -> int:
    await work(chosen)
    return 0


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    _run(_migrate(settings.load()))


async def _migrate(chosen: Settings) -> int:
    chosen.check_paths()
    lock = WriterLock(chosen)
    try:
        steps = await migrate(chosen.database_url)
    finally:
        lock.release()
    typer.echo("\n".join(f"applied {step}" for step in steps) or "nothing to do: the database is up to date")
    return 0


@app.command("seed")
def seed_command(file: Annotated[Path, typer.Argument(help="YAML file of servers.")]) -> None:
    """Create or update servers from a YAML file."""
    _run(_seed(settings.load(), file))


async def _seed(chosen: Settings, file: Path) -> int:
    servers = read_seed(file)
    created, updated = await _with_database(chosen, lambda: seed(make_engine(chosen), servers))
    typer.echo(f"{created} created, {updated} updated")
    return 0


async def _with_database(chosen: Settings, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    chosen.check_paths()
    lock = WriterLock(chosen)
    try:
        await migrate(chosen.database_url)
        async with opened(chosen.database_url):
            return await work()
    finally:
        lock.release()


@app.command("schema")
def schema_command() -> None:
    """Print the GraphQL schema."""
    typer.echo(make_schema().as_str())


@app.command("run")
def run_command(
    recipe: Recipe,
    servers: Servers,
    follow_log: Follow = False,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, only say what would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show changes to files.")] = False,
) -> None:
    """Run a recipe on servers, through the API; with --follow the exit code is the job's."""
    _run(_start(settings.load(), recipe, servers, follow_log=follow_log, check=check, diff=diff))


async def _start(chosen: Settings, recipe: str, servers: list[str], *, follow_log: bool, **options: bool) -> int:
    async with Client(chosen.url, chosen.token) as client:
        ids = [await client.server_id(server) for server in servers]
        job = await client.run(recipe, ids, **options)
        typer.echo(f"job {job['number']}", err=follow_log)
        return await follow(client, job["id"]) if follow_log else 0


@app.command("logs")
def logs_command(
    job: Annotated[str, typer.Argument(help="Number or id of the job.")],
    follow_log: Follow = False,
    after: Annotated[str | None, typer.Option(help="Cursor to start after.")] = None,
) -> None:
    """Print a job's log; with --follow to its end, and the exit code is the job's."""
    parse_cursor(after)
    _run(_logs(settings.load(), job, after, follow_log=follow_log))


async def _logs(chosen: Settings, job: str, after: str | None, *, follow_log: bool) -> int:
    async with Client(chosen.url, chosen.token) as client:
        found = (await client.ask(_PRUNED, id=job))["job"]
        if found is not None and found["logPrunedAt"] is not None:
            typer.echo(f"the log of job {found['number']} was removed at {found['logPrunedAt']}", err=True)
        if follow_log:
            return await follow(client, job, after)
        async for text in client.log_so_far(job, after):
            sys.stdout.write(text)
        # Here, where a reader that has gone (`| head`) ends the command quietly, and not at the interpreter's end.
        sys.stdout.flush()
        return 0


@app.command("prune")
def prune_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only say what would go.")] = False,
) -> None:
    """Remove what the PLAYCAST_KEEP settings no longer keep; a running server does this by itself."""
    chosen = settings.load()
    chosen.check_paths()
    _run(show_what_would_go(chosen) if dry_run else prune(chosen))
