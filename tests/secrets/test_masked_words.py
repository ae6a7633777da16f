"""Which words of a job are masked, and what becomes of a secret that cannot be."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from playcast import settings
from runner.errors import PlaycastError
from runner.programs.masking import STARS, Masker
from runner.secrets.secret_words import unmasked, words_of
from tests.api.test_bad_input import problem
from tests.api.test_bad_servers import UPDATE
from tests.conftest import StartApp
from tests.jobs.test_retry import RETRY
from tests.support.api import JSON, RUN, Api
from tests.support.untouched import assert_untouched

AddRecipe = Callable[[str, str], None]
Logs = list[dict[str, Any]]

PLAY = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {var: secret}\n"
SIDECAR = "inputs:\n  secret: {type: raw, no_log: %s}\n  other: {type: raw}\n"
REASON = (
    "secret is secret, but the log of the job would show it: a single character, signs alone and words such as true or "
    "none are everywhere and cannot be masked; send at least 2 characters with a letter or a digit among them, and "
    "true, false and null not as text"
)
TOO_SHORT = ["a", "7", "é", "!", "/", "--", "'''", '"a"', "true", "None", "off", "ok", " x ", "\n\n=\n", "x\n=\ny"]


@pytest.fixture
def recipe(ansible_dir: Path, add_recipe: AddRecipe) -> Path:
    add_recipe("tells", PLAY)
    sidecar = ansible_dir / "recipes" / "tells.yml"
    sidecar.write_text(SIDECAR % "true")
    return sidecar


@pytest.fixture
def logs() -> Iterator[Logs]:
    with capture_logs() as captured:
        yield captured  # type: ignore[misc]  # each entry is a plain dict


async def refused(api: Api, value: Any) -> list[JSON]:
    order = {"recipe": "tells", "serverIds": ["1"], "extraVars": {"secret": value}}
    payload = (await api.ask(RUN, input=order))["runProvision"]
    assert payload["job"] is None
    problems: list[JSON] = payload["userErrors"]
    return problems


@pytest.mark.parametrize("value", [*TOO_SHORT, 7, ["long enough", "a"], {"key": {"key": ["yes"]}}])
async def test_a_secret_input_that_no_log_would_hide_is_refused(
    api: Api, recipe: Path, data_dir: Path, value: Any
) -> None:
    await api.create_server()
    assert await refused(api, value) == [problem(["extraVars", "secret"], REASON)]
    await assert_untouched(data_dir, servers=1)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "ab",
        "1234",
        "test",
        "----",
        42,
        True,
        False,
        None,
        [],
        {},
        [1, True, None, "", "ab"],
        {"a": 1, "b": "xy"},
    ],
)
async def test_others_are_taken(api: Api, recipe: Path, value: Any) -> None:
    await api.create_server()
    job = await api.finished((await api.run("tells", "1", extraVars={"secret": value}))["id"])
    assert (job["status"], job["message"]) == ("SUCCESS", None)


async def test_a_retry_is_refused_too(api: Api, recipe: Path, data_dir: Path) -> None:
    """The recipe may have become stricter since, or Playcast."""
    await api.create_server()
    recipe.write_text(SIDECAR % "false")
    await api.finished((await api.run("tells", "1", extraVars={"secret": "a"}))["id"])
    recipe.write_text(SIDECAR % "true")
    payload = (await api.ask(RETRY, input={"jobId": "1"}))["retryJob"]
    assert (payload["job"], payload["userErrors"]) == (None, [problem("jobId", REASON)])
    assert (await api.ask("{ jobs { totalCount } }")) == {"jobs": {"totalCount": 1}}


async def test_what_stays_secret_is_refused_where_the_recipe_says_nothing(api: Api, recipe: Path) -> None:
    await api.create_server()
    await api.finished((await api.run("tells", "1", extraVars={"secret": "k9XwQ7"}))["id"])
    recipe.write_text(SIDECAR % "false")
    payload = (await api.ask(RETRY, input={"jobId": "1"}))["retryJob"]
    assert payload["userErrors"] == []
    log = "".join([chunk["text"] async for chunk in api.log(payload["job"]["id"])])
    assert f'"secret": "{STARS}"' in log


@pytest.mark.parametrize(
    ("password", "warning"),
    [
        ("a", "the password of a server is too short or common to be masked in logs"),
        ("!", "the password of a server is too short or common to be masked in logs"),
        ("true", "the password of a server is too short or common to be masked in logs"),
        ("abc", "the password of a server is so short that logs show it inside words"),
        ("1234", "the password of a server is so short that logs show it inside words"),
        ("hunter2", None),
    ],
)
async def test_a_servers_password_is_taken_with_a_warning(
    start_app: StartApp, logs: Logs, password: str, warning: str | None
) -> None:
    api: Api = await start_app()
    server = await api.create_server(name="web", credential={"password": password})
    expected = [] if warning is None else [{"event": warning, "server": "web", "log_level": "warning"}]
    assert [entry for entry in logs if "password" in entry["event"]] == expected
    for changed, again in (({"user": "me"}, []), ({"credential": {"password": password}}, expected)):
        logs.clear()
        answer = await api.ask(UPDATE, input={"id": server, **changed})
        assert answer["updateServer"]["userErrors"] == []
        assert [entry for entry in logs if "password" in entry["event"]] == again


@pytest.mark.parametrize(
    ("words", "lines"),
    [("a", "1"), ("\nlong enough\n/\n", "3"), ("true\nab\n7\n", "1, 3"), (" ok \r\n", "1")],
)
def test_a_word_that_cannot_be_masked_stops_the_start(words: str, lines: str, tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_text(f"xy\n{words}")
    with pytest.raises(PlaycastError) as error:
        settings.load({"PLAYCAST_MASK_WORDS": words}, data_dir=tmp_path, mask_words=words)
    assert str(error.value) == (
        f"PLAYCAST_MASK_WORDS: what stands in line {lines} cannot be masked, as it is everywhere: "
        "a single character, signs alone, or a word such as true or ok; leave it out"
    )
    with pytest.raises(PlaycastError, match="cannot be masked"):
        settings.load({}, data_dir=tmp_path, mask_words_file=file)
    assert settings.load({}, mask_words="ab\n1234\n").masked_words == ("ab", "1234")


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (
            12345678,
            ["12345678", "12345678.0", "12,345,678", "12_345_678", "12 345 678", "1.2345678e+07", "1.2345678E7"],
        ),
        (-12345678, ["-12345678", "-12,345,678", "-1.2345678e+07"]),
        (15000000000.0, ["15000000000.0", "15000000000", "1.5e+10", "1.5e10", "1.5E10", "15,000,000,000"]),
        (1.5e300, ["1.5e+300", "1.5E300"]),
        (0.0000251, ["2.51e-05", "0.0000251", "2.51E-5"]),
        (10000000, ["10000000", "1e+07", "1E+07", "1.0E7"]),
        (4815, ["4815", "4,815", "(4815)"]),
        (2**63 - 1, ["9223372036854775807", "9,223,372,036,854,775,807"]),
    ],
)
def test_a_number_is_masked_however_it_is_written(value: float, printed: list[str]) -> None:
    masker = Masker(words_of([], {"number": value}, []))
    for text in printed:
        assert not any(map(str.isdigit, masker.mask(f"is {text}.").replace(STARS + ".0", STARS))), text
    assert masker.mask("is 481, 15, 1234 or 7.") == "is 481, 15, 1234 or 7."


@pytest.mark.parametrize("key", ["k9Xw-Q7zt", "correcthorse", "alice@example.org", "tok3n", "S3cretKey", "8f14e45f"])
def test_keys_of_secret_mappings_are_masked(key: str) -> None:
    for value in ({key: 1}, {"a": [{"b": {key: None}}]}):
        assert Masker(words_of([], {"x": value}, [])).mask(f"the {key} is") == f"the {STARS} is"


@pytest.mark.parametrize(
    "key", ["user", "db_password", "apiKey2", "host", "X-Api-Key", "msg", "changed", "vault.token"]
)
def test_keys_that_are_usual_names_are_not(key: str) -> None:
    assert words_of([], {"x": {key: [{key: "value"}]}}, []) == ["value"]


def test_the_names_of_inputs_are_no_secrets() -> None:
    assert words_of([], {"k9Xw-Q7zt": True}, ["more"]) == ["more"]
    assert not unmasked({"k9": {"a": 1}})
