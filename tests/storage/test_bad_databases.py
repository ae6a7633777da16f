"""A database or data directory that cannot be used ends each command with one line, and is left as it is."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from playcast.storage.database_file import make_file
from tests.support.disk import bound, mount
from tests.support.limits import UNPRIVILEGED
from tests.support.serving import CHECKOUT, PLAYCAST, environment

KEY = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlLi4="
SEED = "servers:\n  - {name: late, host: localhost, user: root, credential: {local: true}}\n"
COMMANDS = [["serve", "--port", "0"], ["migrate"], ["seed", "{seed}"], ["prune"], ["prune", "--dry-run"]]
BACKUP = "put it back from your backup, or name another in PLAYCAST_DATA_DIR or PLAYCAST_DATABASE_URL"
DENIED = f"permission denied: give this account (uid {os.geteuid()}) access to it"


def run(
    words: list[str], data_dir: Path, tmp_path: Path, account: Sequence[str] = UNPRIVILEGED, **settings: str
) -> tuple[int, str, str]:
    """One command to its end, held to owner and mode: (exit code, stdout, stderr)."""
    seed = tmp_path / "seed.yml"
    seed.write_text(SEED)
    env = environment(data_dir, CHECKOUT / "ansible", keep_jobs_days="1", secret_key=KEY, **settings)
    command = [*account, *PLAYCAST, *(word.format(seed=seed) for word in words)]
    done = subprocess.run(command, env=env, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def good(data_dir: Path) -> Path:
    """A data directory with a database that has no table yet, but a row of its own."""
    file = data_dir / "playcast.sqlite3"
    make_file(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (text)")
        connection.executemany("INSERT INTO other VALUES (?)", [("x" * 5000,)] * 20)
        connection.commit()
    return file


def noise(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "playcast.sqlite3").write_bytes(b"no database " * 4000)


def cut(data_dir: Path) -> None:
    os.truncate(good(data_dir), 20000)


def damaged(data_dir: Path) -> None:
    """Its first page is well, as far as the version; the table of tables is not."""
    with good(data_dir).open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)


def directory(data_dir: Path) -> None:
    (data_dir / "playcast.sqlite3").mkdir(parents=True)


def in_its_place(data_dir: Path) -> None:
    data_dir.write_text("a file")


def unreadable(data_dir: Path) -> None:
    good(data_dir)
    data_dir.chmod(0)


def unreadable_file(data_dir: Path) -> None:
    good(data_dir).chmod(0)


def read_only_file(data_dir: Path) -> None:
    good(data_dir).chmod(0o400)


def read_only_directory(data_dir: Path) -> None:
    good(data_dir)
    data_dir.chmod(0o500)


DAMAGED = f"cannot be used: it is damaged: {BACKUP}"
NO_PLACE = "{dir}: something that is not a directory is in its place: move that away, or name another path"
IS_DIRECTORY = "the database {file} cannot be opened: {file}: it is a directory: a file is needed there"
UNOPENED = f"it cannot be opened: give this account (uid {os.geteuid()}) access to it and to its directory"
ABSENT = "there is no database at {file}; PLAYCAST_DATA_DIR or PLAYCAST_DATABASE_URL names another"


# What is told to the commands that write, and to `prune` and `prune --dry-run` where that differs.
@pytest.mark.parametrize(
    ("make", "told", "pruned", "shown"),
    [
        (noise, f"the database {{file}} cannot be used: it is damaged, or no SQLite database: {BACKUP}", None, None),
        (cut, f"the database {{file}} {DAMAGED}", None, None),
        (damaged, f"the database {{file}} {DAMAGED}", None, None),
        (
            directory,
            IS_DIRECTORY,
            ABSENT,
            ABSENT,
        ),
        (in_its_place, f"the database {{file}} cannot be opened: {NO_PLACE}", ABSENT, ABSENT),
        (
            unreadable,
            f"the database {{file}} cannot be opened: {{file}}.lock: {DENIED}",
            f"the database {{file}} cannot be opened: {{file}}: {DENIED}",
            f"the database {{file}} cannot be opened: {{file}}: {DENIED}",
        ),
        (
            unreadable_file,
            f"the database {{file}} cannot be opened: {{file}}: {DENIED}",
            None,
            f"the database {{file}} cannot be used: {UNOPENED}",
        ),
        (read_only_directory, f"the database {{file}} cannot be opened: {{file}}.lock: {DENIED}", None, "ok"),
        (read_only_file, f"the database {{file}} cannot be opened: {{file}}: {DENIED}", None, "ok"),
    ],
)
def test_each_command_says_it_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], told: str, pruned: str | None, shown: str | None
) -> None:
    data_dir = tmp_path / "data"
    make(data_dir)
    file = data_dir / "playcast.sqlite3"
    before = file.read_bytes() if file.is_file() else None
    try:
        for words in COMMANDS:
            expected = {"prune": pruned, "prune --dry-run": shown}.get(" ".join(words)) or told
            if expected == "ok":
                # It has no table of jobs, which says that it could be read.
                expected = "the database cannot be read (no such table: provision_job); "
                expected += "if another version made it, run `playcast migrate` first"
            line = f"playcast: {expected.format(file=file, dir=data_dir)}\n"
            assert run(words, data_dir, tmp_path) == (2, "", line), words
    finally:
        if data_dir.is_dir():
            data_dir.chmod(0o700)
    assert (file.read_bytes() if file.is_file() else None) == before


def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    file = good(data_dir)
    with bound(data_dir, data_dir):
        mount(["-o", "remount,bind,ro", str(data_dir)])
        for words in COMMANDS[:4]:
            code, said, told = run(words, data_dir, tmp_path)
            place = f"{file}.lock: the file system is read-only: mount it writable"
            expected = f"playcast: the database {file} cannot be opened: {place}\n"
            assert (code, said, told) == (2, "", expected)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgres://x@127.0.0.1:9/x", "[Errno 111] Connect call failed ('127.0.0.1', 9)"),
        ("postgres://x@127.0.0.1:99999/x", None),
        ("postgres://x:secret@[::1/x", None),
        ("postgres://x:secret@h:port/x", None),
    ],
)
def test_a_postgres_that_cannot_be_reached_is_one_line(tmp_path: Path, url: str, told: str | None) -> None:
    unreadable_url = (
        "the URL cannot be read: write postgres://user:password@host:port/name, with %40 for an @ in a password"
    )
    for words in (["serve", "--port", "0"], ["worker"], ["migrate"], ["prune", "--dry-run"]):
        code, said, line = run(words, tmp_path / "data", tmp_path, database_url=url)
        expected = f"playcast: PLAYCAST_DATABASE_URL: the database cannot be reached: {told or unreadable_url}\n"
        assert (code, said, line) == (2, "", expected), words


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda url: re.sub(r"/postgres(?=\?|$)", "/nowhere", url), 'database "nowhere" does not exist'),
        (lambda url: url.replace("//postgres", "//nobody", 1), 'role "nobody" does not exist'),
    ],
)
def test_what_postgres_refuses_is_one_line(
    tmp_path: Path, postgres_url: str, change: Callable[[str], str], told: str
) -> None:
    for words in (["serve", "--port", "0"], ["worker"], ["migrate"], ["prune", "--dry-run"]):
        code, said, line = run(words, tmp_path / "data", tmp_path, (), database_url=change(postgres_url))
        # A dry run does not migrate, and hears of it from Tortoise.
        of_tortoise = words[0] == "prune" and "nowhere" in told
        why = "Can't establish connection to database nowhere" if of_tortoise else told
        expected = f"playcast: PLAYCAST_DATABASE_URL: the database cannot be reached: {why}\n"
        assert (code, said, line) == (2, "", expected)


def test_nothing_is_made_where_nothing_can_be(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    code, _, told = run(["migrate"], tmp_path / "closed" / "data", tmp_path)
    place = tmp_path / "closed/data"
    assert (code, told) == (2, f"playcast: the database {place}/playcast.sqlite3 cannot be opened: {place}: {DENIED}\n")
    assert list((tmp_path / "closed").iterdir()) == []
    shutil.rmtree(tmp_path / "closed")
