"""No question is passed over in silence: it is refused before the start, stops the job, or the recipe allows it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.api import JSON, Api
from tests.support.untouched import assert_untouched

AddRecipe = Callable[[str, str], None]
RUN = """
mutation Run($input: RunProvisionInput!) {
  runProvision(input: $input) { job { id } userErrors { code message field } }
}
"""
HEAD = "- hosts: all\n  gather_facts: false\n"
# Each is what a play goes on with, and the task that waits.
WAITS = {
    "a prompt": ("  tasks: [{name: Sure, ansible.builtin.pause: {prompt: Sure?}}]\n", "Sure"),
    "without a word": ("  tasks: [{ansible.builtin.pause: }]\n", "pause"),
    "short": ("  tasks: [{name: Go on, pause: prompt=Sure}]\n", "Go on"),
    "an action": ("  tasks: [{name: Go on, action: pause prompt=Sure}]\n", "Go on"),
    "here": ("  tasks: [{name: Go on, local_action: {module: pause, prompt: Sure}}]\n", "Go on"),
    "before": ("  pre_tasks: [{name: First, pause: {prompt: Sure}}]\n  tasks: []\n", "First"),
    "after": ("  post_tasks: [{name: Last, ansible.legacy.pause: {echo: false}}]\n", "Last"),
    "a block": ("  tasks: [{block: [{block: [{name: Deep, pause: {prompt: x}}]}]}]\n", "Deep"),
    "always": ("  tasks: [{block: [], always: [{name: At the end, pause: {prompt: x}}]}]\n", "At the end"),
    "a role": ("  roles: [asking]\n", "In the role"),
    "a role with more": ("  roles: [{role: asking, vars: {x: 1}}]\n", "In the role"),
    "imported tasks": ("  tasks: [{import_tasks: parts/asking.yml}]\n", "In the part"),
    "included tasks": ("  tasks: [{ansible.builtin.include_tasks: {file: parts/asking.yml}}]\n", "In the part"),
    "tasks of tasks": ("  tasks: [{import_tasks: parts/more.yml}]\n", "In the part"),
    "an included role": ("  tasks: [{ansible.builtin.include_role: {name: asking}}]\n", "In the role"),
    "an imported role": ("  tasks: [{import_role: name=asking}]\n", "In the role"),
}
# Each of these starts; `stops` says at which task, if it comes that far.
STARTS: dict[str, tuple[str, str | None]] = {
    "a time": ("  tasks: [{pause: {seconds: 1, prompt: Wait}}, {pause: seconds=1}]\n", None),
    "a time from elsewhere": (
        "  module_defaults: {pause: {seconds: 1}}\n  tasks: [{pause: {}, args: {seconds: 1}}, {pause: }]\n", None
    ),
    "a condition that holds": ("  tasks: [{name: Sure, pause: {prompt: Sure}, when: 1 == 1}]\n", "Sure"),
    "a condition that does not": ("  tasks: [{name: Sure, pause: {prompt: Sure}, when: 1 == 2}]\n", None),
    "for a tag of several": ("  tasks: [{name: Sure, pause: {prompt: Sure}, tags: 'slow, never'}]\n", None),
    "for a tag": ("  tasks: [{name: Sure, pause: {prompt: Sure}, tags: [never, slow]}]\n", None),
    "a name that is a template": (
        "  tasks: [{include_tasks: 'parts/{{ which }}.yml', vars: {which: asking}}]\n", "In the part"
    ),
    "a handler": (
        "  tasks: [{command: 'true', notify: Ask}]\n  handlers: [{name: Ask, pause: {prompt: x}}]\n", "Ask"
    ),
    "a rescue": ("  tasks: [{block: [{ping: }], rescue: [{name: Sure, pause: {prompt: x}}]}]\n", None),
    "a task called pause": ("  tasks: [{name: pause, ping: }]\n", None),
}  # fmt: skip


@pytest.fixture(autouse=True)
def files(ansible_dir: Path) -> None:
    """What the playbooks lead to."""
    for path, content in {
        "roles/asking/tasks/main.yml": "- {name: In the role, ansible.builtin.pause: {prompt: x}}\n",
        "playbooks/parts/asking.yml": "- {name: In the part, ansible.builtin.pause: {prompt: x}}\n",
        "playbooks/parts/more.yml": "- ansible.builtin.import_tasks: asking.yml\n",
        "playbooks/parts/site.yml": f"{HEAD}  vars_prompt: [{{name: release, default: stable}}]\n  tasks: []\n",
    }.items():
        (ansible_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (ansible_dir / path).write_text(content)


async def answer(api: Api, recipe: str, **options: object) -> JSON:
    given: JSON = (await api.ask(RUN, input={"recipe": recipe, "serverIds": ["1"], **options}))["runProvision"]
    return given


def refused(message: str, *field: str) -> JSON:
    return {"job": None, "userErrors": [{"code": "INVALID", "message": message, "field": list(field)}]}


async def test_a_playbook_that_waits_is_refused(api: Api, add_recipe: AddRecipe, data_dir: Path) -> None:
    await api.create_server()
    for number, (play, task) in enumerate(WAITS.values()):
        add_recipe(f"waits{number}", HEAD + play)
        message = (
            f'the playbook waits for a person at "{task}", and nobody is there: '
            "give that pause a time, or let the recipe go on without an answer (`prompts: default`)"
        )
        assert await answer(api, f"waits{number}") == refused(message, "recipe")
    await assert_untouched(data_dir, servers=1)


async def test_a_question_that_nobody_foresaw_stops_the_job(api: Api, add_recipe: AddRecipe) -> None:
    server = await api.create_server()
    ends = {}
    for number, (name, (play, _)) in enumerate(STARTS.items()):
        add_recipe(f"starts{number}", f"{HEAD}{play}{HEAD}  tasks: [{{name: Later, ping: }}]\n")
        job = await api.finished((await api.run(f"starts{number}", server))["id"])
        ends[name] = (job["status"], job["message"])
    waits = (
        'failed on here at "{}": it waits for a person, and nobody is there: '
        "give the pause a time, or let the recipe go on without an answer (`prompts: default`)"
    )
    assert ends == {
        name: ("ERROR", waits.format(task)) if task else ("SUCCESS", None) for name, (_, task) in STARTS.items()
    }


async def test_with_tags_of_its_own_a_call_may_leave_the_pause_out(api: Api, add_recipe: AddRecipe) -> None:
    server = await api.create_server()
    tasks = "[{name: Sure, pause: {prompt: x}, tags: ask}, {name: Ping, ping: , tags: do}]"
    add_recipe("tagged", f"{HEAD}  tasks: {tasks}\n")
    for options in ({"tags": ["do"]}, {"skipTags": ["ask"]}):
        job = await api.finished((await api.run("tagged", server, **options))["id"])
        assert (job["status"], job["message"]) == ("SUCCESS", None)
    job = await api.finished((await api.run("tagged", server, tags=["ask"]))["id"])
    assert job["status"] == "ERROR"
    assert job["message"].startswith('failed on here at "Sure": it waits for a person, and nobody is there: ')


ASKS = "the playbook asks for release (vars_prompt): send it as an extra variable"
PROMPTS = {
    "an imported playbook": "- import_playbook: parts/site.yml\n",
    "its full name": "- ansible.builtin.import_playbook: parts/site.yml\n- import_playbook: base.yml\n",
    "its own": f"{HEAD}  vars_prompt: [{{name: release, default: stable}}]\n  tasks: []\n",
    # libyaml reads this, as ansible does; Python's own reader does not.
    "a question mark": f"{HEAD}  vars_prompt:\n    - {{name: release, prompt: Which?, default: stable}}\n  tasks: []\n",
    "tags of ansible": f"{HEAD}  vars: {{a: !unsafe b}}\n  vars_prompt: [{{name: release, default: x}}]\n  tasks: []\n",
}


async def test_a_default_is_not_taken_in_silence(api: Api, add_recipe: AddRecipe, data_dir: Path) -> None:
    await api.create_server()
    for number, playbook in enumerate(PROMPTS.values()):
        add_recipe(f"asks{number}", playbook)
        message = f"{ASKS}, or let the recipe take the default (`prompts: default`)"
        assert await answer(api, f"asks{number}") == refused(message, "extraVars", "release")
    await assert_untouched(data_dir, servers=1)


async def test_a_recipe_may_take_the_default(api: Api, add_recipe: AddRecipe, ansible_dir: Path) -> None:
    server = await api.create_server()
    told = "the playbook asked for input, which nobody can give here: it went on without an answer"
    for number, playbook in enumerate(PROMPTS.values()):
        add_recipe(f"asks{number}", playbook)
        (ansible_dir / "recipes" / f"asks{number}.yml").write_text("prompts: default\n")
        job = await api.finished((await api.run(f"asks{number}", server))["id"])
        assert (job["status"], job["message"]) == ("SUCCESS", told)
        job = await api.finished((await api.run(f"asks{number}", server, extraVars={"release": "1"}))["id"])
        assert (job["status"], job["message"]) == ("SUCCESS", None)


async def test_a_question_that_only_ansible_finds_stops_the_job(
    api: Api, add_recipe: AddRecipe, ansible_dir: Path
) -> None:
    server = await api.create_server()
    add_recipe(
        "finds",
        f"{HEAD}  tasks: [{{ping: }}]\n- import_playbook: '{{{{ which }}}}.yml'\n  vars: {{which: parts/site}}\n",
    )
    job = await api.finished((await api.run("finds", server, extraVars={"which": "parts/site"}))["id"])
    assert (job["status"], job["failureReason"], job["message"]) == (
        "ERROR",
        "PLAYBOOK_FAILED",
        f"ansible stopped: {ASKS}",
    )
    job = await api.run("finds", server, extraVars={"which": "parts/site", "release": "1"})
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"


@pytest.mark.parametrize("value", ["ask", "true", "''", "[]", "1"])
async def test_what_the_recipe_says_of_prompts_is_checked(
    api: Api, add_recipe: AddRecipe, ansible_dir: Path, value: str
) -> None:
    await api.create_server()
    (ansible_dir / "recipes" / "base.yml").write_text(f"prompts: {value}\n")
    (problem,) = (await answer(api, "base"))["userErrors"]
    assert (problem["code"], problem["field"]) == ("RECIPE_NOT_ALLOWED", ["recipe"])
    assert problem["message"].endswith("prompts is `default`, or left out")
