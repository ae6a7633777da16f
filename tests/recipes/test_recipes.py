"""Recipes: the allow-list, descriptions, revisions, and what the shipped ones declare."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import ErrorCode, Refused
from runner.recipes.book import RecipeBook
from runner.recipes.inputs import check_extra_vars
from tests.support.api import Api

PLAY = "- name: {name}\n  hosts: all\n  gather_facts: false\n  tasks: []\n"


async def test_the_shipped_recipes_are_listed(api: Api) -> None:
    query = "{ recipes { name description revision inputs { name type required default choices secret } } }"
    base, demo = (await api.ask(query))["recipes"]
    assert (base["name"], base["description"], base["inputs"]) == ("base", "Base config", [])
    assert len(base["revision"]) == 64
    assert demo["name"] == "demo"
    assert {
        "name": "greeting",
        "type": "str",
        "required": False,
        "default": "Hello",
        "choices": None,
        "secret": False,
    } in (demo["inputs"])
    again = await api.ask(
        '{ a: recipe(name: "base") { name } b: recipe(name: "base.yml") { name } c: recipe(name: "x") { name } }'
    )
    assert again == {"a": {"name": "base"}, "b": {"name": "base"}, "c": None}


async def test_only_plain_names_inside_the_directory_count(book: RecipeBook, ansible_dir: Path, tmp_path: Path) -> None:
    playbooks = ansible_dir / "playbooks"
    (tmp_path / "outside.yml").write_text(PLAY.format(name="Outside"))
    (playbooks / "link-out.yml").symlink_to(tmp_path / "outside.yml")
    (playbooks / "link-in.yml").symlink_to(playbooks / "base.yml")
    (playbooks / "Upper.yml").write_text(PLAY.format(name="Upper"))
    (playbooks / "dot.ted.yml").write_text(PLAY.format(name="Dotted"))
    (playbooks / "other.yaml").write_text(PLAY.format(name="Other ending"))
    (playbooks / "folder.yml").mkdir()
    (playbooks / ("x" * 65 + ".yml")).write_text(PLAY.format(name="Long"))
    assert [recipe.name for recipe in await book.all()] == ["base", "demo", "link-in"]


@pytest.mark.parametrize("name", ["../base", "/etc/passwd", "link-out", "base.yml.yml", "", "BASE", "base\n", "base\0"])
async def test_what_is_not_on_the_list_is_refused(book: RecipeBook, name: str) -> None:
    with pytest.raises(Refused) as refused:
        await book.allowed(name)
    (problem,) = refused.value.problems
    assert (problem.code, problem.field) == (ErrorCode.RECIPE_NOT_ALLOWED, ("recipe",))
    assert problem.message.endswith("the recipes here are: base, demo")


async def test_the_revision_covers_playbook_roles_and_group_vars(book: RecipeBook, ansible_dir: Path) -> None:
    seen = {(await book.allowed("base")).revision}
    for change in ("playbooks/base.yml", "roles/demo/tasks/main.yml", "group_vars/all.yml"):
        path = ansible_dir / change
        path.write_text(path.read_text() + "\n# changed\n")
        os.utime(path, ns=(1, 1))
        seen.add((await book.allowed("base")).revision)
    assert len(seen) == 4
    other = ansible_dir / "playbooks/demo.yml"
    other.write_text(other.read_text() + "\n# changed\n")
    assert (await book.allowed("base")).revision in seen


async def test_a_broken_playbook_stays_on_the_list_without_a_description(
    book: RecipeBook, add_recipe: Callable[[str, str], None]
) -> None:
    add_recipe("broken", "- name: [unclosed\n")
    add_recipe("tagged", "- name: Tagged\n  hosts: all\n  vars: {secret: !vault abc}\n")
    assert (await book.allowed("broken")).description is None
    assert (await book.allowed("tagged")).description == "Tagged"


async def test_declared_inputs_are_checked_and_secret_ones_apart(book: RecipeBook, ansible_dir: Path) -> None:
    (ansible_dir / "recipes" / "base.yml").write_text(
        "inputs:\n  level: {type: int, required: true, choices: [1, 2]}\n  key: {type: str, no_log: true}\n"
    )
    inputs = (await book.allowed("base")).inputs
    assert check_extra_vars(inputs, {"level": 1, "key": "hidden"}) == ({"level": 1}, {"key": "hidden"})
    for given, field in [({}, "level"), ({"level": "1"}, "level"), ({"level": 3}, "level"), ({"level": True}, "level")]:
        with pytest.raises(Refused) as refused:
            check_extra_vars(inputs, given)
        assert [problem.field for problem in refused.value.problems] == [("extraVars", field)]
    with pytest.raises(Refused, match="other is not an input of this recipe; it takes: level, key"):
        check_extra_vars(inputs, {"level": 1, "other": 1})


async def test_a_broken_sidecar_takes_its_recipe_alone_off_the_list(book: RecipeBook, ansible_dir: Path) -> None:
    (ansible_dir / "recipes" / "base.yml").write_text("inputs:\n  level: {type: number}\n")
    assert [recipe.name for recipe in await book.all()] == ["demo"]
    with pytest.raises(Refused, match='the type of level is "number", not one of str, path, int'):
        await book.allowed("base")
