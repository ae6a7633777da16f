"""What a playbook is known to ask before it runs: a pause that waits whenever the playbook runs, and no other."""

from pathlib import Path

import pytest

from runner.recipes.questions import read_questions

HEAD = "- hosts: all\n  gather_facts: false\n"
PAUSE = "{name: Sure, pause: {prompt: x}}"
TIME = "module_defaults: {ansible.builtin.pause: {seconds: 1}}"
FILES = {
    "roles/asking/tasks/main.yml": "- {name: In the role, pause: {prompt: x}}\n",
    "roles/asking/tasks/quiet.yml": "- ping:\n",
    "roles/asking/tasks/again.yaml": "- import_tasks: '{{role_path}}/tasks/main.yml'\n",
    "roles/needing/meta/main.yml": "dependencies: [{role: asking}]\n",
    "roles/deep/meta/main.yaml": "galaxy_info: {author: x}\ndependencies:\n  - needing\n",
    "roles/loud/meta/main.yml": "dependencies: [{name: loud}, {role: asking, when: x}, '{{ y }}', 7]\n",
    "roles/timed/meta/main.yml": f"dependencies: [{{role: asking, {TIME}}}]\n",
    "roles/odd/meta/main.yml": "[dependencies, asking]\n",
    "playbooks/parts/asking.yml": f"- {PAUSE}\n",
    "playbooks/parts/site.yml": f"{HEAD}  tasks: [{{import_tasks: '{{{{ playbook_dir }}}}/asking.yml'}}]\n",
}
WAITS = {
    "args without a time": "  tasks: [{name: Sure, pause: , args: {echo: false}}]\n",
    "defaults without a time": f"  module_defaults: {{pause: {{echo: no}}, group/x: {{a: 1}}}}\n  tasks: [{PAUSE}]\n",
    "defaults of others": f"  module_defaults: [{{wait_for: {{seconds: 1}}}}]\n  tasks: [{PAUSE}]\n",
    "nearer defaults": f"  {TIME}\n  tasks: [{{module_defaults: {{pause: {{echo: false}}}}, block: [{PAUSE}]}}]\n",
    "beside defaults": f"  tasks: [{{{TIME}, block: [{{pause: }}]}}, {PAUSE}]\n",
    "a template in its word": "  tasks: [{name: Sure, pause: 'prompt={{ word }}'}]\n",
    "a role twice": f"  roles: [{{role: asking, {TIME}}}, asking]\n",
    "a needed role": "  roles: [needing]\n",
    "needed by a needed role": "  tasks: [{include_role: {name: deep}}]\n",
    "other tasks of a role": "  tasks: [{import_role: {name: asking, tasks_from: again}}]\n",
    "beside the playbook": "  tasks: [{include_tasks: '{{ playbook_dir }}/parts/asking.yml'}]\n",
    "an imported playbook": "- import_playbook: '{{playbook_dir}}/parts/site.yml'\n",
    "a rescue that always runs": f"  tasks: [{{block: [{{fail: {{msg: x}}}}], rescue: [{PAUSE}]}}]\n",
    "in itself": f"  tasks: &t [{{block: *t, always: *t}}, {PAUSE}]\n",
}
GOES_ON = {
    "args": "  tasks: [{pause: , args: {seconds: 1}}, {action: pause, args: {minutes: 1}}]\n",
    "args that nobody knows": "  tasks: [{pause: , args: '{{ how }}'}, {local_action: pause, args: '{{ how }}'}]\n",
    "defaults of the play": f"  {TIME}\n  tasks: [{PAUSE}]\n  pre_tasks: [{{block: [{PAUSE}]}}]\n",
    "its short name": f"  module_defaults: {{pause: {{minutes: 1}}}}\n  tasks: [{{ansible.legacy.pause: }}, {PAUSE}]\n",
    "a list of defaults":
        f"  module_defaults: [{{ping: {{data: x}}}}, {{ansible.legacy.pause: {{seconds: 1}}}}]\n  tasks: [{PAUSE}]\n",
    "defaults of a block": f"  tasks: [{{{TIME}, block: [{{block: [{PAUSE}]}}], always: [{PAUSE}]}}]\n",
    "defaults of a task": f"  tasks: [{{name: Sure, pause: , {TIME}}}]\n",
    "defaults of a role": f"  roles: [{{role: needing, {TIME}}}, timed]\n",
    "defaults of an include": f"  tasks: [{{import_tasks: parts/asking.yml, {TIME}}}]\n",
    "nearer defaults": f"  module_defaults: {{pause: {{echo: false}}}}\n  tasks: [{{name: Sure, pause: , {TIME}}}]\n",
    "defaults that nobody knows": f"  module_defaults: '{{{{ all }}}}'\n  tasks: [{PAUSE}]\n",
    "one of them": f"  module_defaults: {{pause: '{{{{ how }}}}'}}\n  tasks: [{PAUSE}]\n",
    "words that nobody knows": "  tasks: [{pause: '{{ how }}'}, {action: 'pause {{ how }}'}, {pause: '{% x %}'}]\n",
    "other tasks of a role": "  tasks: [{import_role: {name: asking, tasks_from: quiet.yml}}]\n",
    "other tasks, short": "  tasks: [{include_role: name=asking tasks_from=quiet}]\n",
    "tasks that nobody knows": "  tasks: [{include_role: {name: asking, tasks_from: '{{ which }}'}}]\n",
    "needed by the way": "  roles: [loud, odd, nowhere]\n",
    "another loop": "  tasks: [{name: Sure, pause: , with_fileglob: '*.x'}]\n",
    "included under a condition": "  tasks: [{include_tasks: {file: parts/asking.yml, apply: {when: x}}}]\n",
    "a rescue that may run": f"  tasks: [{{block: [{{fail: , when: x}}], rescue: [{PAUSE}]}}]\n",
    "a failure that is ignored": f"  ignore_errors: true\n  tasks: [{{block: [{{fail: }}], rescue: [{PAUSE}]}}]\n",
    "another file": "  tasks: [{include_tasks: '{{playbook_dir}}/{{x}}.yml'}, {include_tasks: '{{ role_path }}'}]\n",
    "nothing but itself": "  tasks: &t [{block: *t}, *t]\n  roles: &r [*r, {role: *r}]\n",
}  # fmt: skip


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A directory with roles and parts of playbooks."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def pauses(content: Path, play: str) -> list[str]:
    playbook = content / "playbooks" / "it.yml"
    playbook.write_text(play if play.startswith("-") else HEAD + play)
    return read_questions(playbook, content).pauses


@pytest.mark.parametrize("play", WAITS.values(), ids=WAITS)
def test_a_pause_that_waits_is_found(content: Path, play: str) -> None:
    assert pauses(content, play) in (["Sure"], ["In the role"])


@pytest.mark.parametrize("play", GOES_ON.values(), ids=GOES_ON)
def test_a_pause_that_may_go_on_is_left_alone(content: Path, play: str) -> None:
    assert pauses(content, play) == []


def test_a_list_that_is_named_a_million_times_is_read_once(content: Path) -> None:
    lists = [
        f"  l0: &l0 [{PAUSE}]",
        *(f"  l{n}: &l{n} [{{block: *l{n - 1}}}, {{block: *l{n - 1}}}]" for n in range(1, 40)),
    ]
    assert pauses(content, f"{HEAD}  vars:\n  " + "\n  ".join(lists) + "\n  tasks: *l39\n") == ["Sure"]


@pytest.mark.parametrize("depth", [90, 300])
def test_a_playbook_may_be_as_deep_as_it_likes(content: Path, depth: int) -> None:
    deep = f"{'[{block: ' * depth}[{PAUSE}]{'}]' * depth}"
    assert pauses(content, f"  tasks: {deep}\n") in ([], ["Sure"])
    for number in range(450):
        (content / f"playbooks/parts/{number}.yml").write_text(f"- import_tasks: {number + 1}.yml\n")
    assert pauses(content, "  tasks: [{import_tasks: parts/0.yml}]\n") == []
