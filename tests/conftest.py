"""Fixtures: an app on a fresh SQLite database, its API, and an ansible directory to add playbooks to."""

import asyncio
import functools
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from aiohttp.test_utils import TestClient, TestServer

from gql.schema import make_schema
from playcast import app
from playcast.settings import Settings, file_of, shipped_ansible_dir
from playcast.storage.database import migrate, opened
from runner.bus import LocalBus
from runner.recipes.book import RecipeBook
from runner.start.cold_start import Starter
from runner.start.warm_start import WarmStart
from tests.support import postgres
from tests.support.api import Api
from tests.support.launchers import MODE, LateWarmStart
from tests.support.sampling import MARKED_BY, SLOW, function_of, left_out, may_hold, slow_tests
from tests.support.sshd import PASSWORD, Sshd, make_key, require_sshd, start_sshd

# How long an example takes says something about the machine alone.
hypothesis.settings.register_profile(
    "unhurried",
    parent=hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("unhurried")

StartApp = Callable[..., Awaitable[Api]]
# It holds nothing of an app, and takes longer to make than the rest of one.
_schema = functools.cache(make_schema)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--sample WORD` leaves out most of what is slow."""
    parser.addoption("--sample", metavar="WORD", help="of the slow tests run a sample, drawn by this word")


def pytest_report_header(config: pytest.Config) -> str | None:
    """What is left out is said, and how it is repeated."""
    seed = config.getoption("sample")
    return seed and f"slow tests: a sample, that of --sample={seed}; tests/slow.toml lists them all"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files without any of the marked tests need not be imported, which takes longer than most of what they hold."""
    mark = {"postgres": "postgres", "not postgres and alone": "alone"}.get(config.getoption("markexpr"))
    passed_over = mark and collection_path.name.startswith("test_") and not may_hold(collection_path, mark)
    return True if passed_over else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """No marked test lies where it would not be looked for."""
    for mark in MARKED_BY:
        if item.get_closest_marker(mark) is not None and not may_hold(item.path, mark):
            raise pytest.UsageError(f"{item.path} holds a test marked {mark}, and none of the words {MARKED_BY[mark]}")


# After the marks of -m, so that each run of its own draws for itself.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let no test run alone without a word on why, and leave out what a sample does not hold."""
    for item in items:
        mark = item.get_closest_marker("alone")
        if mark is not None and not mark.args:
            raise pytest.UsageError(f'{item.nodeid} does not say why: @pytest.mark.alone("reason")')
    seed = config.getoption("sample")
    if seed:
        rest = left_out([item.nodeid for item in items], seed)
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in rest])
        items[:] = [item for item in items if item.nodeid not in rest]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A test that has become slow is named, that somebody may ask why."""
    took: dict[str, float] = defaultdict(float)
    for report in terminalreporter.stats.get("passed", []):
        took[report.nodeid] += report.duration
    slow = {node: seconds for node, seconds in took.items() if seconds > SLOW and function_of(node) not in slow_tests()}
    for node, seconds in sorted(slow.items(), key=lambda one: -one[1]):
        terminalreporter.write_line(f"slow, and not in tests/slow.toml: {seconds:.0f} s {node}")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's environment may help or hinder: this one would hide late output."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def ansible_dir(tmp_path: Path) -> Path:
    """A copy of the shipped ansible directory; a test may add playbooks."""
    copy = tmp_path / "ansible"
    # Another worker's ansible may be writing what it has compiled.
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(shipped_ansible_dir(), copy, symlinks=True, ignore=ignored)
    return copy


@pytest.fixture
def book(ansible_dir: Path) -> Iterator[RecipeBook]:
    """The recipes of that directory."""
    with closing(RecipeBook(ansible_dir)) as opened_book:
        yield opened_book


@pytest.fixture
def add_recipe(ansible_dir: Path) -> Callable[[str, str], None]:
    """Write a playbook into the allow-list."""

    def add(name: str, content: str) -> None:
        (ansible_dir / "playbooks" / f"{name}.yml").write_text(content)

    return add


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Path]:
    """The file that a job of the playbook SLOW waits for; no such job outlives a test that fails."""
    file = tmp_path / "go"
    yield file
    file.touch()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where the app under test keeps its data."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no rows: a copy of it takes a hundredth of the time of making one."""
    file = tmp_path_factory.mktemp("empty") / "playcast.sqlite3"
    # In a thread: this one may have a loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrate(f"sqlite://{file}")).result()
    return file


@pytest.fixture
async def start_app(
    data_dir: Path, ansible_dir: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StartApp]:
    """Start an app on a loopback port, with settings as given; all are stopped at the end.

    `launcher="warm"` has the real launcher, and waits until it works; `launcher="cold"` has none.
    """
    clients: list[TestClient[Any, Any]] = []

    async def start(**given: Any) -> Api:
        chosen = Settings(
            **{
                "data_dir": data_dir,
                "ansible_dir": ansible_dir,
                "slots": 4,
                "worker": "test",
                "launcher": MODE,
                **given,
            }
        )
        if not chosen.data_dir.exists() and chosen.embedded:
            chosen.data_dir.mkdir(mode=0o700)
            shutil.copy(empty_database, file_of(chosen.database_url))
        with monkeypatch.context() as patched:
            patched.setattr(app, "make_schema", _schema)
            if "launcher" not in given:
                patched.setattr(app, "WarmStart", LateWarmStart)
            client = TestClient(TestServer(app.make_app(chosen)))
        clients.append(client)
        await client.start_server()
        await _until_warm(client.app[app.ENGINE].starter)
        return Api(client, chosen.token)

    yield start
    for client in clients:
        await client.close()


async def _until_warm(starter: Starter) -> None:
    """Wait for the launcher, if there is to be one, until it works or has failed: else the first jobs start cold."""
    if isinstance(starter, WarmStart) and starter._opening is not None:
        await asyncio.wait([starter._opening], timeout=120)


@pytest.fixture
def buses(monkeypatch: pytest.MonkeyPatch) -> list[LocalBus]:
    """The buses of the apps that a test starts."""
    made: list[LocalBus] = []

    def make() -> LocalBus:
        made.append(LocalBus())
        return made[-1]

    monkeypatch.setattr("playcast.app.LocalBus", make)
    return made


@pytest.fixture
async def api(start_app: StartApp) -> Api:
    """The API of an app with default settings."""
    return await start_app()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL for all tests of this process; each takes a database of its own."""
    with postgres.started() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each kind without a row; the one in SQLite has no schema yet."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'data' / 'playcast.sqlite3'}"
    return await postgres.emptied_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def stored(database_url: str) -> AsyncIterator[None]:
    """The database of a server that does not run, of each kind."""
    await migrate(database_url)
    async with opened(database_url):
        yield


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that PASSWORD opens, and a key that nobody has."""
    require_sshd()
    _, public = make_key(tmp_path)
    with start_sshd(tmp_path, password=PASSWORD, authorized_key=public) as running:
        yield running
