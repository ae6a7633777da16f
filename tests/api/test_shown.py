"""What clients see of extra variables: made once for each job, in a thread, and masked as the log is."""

import asyncio
import threading
from typing import Any

import pytest

from models import ProvisionJob
from runner.programs.masking import STARS, Masker
from runner.secrets import shown_variables
from runner.secrets.shown_variables import Shown
from runner.secrets.vault import Vault

SECRET = "Zt7xQ0pWm2Ks9"
KEY = "mCz5RkYy0m8kcXbVtXo8m0kqQdJ1Jx3bq9w3cJv3w2E="


def job(number: int, **columns: Any) -> ProvisionJob:
    return ProvisionJob(id=number, recipe="r", revision="r", tags=[], skip_tags=[], timeout_seconds=1, **columns)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads in which maskers were made."""
    threads: list[str] = []

    def make(words: list[str]) -> Masker:
        threads.append(threading.current_thread().name)
        return Masker(words)

    monkeypatch.setattr(shown_variables, "Masker", make)
    return threads


async def test_they_are_masked_once_however_many_ask(made: list[str]) -> None:
    vault = Vault(KEY)
    view = Shown(vault, ())
    one = job(1, extra_vars={"note": f"<{SECRET}>", "level": 1}, secret_vars=vault.lock({"key": SECRET}))
    found = await asyncio.gather(*(view.extra_vars(one) for _ in range(20)))
    assert found == [{"note": f"<{STARS}>", "level": 1}] * 20
    assert await view.extra_vars(one) == found[0]
    assert len(made) == 1
    assert made[0].startswith("shown")


async def test_those_of_other_jobs_are_others(made: list[str]) -> None:
    view = Shown(Vault(KEY), (SECRET,))
    jobs = [job(number, extra_vars={"note": f"{number} {SECRET}"}, secret_vars=None) for number in (1, 2)]
    assert [await view.extra_vars(one) for one in jobs] == [{"note": f"1 {STARS}"}, {"note": f"2 {STARS}"}]
    assert len(made) == 2


async def test_without_a_secret_nothing_is_made(made: list[str]) -> None:
    view = Shown(Vault(KEY), ())
    assert await view.extra_vars(job(1, extra_vars={"a": 1}, secret_vars=None)) == {"a": 1}
    assert await view.extra_vars(job(2, extra_vars=None, secret_vars=None)) is None
    assert made == []


async def test_the_loop_goes_on_while_a_large_secret_is_made_ready() -> None:
    vault = Vault(KEY)
    large = "\n".join(f"SERVICE_{number}_PASSWORD=changeme-{number * 7919}" for number in range(1500))
    one = job(1, extra_vars={"note": "x"}, secret_vars=vault.lock({"file": large}))
    asking = asyncio.create_task(Shown(vault, ()).extra_vars(one))
    turns = 0
    while not asking.done():
        await asyncio.sleep(0.001)
        turns += 1
    # On the loop it would be one.
    assert turns > 5
    assert await asking == {"note": "x"}
