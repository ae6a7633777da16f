"""What `recipes/<name>.yml` and the playbook itself say about a run: its timeout, pipelining, questions to a person."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from runner.errors import ErrorCode, Refused
from runner.jobs import launch
from runner.limits import MAX_TIMEOUT_SECONDS
from runner.recipes.book import RecipeBook
from runner.recipes.description import MAX_FACT_CACHE_SECONDS
from tests.conftest import StartApp
from tests.jobs.test_cancel import cancel
from tests.support.api import RUN, Api
from tests.support.launchers import until
from tests.support.playbooks import SLEEPY
from tests.support.sshd import make_key, require_sshd, start_sshd
from tests.support.standin import make_program
from tests.support.untouched import assert_untouched

AddRecipe = Callable[[str, str], None]
PLAY = "- name: Play\n  hosts: all\n  gather_facts: false\n  tasks: []\n"
SECONDS = f"timeout is a whole number of seconds from 1 to {MAX_TIMEOUT_SECONDS}"
ASKS = """
- name: Asks
  hosts: all
  gather_facts: false
  vars_prompt:
    - {{name: release, prompt: Which release, private: false}}
    - {{name: color, prompt: Which color, default: blue}}
  tasks:
    - name: Leave the answers
      ansible.builtin.copy: {{dest: "{folder}/answers", content: "{{{{ release }}}} {{{{ color }}}}"}}
"""


@pytest.fixture
async def quick(start_app: StartApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The API of an app whose jobs run a cheap program in the place of ansible."""
    program = make_program(tmp_path, tmp_path, 0.0)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: program)
    return await start_app(timeout=900)


def describe(ansible_dir: Path, name: str, said: str) -> None:
    (ansible_dir / f"recipes/{name}.yml").write_text(said)


async def test_a_call_wins_over_the_recipe_and_the_recipe_over_the_setting(
    quick: Api, ansible_dir: Path, data_dir: Path
) -> None:
    async def timeout_of(**options: Any) -> int:
        job = await quick.run("base", "1", **options)
        assert (await quick.finished(job["id"]))["status"] == "SUCCESS"
        return int(json.loads((data_dir / f"jobs/{job['number']}/spec.json").read_text())["timeout"])

    await quick.create_server()
    shown = '{ recipe(name: "base") { timeoutSeconds } }'
    assert await quick.ask(shown) == {"recipe": {"timeoutSeconds": None}}
    assert (await timeout_of(), await timeout_of(timeoutSeconds=5)) == (900, 5)
    describe(ansible_dir, "base", "timeout: 120\n")
    assert await quick.ask(shown) == {"recipe": {"timeoutSeconds": 120}}
    assert (await timeout_of(), await timeout_of(timeoutSeconds=5)) == (120, 5)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("timeout: 0\n", SECONDS),
        ("timeout: true\n", SECONDS),
        ("timeout: 1.5\n", SECONDS),
        (f"timeout: {MAX_TIMEOUT_SECONDS + 1}\n", SECONDS),
        ("pipelining: 0\n", "pipelining is true or false"),
        ("inputs: [a]\n", "inputs is a mapping with one argument spec for each name"),
        ("inputs: {a: 5}\n", "a is described by a mapping: type, required, default, choices, description, no_log"),
        ("inputs: {a: {choices: 5}}\n", "the choices of a are a list"),
        ("expects: [all]\n", "expects is one of all, some, localhost"),
        ("prompts: ask\n", "prompts is `default`, or left out"),
        ("1: 2\n", "it is a mapping of inputs, timeout, pipelining, fact_cache, expects, prompts"),
        ("fact_cache: 0\n", f"fact_cache is a whole number of seconds from 1 to {MAX_FACT_CACHE_SECONDS}"),
        ("time_out: 5\n", "it is a mapping of inputs, timeout, pipelining, fact_cache, expects, prompts"),
        ("- timeout\n", "it is a mapping of inputs, timeout, pipelining, fact_cache, expects, prompts"),
        ("timeout: 2026-99-99\n", "month must be in 1..12"),
        ("timeout: !!int ''\n", "string index out of range"),
    ],
)
async def test_a_description_that_does_not_fit_takes_the_recipe_off_the_list(
    quick: Api, ansible_dir: Path, data_dir: Path, said: str, why: str
) -> None:
    server = await quick.create_server()
    describe(ansible_dir, "base", said)
    answer = (await quick.ask(RUN, input={"recipe": "base", "serverIds": [server]}))["runProvision"]
    message = f"{ansible_dir}/recipes/base.yml does not describe a recipe: {why}"
    assert answer == {
        "job": None,
        "userErrors": [{"code": "RECIPE_NOT_ALLOWED", "message": message, "field": ["recipe"]}],
    }
    assert [recipe["name"] for recipe in (await quick.ask("{ recipes { name } }"))["recipes"]] == ["demo"]
    await assert_untouched(data_dir, servers=1)


@pytest.mark.parametrize("text", ["- name: 2026-99-99\n", "[" * 1000, "- !!int ''\n", "- !!timestamp x\n"])
async def test_a_playbook_that_yaml_cannot_read_takes_no_other_along(
    book: RecipeBook, add_recipe: AddRecipe, text: str
) -> None:
    add_recipe("strange", text)
    assert [recipe.name for recipe in await book.all()] == ["base", "demo", "strange"]
    assert (await book.allowed("strange")).description is None


async def test_a_playbook_that_asks_gets_its_answers_with_the_call(
    api: Api, ansible_dir: Path, add_recipe: AddRecipe, data_dir: Path, tmp_path: Path
) -> None:
    add_recipe("asks", ASKS.format(folder=tmp_path))
    describe(ansible_dir, "asks", "prompts: default\n")
    server = await api.create_server()
    for given in (None, {}, {"color": "red"}):
        options = {"recipe": "asks", "serverIds": [server], "extraVars": given}
        answer = (await api.ask(RUN, input=options))["runProvision"]
        message = "the playbook asks for release (vars_prompt): send it as an extra variable"
        problem = {"code": "INVALID", "message": message, "field": ["extraVars", "release"]}
        assert answer == {"job": None, "userErrors": [problem]}
    await assert_untouched(data_dir, servers=1)

    for number, (given, answers) in enumerate([({}, "1.2 blue"), ({"color": "red"}, "1.2 red")], start=1):
        job = await api.run("asks", server, extraVars={"release": "1.2", **given})
        assert ((await api.finished(job["id"]))["status"], job["number"]) == ("SUCCESS", number)
        assert (tmp_path / "answers").read_text() == answers


@pytest.mark.parametrize("name", ["release", "color"])
async def test_a_secret_input_cannot_answer_a_question(
    quick: Api, ansible_dir: Path, add_recipe: AddRecipe, data_dir: Path, tmp_path: Path, name: str
) -> None:
    """Ansible would ask all the same and go on with nothing, or with the default in its place."""
    add_recipe("asks", ASKS.format(folder=tmp_path))
    describe(ansible_dir, "asks", "inputs: {release: {no_log: %s}, color: {no_log: true}}\n" % (name == "release"))
    server = await quick.create_server()
    options = {"recipe": "asks", "serverIds": [server], "extraVars": {"release": "1", name: "x"}}
    (problem,) = (await quick.ask(RUN, input=options))["runProvision"]["userErrors"]
    message = f"the playbook asks for {name} (vars_prompt), which a secret input cannot answer: let it not ask"
    assert problem == {"code": "INVALID", "message": message, "field": ["extraVars", name]}
    await assert_untouched(data_dir, servers=1)


async def test_the_questions_of_all_plays_count(book: RecipeBook, add_recipe: AddRecipe) -> None:
    asks = "  vars_prompt: [{name: a, default: x}, {name: b}, {name: c, default: ''}]\n"
    no_names = "  vars_prompt: [{prompt: nameless}, text, {name: '{{ x }}'}, {name: [a]}]\n"
    again = "  vars_prompt: [{name: a}]\n"
    other = "  vars_prompt: {name: d}\n"
    add_recipe("asks", PLAY + asks + PLAY + no_names + PLAY + again + PLAY + other)
    questions = await book.questions(await book.allowed("asks"))
    assert questions.variables == {"a": False, "b": False, "c": True}
    with pytest.raises(Refused) as refused:
        await book.allowed("nothing")
    assert refused.value.problems[0].code is ErrorCode.RECIPE_NOT_ALLOWED


def running(seconds: str) -> bool:
    """Whether the command of the playbook runs "over there", which is this machine too."""
    return any(process.info["cmdline"] == ["sleep", seconds] for process in psutil.process_iter(["cmdline"]))


@pytest.mark.parametrize(("said", "goes_on"), [("pipelining: false\n", False), ("pipelining: true\n", True)])
async def test_what_a_cancel_means_over_there(
    api: Api, add_recipe: AddRecipe, ansible_dir: Path, tmp_path: Path, said: str, goes_on: bool
) -> None:
    require_sshd()
    seconds = f"77.{time.time_ns()}"
    add_recipe("sleeps", SLEEPY.format(seconds=seconds))
    describe(ansible_dir, "sleeps", said)
    private, public = make_key(tmp_path)
    with start_sshd(tmp_path, authorized_key=public) as sshd:
        server = await api.create_server(
            host=sshd.address, port=sshd.port, user=sshd.user, credential={"privateKey": private}
        )
        job = await api.run("sleeps", server)
        await until(lambda: running(seconds))
        await cancel(api, job["id"])
        assert (await api.finished(job["id"]))["status"] == "CANCELED"
        if not goes_on:
            await until(lambda: not running(seconds))
            return
        for _ in range(10):
            await asyncio.sleep(0.1)
            assert running(seconds)
