"""Directories with any characters in their names: jobs run in them, or the start says which character is in the way."""

import os
import shutil
import string
import subprocess
from pathlib import Path

import pytest

from playcast.settings import file_of, load, shipped_ansible_dir
from tests.conftest import StartApp
from tests.support.serving import CHECKOUT, PLAYCAST, environment

# All that can be printed and is refused nowhere, and some that look like syntax to somebody.
WORKS = [
    "a" + "".join(sorted(set(string.punctuation) - set("/,$"))) + "b",
    " lead",
    "~",
    "~root",
    "-x",
    "#x",
    "{{ x }}",
    "%41%",
    "é ü",
]
COMMA = "has a comma, at which ansible takes it for a list of hosts"
DOLLAR = "has a dollar sign, which ansible takes for the start of a variable"
BYTES = "has bytes that are not UTF-8, which neither the database nor the API can hold"
BREAKS = "which would break lines of logs and of ansible's files"
SEED = "servers:\n  - {name: late, host: localhost, user: root, credential: {local: true}}\n"


@pytest.mark.parametrize("name", WORKS)
async def test_jobs_run_below_any_name(start_app: StartApp, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    shutil.copytree(
        shipped_ansible_dir(), place / "ansible", symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    api = await start_app(data_dir=place / "data", ansible_dir=place / "ansible")
    job = await api.finished((await api.run("base", await api.create_server()))["id"])
    assert (job["status"], job["message"]) == ("SUCCESS", None)
    assert sorted(path.name for path in (place / "data").iterdir() if "sqlite3" in path.name) == [
        "playcast.sqlite3",
        "playcast.sqlite3-shm",
        "playcast.sqlite3-wal",
        "playcast.sqlite3.lock",
    ]
    assert [path.name for path in tmp_path.iterdir() if path.name not in {name, "ansible"}] == []


@pytest.mark.parametrize("name", [*WORKS, "100%", "a?b=c", "%3F", "%25"])
def test_the_database_of_a_directory_is_in_it(tmp_path: Path, name: str) -> None:
    chosen = load({}, data_dir=tmp_path / name)
    assert file_of(chosen.database_url) == tmp_path / name / "playcast.sqlite3"


def start(words: list[str], **settings: str) -> tuple[int, str, str]:
    """One command that is to be refused; os.environ's way of bytes that are not UTF-8 goes through."""
    ansible_dir = Path(settings.pop("ansible_dir", str(CHECKOUT / "ansible")))
    env = environment(Path(settings.pop("data_dir")), ansible_dir, keep_jobs_days="1", **settings)
    done = subprocess.run([*PLAYCAST, *words], env=env, cwd=CHECKOUT, check=False, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("setting", "name", "why"),
    [
        ("data_dir", "a,b", COMMA),
        ("data_dir", "$HOME", DOLLAR),
        ("data_dir", "a\nb", f"has the character '\\n', {BREAKS}"),
        ("data_dir", "a\tb", f"has the character '\\t', {BREAKS}"),
        ("data_dir", "a\x1bb", f"has the character '\\x1b', {BREAKS}"),
        ("data_dir", "a\u202eb", f"has the character '\\u202e', {BREAKS}"),
        ("data_dir", "a\u2028b", f"has the character '\\u2028', {BREAKS}"),
        ("data_dir", os.fsdecode(b"a\xffb"), BYTES),
        ("jobs_dir", ",", COMMA),
        ("jobs_dir", "a$", DOLLAR),
        ("jobs_dir", "\r", f"has the character '\\r', {BREAKS}"),
        ("jobs_dir", os.fsdecode(b"caf\xe9"), BYTES),
        ("ansible_dir", "a, b", COMMA),
        ("ansible_dir", "${x}", DOLLAR),
        ("ansible_dir", "x\x7f", f"has the character '\\x7f', {BREAKS}"),
        ("keys_dir", os.fsdecode(b"\xc3"), BYTES),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(tmp_path: Path, setting: str, name: str, why: str) -> None:
    path = tmp_path / name
    settings = {"data_dir": str(tmp_path / "data"), setting: str(path)}
    shown = repr(str(path) + ("/jobs" if setting == "data_dir" and why in {COMMA, DOLLAR} else ""))[1:-1]
    code, said, told = start(["serve", "--port", "0"], **settings)
    expected = f'playcast: PLAYCAST_{setting.upper()}: the path "{shown}" {why}: name a path without that\n'
    assert (code, said, told) == (2, "", expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["migrate"], ["prune"], ["prune", "--dry-run"], ["seed", "{seed}"], ["worker"]])
def test_every_command_that_opens_the_database_refuses_it(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "seed.yml").write_text(SEED)
    given = [word.format(seed=tmp_path / "seed.yml") for word in words]
    shared = {"database_url": "postgres://x@127.0.0.1:9/x"} if words == ["worker"] else {}
    code, said, told = start(given, data_dir=str(tmp_path / "a,b"), **shared)
    expected = f'playcast: PLAYCAST_DATA_DIR: the path "{tmp_path}/a,b/jobs" {COMMA}: name a path without that\n'
    assert (code, said, told) == (2, "", expected)
    assert [path.name for path in tmp_path.iterdir()] == ["seed.yml"]


def test_a_database_by_a_url_is_held_to_the_same(tmp_path: Path) -> None:
    code, _, told = start(["migrate"], data_dir=str(tmp_path / "data"), database_url=f"sqlite://{tmp_path}/a%0Ab")
    why = f"has the character '\\n', {BREAKS}"
    expected = f'playcast: PLAYCAST_DATABASE_URL: the path "{tmp_path}/a\\nb" {why}: name a path without that\n'
    assert (code, told) == (2, expected)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_only_calls_a_server_takes_any_directory(tmp_path: Path) -> None:
    code, _, told = start(["run", "base", "x"], data_dir=str(tmp_path / "a,b"), url="http://127.0.0.1:9")
    assert (code, told.startswith("playcast: there is no Playcast at http://127.0.0.1:9")) == (2, True)
