"""The file of the secret key: it is there as a whole or not at all, and what is stored is never read with another."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.fernet import Fernet

from runner.errors import PlaycastError
from runner.secrets import vault
from runner.secrets.vault import Vault, key_from_file
from tests.support.disk import small_disk
from tests.support.serving import CHECKOUT, PLAYCAST, environment, serving

KEY = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlLi4="
ADVICE = "put it back from your backup, or delete it if nothing is stored yet"


def start(data_dir: Path, ansible_dir: Path) -> tuple[int, str, str]:
    """`playcast serve` where it must not come up."""
    env = environment(data_dir, ansible_dir, launcher="cold")
    words = [*PLAYCAST, "serve", "--port", "0"]
    done = subprocess.run(words, env=env, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "data/secret.key"
    key = key_from_file(path)
    assert Vault(key).unlock(Vault(key).lock({"a": 1})) == {"a": 1}
    assert (key_from_file(path), path.read_text()) == (key, key + "\n")
    assert (path.stat().st_mode & 0o7777, path.parent.stat().st_mode & 0o7777) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


async def test_after_a_first_start_on_a_full_disk_the_next_one_works(tmp_path: Path, ansible_dir: Path) -> None:
    with small_disk(tmp_path / "data", "1m") as disk:
        filler = disk / "filler"
        filler.write_bytes(bytes(1024 * 1024))
        code, said, told = await asyncio.to_thread(start, disk, ansible_dir)
        assert (code, said) == (2, "")
        assert told == f"playcast: the secret key {disk}/secret.key cannot be read or made: {FULL}\n"
        assert list(disk.iterdir()) == [filler]
        filler.unlink()
    with small_disk(tmp_path / "second", "16m") as disk:
        async with serving(disk, ansible_dir, launcher="cold") as server:
            await server.api.create_server()


FULL = "the disk is full: make room on it"


@pytest.mark.parametrize("most", [0, 1, 44])
def test_no_part_of_a_key_stays_behind(tmp_path: Path, most: int) -> None:
    """The key has 44 characters and a line end; a file may have only so many bytes."""
    program = (
        "import resource, sys, pathlib; from runner.secrets.vault import key_from_file\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))\n"
        "try: key_from_file(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(error)"
    )
    path = tmp_path / "data/secret.key"
    words = [sys.executable, "-B", "-c", program, str(path)]
    done = subprocess.run(words, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    told = "the file may not grow any further: raise the limit (`ulimit -f`, or LimitFSIZE of the service)"
    assert done.stdout == f"the secret key {path} cannot be read or made: {told}\n"
    assert list(path.parent.iterdir()) == []
    assert key_from_file(path) + "\n" == path.read_text()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\n", "is empty"),
        (KEY[:20].encode(), "holds no whole key"),
        (KEY[:43].encode(), "holds no whole key"),
        (bytes(45), "holds no whole key"),
        (b"\xff\xfe" * 20, "holds no whole key"),
    ],
)
def test_a_file_without_a_whole_key_stops_the_start(
    data_dir: Path, ansible_dir: Path, content: bytes, told: str
) -> None:
    data_dir.mkdir()
    (data_dir / "secret.key").write_bytes(content)
    expected = f"playcast: the secret key {data_dir}/secret.key {told}: {ADVICE}\n"
    assert start(data_dir, ansible_dir) == (2, "", expected)
    assert (data_dir / "secret.key").read_bytes() == content
    assert [path.name for path in data_dir.iterdir()] == ["secret.key"]


def test_a_directory_in_the_place_of_the_key_stops_the_start(data_dir: Path, ansible_dir: Path) -> None:
    (data_dir / "secret.key").mkdir(parents=True)
    code, said, told = start(data_dir, ansible_dir)
    assert (code, said) == (2, "")
    assert told.endswith("secret.key: it is a directory: a file is needed there\n")
    assert told.count("\n") == 1


def test_all_that_start_at_the_same_time_have_the_same_key(tmp_path: Path) -> None:
    for number in range(20):
        path, together = tmp_path / str(number) / "secret.key", Barrier(8)

        def make(path: Path = path, together: Barrier = together) -> str:
            together.wait()
            return key_from_file(path)

        with ThreadPoolExecutor(8) as pool:
            keys = {made.result() for made in [pool.submit(make) for _ in range(8)]}
        assert keys == {path.read_text().strip()}
        assert list(path.parent.iterdir()) == [path]


def test_a_key_that_comes_while_one_is_made_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.key"

    class Late:
        """Makes a key, while another process puts its own there."""

        @staticmethod
        def generate_key() -> bytes:
            path.write_text(KEY)
            return Fernet.generate_key()

        def __call__(self, key: str) -> Fernet:
            return Fernet(key)

    monkeypatch.setattr(vault, "Fernet", Late())
    assert (key_from_file(path), path.read_text()) == (KEY, KEY)


def test_a_link_to_nowhere_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.symlink_to(tmp_path / "away" / "secret.key")
    with pytest.raises(PlaycastError, match=r"secret\.key: it does not exist: make it, or name another$"):
        key_from_file(path)
    assert list(tmp_path.iterdir()) == [path]
