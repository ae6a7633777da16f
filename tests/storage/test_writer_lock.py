"""One process writes an embedded database, whatever name leads another one to it."""

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from playcast.settings import load
from playcast.storage import database_file
from playcast.storage.database_file import PAGE_SIZE, DatabaseInUse, WriterLock, make_file
from tests.support.disk import bound, small_disk
from tests.support.serving import CHECKOUT, PLAYCAST, environment, serving

SEED = "servers:\n  - {name: late, host: localhost, user: root, credential: {local: true}}\n"
# The commands that write, and what each does where a server works on the database.
REFUSED = (["serve", "--port", "0"], ["serve", "--demo", "--port", "0"], ["migrate"], ["seed", "{seed}"])
NAMES = "{ servers { nodes { name } } }"


def other_file(link: Callable[[Path, Path], None]) -> Callable[[Path, Path], dict[str, str]]:
    """A second data directory whose database is a link to the first one's."""

    def make(data_dir: Path, other: Path) -> dict[str, str]:
        other.mkdir()
        link(data_dir / "playcast.sqlite3", other / "playcast.sqlite3")
        return {}

    return make


def other_name(data_dir: Path, other: Path) -> dict[str, str]:
    """The same directory, the file by a second name in it."""
    other.mkdir()
    os.link(data_dir / "playcast.sqlite3", data_dir / "second name.sqlite3")
    return {"database_url": f"sqlite://{data_dir}/second name.sqlite3"}


def chain(data_dir: Path, other: Path) -> dict[str, str]:
    """A link to a link, both relative."""
    other.mkdir()
    (data_dir / "first").symlink_to("playcast.sqlite3")
    (other / "playcast.sqlite3").symlink_to(os.path.relpath(data_dir / "first", other))
    return {}


def linked_directory(data_dir: Path, other: Path) -> dict[str, str]:
    """The whole directory by a link."""
    other.symlink_to(data_dir)
    return {}


ROUTES = {
    "symbolic link": other_file(lambda file, link: link.symlink_to(file)),
    "hard link": other_file(lambda file, link: link.hardlink_to(file)),
    "hard link beside it": other_name,
    "links in a row": chain,
    "linked directory": linked_directory,
}


def start(words: list[str], data_dir: Path, ansible_dir: Path, tmp_path: Path, **settings: str) -> tuple[int, str, str]:
    """One command to its end: (exit code, stdout, stderr)."""
    seed = tmp_path / "seed.yml"
    seed.write_text(SEED)
    done = subprocess.run(
        [*PLAYCAST, *(word.format(seed=seed) for word in words)],
        env=environment(data_dir, ansible_dir, **settings),
        cwd=CHECKOUT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("route", ROUTES)
async def test_no_second_writer_comes_in_by_another_name(
    data_dir: Path, ansible_dir: Path, tmp_path: Path, route: str
) -> None:
    other = tmp_path / "other"
    async with serving(data_dir, ansible_dir, launcher="cold") as server:
        await server.api.create_server()
        settings = ROUTES[route](data_dir, other)
        database = settings.get("database_url", f"sqlite://{other}/playcast.sqlite3").removeprefix("sqlite://")
        told = f"playcast: another Playcast already works on {database}: stop it first, or use its API\n"
        for words in REFUSED if route in {"symbolic link", "hard link"} else REFUSED[:1]:
            refused = await asyncio.to_thread(start, words, other, ansible_dir, tmp_path, **settings)
            assert refused == (2, "", told), words
        pruned = await asyncio.to_thread(start, ["prune"], other, ansible_dir, tmp_path, keep_jobs_days="1", **settings)
        assert pruned == (
            0,
            "a server works on this database: it prunes by itself, by its own settings, every 10 minutes\n",
            "",
        )
        # SQLite's own locks of the first are all there: it goes on writing, and nobody else can.
        assert [node["name"] for node in (await server.api.ask(NAMES))["servers"]["nodes"]] == ["here"]
        await server.api.create_server(name="second")
    code, _, said = await asyncio.to_thread(start, ["migrate"], other, ansible_dir, tmp_path, **settings)
    assert code == 0
    assert ("the database file has several names" in said, "names=2" in said) == ("hard" in route, "hard" in route)


async def test_no_second_writer_comes_in_by_a_bind_mount(data_dir: Path, ansible_dir: Path, tmp_path: Path) -> None:
    async with serving(data_dir, ansible_dir, launcher="cold") as server:
        other = tmp_path / "other"
        other.mkdir()
        with bound(data_dir / "playcast.sqlite3", other / "playcast.sqlite3"):
            for words in (REFUSED[0], REFUSED[3]):
                code, _, said = await asyncio.to_thread(start, words, other, ansible_dir, tmp_path)
                assert (code, said.startswith("playcast: another Playcast already works on")) == (2, True)
        await server.api.create_server()


def test_the_lock_holds_while_sqlite_opens_and_closes_the_file(tmp_path: Path) -> None:
    chosen = load({}, data_dir=tmp_path / "data")
    first = WriterLock(chosen)
    file = tmp_path / "data/playcast.sqlite3"
    sqlite3.connect(file).close()
    (tmp_path / "data/playcast.sqlite3.lock").rename(tmp_path / "gone")
    with pytest.raises(DatabaseInUse, match="another Playcast already works on"):
        WriterLock(chosen)
    first.release()
    again = WriterLock(chosen)
    with sqlite3.connect(file) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("CREATE TABLE t (i)")
    connection.close()
    again.release()


def test_a_database_is_made_by_its_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    make_file(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert choices(tmp_path / "there") == (2, PAGE_SIZE)


def choices(file: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(file)) as connection:
        (vacuum,) = connection.execute("PRAGMA auto_vacuum").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return vacuum, page_size


def test_a_database_of_no_bytes_gets_the_choices_of_a_new_one(tmp_path: Path) -> None:
    file = tmp_path / "playcast.sqlite3"
    file.touch()
    make_file(file)
    assert choices(file) == (2, PAGE_SIZE)


@pytest.mark.parametrize("size", ["4k", "8k", "12k"])
def test_on_a_full_disk_no_database_is_made(tmp_path: Path, size: str) -> None:
    with small_disk(tmp_path / "disk", size) as disk:
        (disk / "filler").write_bytes(bytes(4096))
        with pytest.raises((sqlite3.OperationalError, OSError)):
            make_file(disk / "playcast.sqlite3")
        assert [path.name for path in disk.iterdir()] == ["filler"]


def test_a_database_that_came_first_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes it while this one fills its draft."""
    file = tmp_path / "playcast.sqlite3"
    choose = database_file._choose

    def late(connection: sqlite3.Connection) -> None:
        choose(connection)
        file.write_bytes(b"of the other")

    monkeypatch.setattr(database_file, "_choose", late)
    make_file(file)
    assert file.read_bytes() == b"of the other"
    assert list(tmp_path.iterdir()) == [file]
