"""The store of facts: what it gives, to whom and how long, and what it takes from a job's directory."""

import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from models import ProvisionJob, Server, ServerAuthKind
from runner.errors import PlaycastError
from runner.job_dir import JobDir
from runner.recipes.book import Recipe
from runner.recipes.description import MAX_FACT_CACHE_SECONDS, Sidecar, read_sidecar
from runner.secrets.credentials import Login
from runner.secrets.vault import Vault
from runner.start import fact_cache as module
from runner.start.fact_cache import Facts
from runner.start.inventory import Target

PASSWORD = "right-7f3a"
KEY = "5wcVNhHBzoVnT1GH1kzuT_XVxgvOEmBOQOjIUvIJx8Q="
NOW = datetime.now(UTC)
SERVER = {
    "id": 1,
    "created_at": NOW,
    "host": "a.example",
    "port": 22,
    "user": "deploy",
    "auth": ServerAuthKind.PASSWORD,
    "variables": {"a": 1},
    "host_key": "ssh-ed25519 AAAA",
    "strict_host_key": True,
}
RECIPE = Recipe("tell", None, "1", Sidecar(fact_cache=600), Path("tell.yml"))


class Kept:
    """A store without a server: `give` is what a job gets, `leave` and `take` what becomes of what it leaves."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "facts"
        self.config = tmp_path / "ansible.cfg"
        self.config.write_text("[defaults]\n")
        self.facts = Facts(Vault(KEY), self.folder, tmp_path)
        self.job = ProvisionJob(id=1, created_at=NOW, check_mode=False)
        self.dir = JobDir(tmp_path / "jobs", 1)
        self.dir.make()

    def give(self, target: Target | None = None, recipe: Recipe = RECIPE) -> dict[str, Any]:
        offer = self.facts.offer(self.job, recipe, [target or target_of()], self.dir)
        given: dict[str, Any] = json.loads(offer)["hosts"]["srv-1"]
        return given

    def leave(self, facts: str = "{}", since: float | None = None, key: str | None = None) -> None:
        plain = f"{time.time() if since is None else since} {facts}".encode()
        token = Fernet(key or self.give()["key"]).encrypt(plain)
        self.dir.facts.write_bytes(b"srv-1 %b\n" % token)

    def take(self, target: Target | None = None, well: Sequence[str] = ("srv-1",)) -> list[str]:
        """The files of the store afterwards."""
        self.facts.take(self.job, RECIPE, [target or target_of()], self.dir, well)
        return sorted(path.name for path in self.folder.glob("*/*"))


def target_of(login: str = PASSWORD, tags: Sequence[str] = ("web",), **changed: Any) -> Target:
    return Target(Server(**{**SERVER, **changed}), Login(password=login), tags)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    store = Kept(tmp_path)
    store.leave('{"a": "\\u00e9"}', 1000.5 + (since := float(int(time.time()) - 2000)))
    assert store.take() == ["srv-1"]
    assert (store.folder / "tell/srv-1").stat().st_mtime == since + 1000.5
    return store


def known(store: Kept, target: Target | None = None, recipe: Recipe = RECIPE) -> bool:
    return "facts" in store.give(target, recipe)


LONGER = replace(RECIPE, sidecar=Sidecar(fact_cache=1200))


def test_what_was_left_is_given_as_long_as_it_is_young(kept: Kept) -> None:
    given = kept.give(recipe=LONGER)
    assert given["facts"] == '{"a": "\\u00e9"}'
    assert 999 < time.time() - given["since"] < 1100
    # It has stood for a thousand seconds, and this recipe keeps it for 600.
    assert not known(kept)


@pytest.mark.parametrize(
    "changed",
    [
        {"created_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"host": "b.example"},
        {"port": 23},
        {"user": "root"},
        {"login": "another"},
        {"auth": ServerAuthKind.SSH_KEY},
        {"auth": ServerAuthKind.LOCAL},
        {"variables": {"a": True}},
        {"variables": {"a": 1, "ansible_python_interpreter": "/usr/bin/python3"}},
        {"tags": ()},
        {"host_key": "ssh-ed25519 BBBB"},
        {"host_key": None},
        {"strict_host_key": False},
    ],
    ids=lambda changed: "-".join(map(str, changed)),
)
def test_facts_are_of_one_machine_seen_in_one_way(kept: Kept, changed: dict[str, Any]) -> None:
    assert known(kept, recipe=LONGER)
    assert not known(kept, target_of(**changed), LONGER)
    assert known(kept, recipe=LONGER)


def test_facts_are_of_one_recipe(kept: Kept, tmp_path: Path) -> None:
    assert known(kept, recipe=LONGER)
    assert not known(kept, recipe=replace(LONGER, revision="2"))
    # Even where somebody moves the files.
    (kept.folder / "tell").rename(kept.folder / "other")
    assert not known(kept, recipe=replace(LONGER, name="other"))
    (kept.folder / "other").rename(kept.folder / "tell")
    kept.config.write_text("[defaults]\ngather_subset = min\n")
    assert not known(kept, recipe=LONGER)


def test_facts_are_of_those_with_the_same_secrets(kept: Kept) -> None:
    """A recipe may log in with them; who cannot gets no facts."""
    vault = Vault(KEY)
    kept.job.secret_vars = vault.lock({"word": "right"})
    assert not known(kept, recipe=LONGER)
    kept.leave()
    assert kept.take() == ["srv-1"]
    assert known(kept)
    for word, there in (("guessed", False), ("right", True)):
        kept.job.secret_vars = vault.lock({"word": word})
        assert known(kept) is there
    # What is no secret is no part of it.
    kept.job.extra_vars = {"release": "2"}
    assert known(kept)


def test_facts_of_another_container_are_not_ours(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    here = target_of(auth=ServerAuthKind.LOCAL, host_key=None)
    kept.leave(key=kept.give(here)["key"])
    assert kept.take(here) == ["srv-1"]
    assert known(kept, here)
    monkeypatch.setattr(module, "os", SimpleNamespace(**{**vars(os), "uname": lambda: SimpleNamespace(nodename="b")}))
    assert not known(kept, here)


def test_a_first_contact_brings_the_host_key_with_it(tmp_path: Path) -> None:
    store = Kept(tmp_path)
    store.leave(key=store.give(target_of(host_key=None))["key"])
    assert store.take(target_of(host_key="learned")) == ["srv-1"]
    assert [known(store, target_of(host_key=key)) for key in ("learned", "other", None)] == [True, False, False]


@pytest.mark.parametrize("changed", [{"host": "b.example"}, {"login": "new"}, {"host_key": None}], ids=str)
def test_a_server_that_changed_meanwhile_keeps_nothing(kept: Kept, changed: dict[str, Any]) -> None:
    kept.leave()
    assert kept.take(target_of(**changed)) == []


def test_a_host_that_is_not_well_is_forgotten(kept: Kept) -> None:
    assert kept.take(well=[]) == []
    kept.leave()
    assert kept.take(well=["srv-2"]) == []


def test_a_job_that_left_nothing_changes_nothing(kept: Kept) -> None:
    assert kept.take() == ["srv-1"]
    assert known(kept, recipe=LONGER)


def test_what_another_job_left_is_not_taken(kept: Kept) -> None:
    kept.leave()
    kept.job.id = 2
    assert kept.take() == []


@pytest.mark.parametrize("since", [4e9, -1.0, float("nan"), float("inf")])
def test_a_time_that_cannot_be_is_not_taken(kept: Kept, since: float) -> None:
    kept.leave(since=since)
    assert kept.take() == []


HOSTILE = {
    "link": "ln -s {store}/srv-1 {file}",
    "link to nothing": "ln -s {store}/none {file}",
    "directory": "mkdir {file}",
    "pipe": "mkfifo {file}",
    "garbage": "printf 'srv-1 xyz\\n' > {file}",
    "huge": "{{ printf 'srv-1 '; head -c 3000000 /dev/zero; }} > {file}",
    "of somebody else": "printf '../../x ' > {file}; cat {store}/srv-1 >> {file}",
    "stolen": "printf 'srv-1 ' > {file}; cat {store}/srv-1 >> {file}",
    "forgotten": "printf 'srv-1 \\n' > {file}",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_file_of_ours_forgets_the_facts(kept: Kept, what: str) -> None:
    command = HOSTILE[what].format(store=kept.folder / "tell", file=kept.dir.facts)
    subprocess.run(["sh", "-euc", command], check=True)
    assert os.path.lexists(kept.dir.facts)
    assert kept.take() == []
    assert sorted(path.name for path in kept.folder.parent.iterdir()) == ["ansible.cfg", "facts", "jobs"]


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff\x00"])
def test_a_broken_file_of_the_store_is_none(kept: Kept, content: bytes) -> None:
    (kept.folder / "tell/srv-1").write_bytes(content)
    assert not known(kept, recipe=LONGER)
    kept.leave()
    assert kept.take() == ["srv-1"]
    assert known(kept)


def test_a_check_leaves_the_facts_as_they_are(kept: Kept) -> None:
    kept.job.check_mode = True
    kept.leave()
    assert kept.take() == ["srv-1"]
    assert (known(kept), known(kept, recipe=LONGER)) == (False, True)
    assert kept.take(well=[]) == []


def test_all_facts_of_a_job_are_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len('{"a": "\\u00e9"}')
    for room, there in ((size, True), (size - 1, False)):
        monkeypatch.setattr(module, "MOST_AT_ONCE", room)
        assert known(kept, recipe=LONGER) is there


SECONDS = f"fact_cache is a whole number of seconds from 1 to {MAX_FACT_CACHE_SECONDS}"


@pytest.mark.parametrize("value", ["0", "-1", "true", "1.5", "'60'", "[60]", str(MAX_FACT_CACHE_SECONDS + 1)])
def test_a_time_that_does_not_fit_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "base.yml"
    path.write_text(f"fact_cache: {value}\n")
    with pytest.raises(PlaycastError, match=re.escape(f"{path} does not describe a recipe: {SECONDS}")):
        read_sidecar(path)


@pytest.mark.parametrize(("said", "seconds"), [("1", 1), (str(MAX_FACT_CACHE_SECONDS), 86400), ("", None)])
def test_a_time_that_fits(tmp_path: Path, said: str, seconds: int | None) -> None:
    path = tmp_path / "base.yml"
    path.write_text(f"fact_cache: {said}\n")
    assert read_sidecar(path) == Sidecar(fact_cache=seconds)
