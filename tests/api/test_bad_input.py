"""Malformed input of runs: each refusal has its code and field, says what to do, and changes nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gql.ids import global_id
from models import JobStatus, ProvisionJob
from runner.errors import quoted
from tests.conftest import StartApp
from tests.support.api import JSON, RUN, Api
from tests.support.untouched import assert_untouched

WAITS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: while [ ! -e {go} ]; do sleep 0.05; done
"""
DELETE = "mutation($id: ID!) { deleteServer(input: {id: $id}) { deletedId userErrors { code message field } } }"


def problem(field: str | list[str], message: str, code: str = "INVALID") -> JSON:
    return {"code": code, "message": message, "field": [field] if isinstance(field, str) else field}


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


async def refused(api: Api, **given: Any) -> list[JSON]:
    order = {"recipe": "base", "serverIds": ["1"], **given}
    payload = (await api.ask(RUN, input=order))["runProvision"]
    assert payload["job"] is None
    problems: list[JSON] = payload["userErrors"]
    return problems


@pytest.mark.parametrize(
    "name",
    ["nope", "", "../base", "playbooks/base", "/etc/passwd", "Upper", "link", "base.yml.yml", "base\0", "\ud800"],
)
async def test_only_recipes_of_the_list_run(api: Api, ansible_dir: Path, data_dir: Path, name: str) -> None:
    playbook = "- hosts: all\n"
    outside = ansible_dir.parent / "outside.yml"
    outside.write_text(playbook)
    (ansible_dir / "playbooks" / "link.yml").symlink_to(outside)
    (ansible_dir / "playbooks" / "Upper.yml").write_text(playbook)
    await api.create_server()
    message = f"{quoted(name)} is not a recipe; the recipes here are: base, demo"
    assert await refused(api, recipe=name) == [problem("recipe", message, "RECIPE_NOT_ALLOWED")]
    assert await api.ask("query($name: String!) { recipe(name: $name) { name } }", name=name) == {"recipe": None}
    await assert_untouched(data_dir, servers=1)


async def test_server_ids(api: Api, data_dir: Path) -> None:
    await api.create_server()
    no_id = "is not a valid id: use an `id` that this API gave you, or the bare number"
    job_id = global_id("ProvisionJob", 1)
    cases: list[tuple[list[str], list[JSON]]] = [
        ([], [problem("serverIds", "name at least one server", "SERVERS_EMPTY")]),
        (["1", "98", "99"], [
            problem(["serverIds", "1"], "there is no server 98", "NOT_FOUND"),
            problem(["serverIds", "2"], "there is no server 99", "NOT_FOUND"),
        ]),
        (["1", global_id("Server", 1)], [problem("serverIds", "server 1 is named twice: name each server once")]),
        (["x"], [problem(["serverIds", "0"], f'"x" {no_id}')]),
        (["1", "-1"], [problem(["serverIds", "1"], f'"-1" {no_id}')]),
        (["\uff19"], [problem(["serverIds", "0"], f'"\uff19" {no_id}')]),
        (["\ud800"], [problem(["serverIds", "0"], f'"\\ud800" {no_id}')]),
        (["2147483648"], [problem(["serverIds", "0"], f'"2147483648" {no_id}')]),
        (["9" * 5000], [problem(["serverIds", "0"], f'"{"9" * 60}…" {no_id}')]),
        ([job_id], [problem(["serverIds", "0"], f'"{job_id}" is the id of a "ProvisionJob", not of a Server')]),
        (["1"] * 10_000, [problem("serverIds", "10000 servers are too many for one job: name at most 1000")]),
    ]  # fmt: skip
    for ids, expected in cases:
        assert await refused(api, serverIds=ids) == expected
    await assert_untouched(data_dir, servers=1)


async def test_options_of_a_run(api: Api, data_dir: Path) -> None:
    await api.create_server()
    tag = "is not a valid task tag: use letters, digits, _, ., : or -, at most 64, no - first"
    timeout, priority = "the timeout must be 1 to 604800 seconds", "the priority must be from -1000 to 1000"
    key = "an idempotency key has 1 to 128 characters"
    half = "text must not contain NUL or half a surrogate pair"
    cases: list[tuple[JSON, JSON]] = [
        ({"tags": ["ok", "-x"]}, problem("tags", f'"-x" {tag}')),
        ({"tags": ["a,b"]}, problem("tags", f'"a,b" {tag}')),
        ({"tags": [""]}, problem("tags", f'"" {tag}')),
        ({"tags": ["a\n"]}, problem("tags", f'"a\\n" {tag}')),
        ({"skipTags": ["{{ x }}"]}, problem("skipTags", f'"{{{{ x }}}}" {tag}')),
        ({"skipTags": ["a"] * 65}, problem("skipTags", "65 tags are too many: use at most 64")),
        ({"timeoutSeconds": 0}, problem("timeoutSeconds", timeout)),
        ({"timeoutSeconds": -5}, problem("timeoutSeconds", timeout)),
        ({"timeoutSeconds": 604801}, problem("timeoutSeconds", timeout)),
        ({"priority": 1001}, problem("priority", priority)),
        ({"priority": -1001}, problem("priority", priority)),
        ({"idempotencyKey": ""}, problem("idempotencyKey", key)),
        ({"idempotencyKey": "k" * 129}, problem("idempotencyKey", key)),
        ({"idempotencyKey": "a\0b"}, problem("idempotencyKey", half)),
        ({"idempotencyKey": "\udfff"}, problem("idempotencyKey", half)),
    ]
    for given, expected in cases:
        assert await refused(api, **given) == [expected]
    await assert_untouched(data_dir, servers=1)


# (value, path below the field, message): the rules are the same for a server's variables and a run's.
OWN = "{} is not allowed: it says how Ansible runs, and of those only ansible_python_interpreter of a server may be set"
BAD_VARIABLES: list[tuple[Any, list[str], str]] = [
    ([1], [], 'variables must be a JSON object, such as {"app_port": 8080}'),
    ("a=1", [], 'variables must be a JSON object, such as {"app_port": 8080}'),
    (5, [], 'variables must be a JSON object, such as {"app_port": 8080}'),
    ({"": 1}, [], '"" is not a valid variable name: use letters, digits and _, no digit first'),
    ({"a-b": 1}, [], '"a-b" is not a valid variable name: use letters, digits and _, no digit first'),
    ({"a\n": 1}, [], '"a\\n" is not a valid variable name: use letters, digits and _, no digit first'),
    ({"ä": 1}, [], '"ä" is not a valid variable name: use letters, digits and _, no digit first'),
    ({"\ud800": 1}, [], '"\\ud800" is not a valid variable name: use letters, digits and _, no digit first'),
    ({"not": 1}, ["not"], "not is not a valid variable name: it is a word of Ansible's template language"),
    ({"a": "\0"}, ["a"], "text must not contain NUL or half a surrogate pair"),
    ({"a": ["\ud800"]}, ["a"], "text must not contain NUL or half a surrogate pair"),
    ({"a": {"\0": 1}}, ["a"], "text must not contain NUL or half a surrogate pair"),
    ({"a": nested(16)}, ["a"], "variables are nested too deep: use at most 16 levels"),
    ({"a": "x" * 65536}, [], "variables are too large: keep them under 64 KiB of JSON"),
    ({"a": 2**63}, ["a"], "whole numbers must fit in 64 bits; send larger ones as text"),
    ({"a": -(10**400)}, ["a"], "whole numbers must fit in 64 bits; send larger ones as text"),
    *(
        ({name: "sh -c id"}, [name], OWN.format(name))
        for name in ("ansible_ssh_common_args", "ansible_connection", "_ansible_ansiballz_debugpy_config", "ansible_",
                     "ansible_perl_interpreter", "__ansible_x", "sops_binary", "mitogen_ssh_path", "lxd_become_method")
    ),
    *(
        ({name: "x"}, [name], f"{name} is not allowed: Ansible itself has something of that name; choose another")
        for name in ("inventory_hostname", "hostvars", "groups", "omit", "vars", "lookup", "playbook_dir", "q",
                     "environment")
    ),
]  # fmt: skip


async def test_extra_vars(api: Api, data_dir: Path) -> None:
    await api.create_server()
    for value, path, message in BAD_VARIABLES:
        assert await refused(api, extraVars=value) == [problem(["extraVars", *path], message)]
    infinite = '{ runProvision(input: {recipe: "base", serverIds: [1], extraVars: {a: 1e999}}) { %s } }'
    answer = await api.ask("mutation" + infinite % "userErrors { code message field }")
    assert answer["runProvision"]["userErrors"] == [problem(["extraVars", "a"], "numbers must be finite")]
    await assert_untouched(data_dir, servers=1)


async def test_extra_vars_that_the_recipe_does_not_take(api: Api, data_dir: Path) -> None:
    await api.create_server()
    takes = "is not an input of this recipe; it takes: greeting, items_count"
    choices = "items_count must be one of: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
    assert await refused(api, recipe="demo", extraVars={"greeting": 5, "b": 1, "a": 1, "items_count": 11}) == [
        problem(["extraVars", "greeting"], "greeting must be of type str"),
        problem(["extraVars", "items_count"], choices),
        problem(["extraVars", "a"], f"a {takes}"),
        problem(["extraVars", "b"], f"b {takes}"),
    ]
    for wrong in ("3", True, 3.0, None, [3]):
        expected = [problem(["extraVars", "items_count"], "items_count must be of type int")]
        assert await refused(api, recipe="demo", extraVars={"items_count": wrong}) == expected
    await assert_untouched(data_dir, servers=1)


async def test_one_key_is_one_job(api: Api, data_dir: Path) -> None:
    server = await api.create_server()
    jobs = await asyncio.gather(*(api.run("base", server, idempotencyKey="{{ k }}") for _ in range(5)))
    again = await api.run("base", server, idempotencyKey="{{ k }}")
    assert [job["number"] for job in [*jobs, again]] == [1] * 6
    await assert_untouched(data_dir, servers=1, jobs=1)
    assert (await api.finished(again["id"]))["status"] == "SUCCESS"
    assert (await api.run("base", server, idempotencyKey="{{ k }}"))["number"] == 1
    assert [job.idempotency_key for job in await ProvisionJob.all()] == ["local:{{ k }}"]


async def test_a_server_in_use_stays(
    start_app: StartApp, add_recipe: Callable[[str, str], None], tmp_path: Path, data_dir: Path
) -> None:
    api = await start_app(slots=1)
    go = tmp_path / "go"
    add_recipe("waits", WAITS.format(go=go))
    servers = [await api.create_server(name=name) for name in ("one", "two")]
    jobs = [await api.run("waits", server) for server in servers]
    try:
        while (await api.job(jobs[0]["id"]))["status"] != "RUNNING":  # noqa: ASYNC110 (the API is what is asked)
            await asyncio.sleep(0.02)
        for number, server in enumerate(servers, 1):
            message = f"job {number} still needs this server: wait for its end, then delete it"
            answer = (await api.ask(DELETE, id=server))["deleteServer"]
            assert answer == {"deletedId": None, "userErrors": [problem("id", message, "IN_USE")]}
        await assert_untouched(data_dir, servers=2, jobs=2)
        states = [job.status for job in await ProvisionJob.all().order_by("id")]
        assert states == [JobStatus.RUNNING, JobStatus.PENDING]
    finally:
        go.touch()
    assert [(await api.finished(job["id"]))["status"] for job in jobs] == ["SUCCESS", "SUCCESS"]
    assert await api.ask(DELETE, id=servers[0]) == {"deleteServer": {"deletedId": servers[0], "userErrors": []}}
    await assert_untouched(data_dir, servers=1, jobs=2)
