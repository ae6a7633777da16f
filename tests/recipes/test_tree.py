"""The files of the ansible directory: each is read once until it changes, and a change is seen at once."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.recipes import file_tree
from runner.recipes.book import RecipeBook
from runner.recipes.file_tree import FileTree

PARTS = ("playbooks", "roles")


@pytest.fixture(params=["told", "not told"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory, on a file system that tells of changes, and on one that does not."""
    if request.param == "not told":
        monkeypatch.setattr(file_tree, "_LOCAL", set())
    (tmp_path / "root/roles/one/tasks").mkdir(parents=True)
    (tmp_path / "root/roles/one/tasks/main.yml").write_text("a")
    (tmp_path / "root/playbooks").mkdir()
    (tmp_path / "root/playbooks/base.yml").write_text("b")
    (tmp_path / "root/other").mkdir()
    return tmp_path / "root"


@pytest.fixture
def files(root: Path) -> Iterator[FileTree]:
    with closing(FileTree(root, PARTS)) as opened:
        yield opened


def _noted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from now on."""
    read: list[str] = []
    real = file_tree._digest

    def digest(path: Path) -> bytes:
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(file_tree, "_digest", digest)
    return read


def test_every_change_is_found(files: FileTree, root: Path) -> None:
    assert files.look()
    assert not files.look()
    main = root / "roles/one/tasks/main.yml"

    def replace() -> None:
        (root / "draft").write_text("replaced")
        (root / "draft").replace(main)

    def relink() -> None:
        (root / "playbooks/link.yml").unlink()
        (root / "playbooks/link.yml").symlink_to("x")

    changes: dict[str, Callable[[], object]] = {
        "content": lambda: main.write_text("changed"),
        "a time": lambda: os.utime(main, ns=(1, 1)),
        "a rename over it": replace,
        "a new file": lambda: (root / "roles/one/tasks/more.yml").write_text("more"),
        "a new directory": lambda: (root / "roles/two/tasks").mkdir(parents=True),
        "a file in it": lambda: (root / "roles/two/tasks/main.yml").write_text("x"),
        "a change in it": lambda: (root / "roles/two/tasks/main.yml").write_text("y"),
        "a directory moved": lambda: (root / "roles/two").rename(root / "roles/three"),
        "a change below what moved": lambda: (root / "roles/three/tasks/main.yml").write_text("z"),
        "a link": lambda: (root / "playbooks/link.yml").symlink_to("base.yml"),
        "a link to elsewhere": relink,
        "a file removed": (root / "playbooks/base.yml").unlink,
        "a part removed": lambda: shutil.rmtree(root / "roles"),
        "a part made anew": lambda: (root / "roles/new").mkdir(parents=True),
        "a file in the new part": lambda: (root / "roles/new/x").write_text("x"),
    }
    for change, make in changes.items():
        make()
        assert (change, files.still()) == (change, False)
        changed = files.look()
        # A directory alone is no file.
        assert (change, changed) == (change, change not in {"a new directory", "a part made anew"})
        assert not files.look()
    assert files.files("roles") == ["roles/new/x"]
    assert files.files("playbooks") == ["playbooks/link.yml"]


def test_what_lies_beside_the_parts_does_not_count(files: FileTree, root: Path) -> None:
    files.look()
    (root / "other/file").write_text("x")
    (root / "beside").write_text("x")
    assert not files.look()


def test_only_what_changed_is_read_again(files: FileTree, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = _noted_reads(monkeypatch)

    def digests() -> list[bytes]:
        files.look()
        return [files.digest(path) for part in PARTS for path in files.files(part)]

    before = digests()
    assert digests() == before
    assert read == ["base.yml", "main.yml"]
    (root / "roles/one/tasks/main.yml").write_text("changed")
    after = digests()
    assert read == ["base.yml", "main.yml", "main.yml"]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_a_still_tree_is_not_looked_at(tmp_path: Path, root: Path, files: FileTree) -> None:
    assert not files.still()
    files.look()
    # Where the kernel does not tell, nobody can know.
    assert files.still() == bool(file_tree._LOCAL)
    files.close()
    assert not files.still()


def test_a_look_grows_old(files: FileTree, monkeypatch: pytest.MonkeyPatch) -> None:
    files.look()
    monkeypatch.setattr(file_tree, "RELOOK_SECONDS", 0.0)
    assert not files.still()


def test_without_watches_it_looks_each_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel grants a user so many."""

    class Libc:
        def inotify_init1(self, _flags: int) -> int:
            return -1

    monkeypatch.setattr(file_tree, "_libc", Libc())
    with closing(FileTree(root, PARTS)) as files:
        assert files.look()
        assert not files.still()
        (root / "playbooks/base.yml").write_text("changed")
        assert files.look()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with closing(FileTree(tmp_path / "later", PARTS)) as files:
        assert files.look()
        assert not files.look()
        (tmp_path / "later/roles").mkdir(parents=True)
        (tmp_path / "later/roles/x").write_text("x")
        assert not files.still()
        assert files.look()


async def test_the_book_reads_in_threads_and_once_for_many(
    book: RecipeBook, ansible_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    real = FileTree.look

    def look(self: FileTree) -> bool:
        nonlocal looks
        looks += 1
        # A thread of its own: on the loop there would be one running.
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return real(self)

    monkeypatch.setattr(FileTree, "look", look)
    assert [recipe.name for recipe in await book.all()] == ["base", "demo"]
    for _ in range(5):
        await book.all()
    assert looks == 1
    (ansible_dir / "playbooks/new.yml").write_text("- hosts: all\n")
    found = await asyncio.gather(*(book.find("new") for _ in range(20)))
    assert all(recipe is not None for recipe in found)
    # One look for the first, and one that all share who came after it had begun.
    assert looks == 3


async def test_a_file_that_a_job_leaves_in_the_tree_costs_that_file_alone(
    book: RecipeBook, ansible_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await book.allowed("base")).revision
    read = _noted_reads(monkeypatch)
    (ansible_dir / "roles/demo/files").mkdir()
    (ansible_dir / "roles/demo/files/password").write_text("made by a lookup")
    assert (await book.allowed("base")).revision != before
    assert read == ["password"]


async def test_a_caller_that_leaves_leaves_no_half_read_list(
    book: RecipeBook, ansible_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await book.all()
    begun, go_on = threading.Event(), threading.Event()
    real = FileTree.look

    def look(self: FileTree) -> bool:
        begun.set()
        go_on.wait(60)
        return real(self)

    monkeypatch.setattr(FileTree, "look", look)
    (ansible_dir / "playbooks/new.yml").write_text("- hosts: all\n")
    leaves = asyncio.create_task(book.all())
    await asyncio.to_thread(begun.wait, 60)
    leaves.cancel()
    stays = asyncio.create_task(book.find("new"))
    await asyncio.sleep(0)
    assert not stays.done()
    go_on.set()
    assert await stays is not None
    assert leaves.cancelled()
