"""A server is served when every play that names it has come to its end there; all others are tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.api import Api

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]

HOSTS = """
query Hosts($id: ID!) {
  job(id: $id) { status failureReason message exitCode hosts { serverName served ok failed } }
}
"""
RETRY = """
mutation Retry($input: RetryJobInput!) {
  retryJob(input: $input) { job { id servers { name } } userErrors { code message field } }
}
"""
EARLY = "a play ended early for {}: it stops where others fail (any_errors_fatal or the like)"
NEVER = "the playbook did not get to {}, since an earlier play or batch failed"
BOOM = 'failed on a at "Break": boom'
AWAY = "could not reach a: connection refused; check host, port and firewall"
# Nobody listens on port 1.
AWAY_ON_A = (
    "{ping: , ignore_unreachable: true, vars: {ansible_host: 127.0.0.1, ansible_port: 1, "
    "ansible_connection: \"{{ 'ssh' if server_name == 'a' and broken | default(true) else 'local' }}\"}}"
)
FAILS_ON_A = "{name: Break, fail: {msg: boom}, when: server_name == 'a' and broken | default(true)}"


def play(*tasks: str, hosts: str = "all", **keys: str) -> str:
    """A play without facts; `keys` are further lines of it."""
    lines = [f"- hosts: {hosts}", "  gather_facts: false", *(f"  {key}: {value}" for key, value in keys.items())]
    return "\n".join([*lines, "  tasks:", *(f"    - {task}" for task in tasks)]) + "\n"


class Case(NamedTuple):
    """A playbook on the servers a, b and c; the names of those that it does not serve, and its message."""

    playbook: str
    unserved: str = ""
    message: str | None = None
    exit_code: int = 0
    reason: str | None = "PLAYBOOK_FAILED"


WHOLE = [
    Case(play("ping:", "{debug: {msg: once}, run_once: true}")),
    Case(play("{debug: {msg: once}, run_once: true}")),
    Case(play("{meta: end_host, when: server_name != 'a'}", "ping:")),
    Case(play("meta: end_host", "ping:")),
    Case(play("meta: end_play", "ping:")),
    Case(play("meta: end_batch", "ping:", serial="1")),
    Case(play("{meta: end_play, when: server_name == 'a'}", "ping:", serial="1") + play("ping:", hosts="tag_c")),
    Case(play("ping:", serial="[1, 5]")),
    Case(play("ping:", strategy="free")),
    Case(play("{block: [{fail: {msg: x}, when: server_name == 'a'}], rescue: [{debug: {msg: y}}]}", "ping:")),
    Case(
        play(
            "{block: [{fail: {msg: x}, when: server_name == 'a'}], rescue: [{debug: {msg: y}}], any_errors_fatal: true}"
        )
    ),
    Case(play("{fail: {msg: x}, ignore_errors: true}", any_errors_fatal="true")),
    Case(play("ping:", hosts="tag_a") + play("ping:", hosts="tag_b") + play("ping:", hosts="tag_c")),
    Case(play("ping:", hosts="localhost") + play("{debug: {msg: x}, run_once: true}")),
    Case(play("{debug: {msg: x}, when: false}")),
]
PART = [
    Case(play(FAILS_ON_A, "ping:"), "a", BOOM, 2),
    Case(play(FAILS_ON_A, "ping:", strategy="free"), "a", BOOM, 2),
    Case(play(FAILS_ON_A, "ping:", any_errors_fatal="true"), "abc", f"{BOOM}; {EARLY.format('b, c')}", 2),
    Case(play(AWAY_ON_A, "ping:", any_errors_fatal="true"), "abc", f"{AWAY}; {EARLY.format('b, c')}", 2),
    # What was ignored before has nothing to do with it.
    Case(play(AWAY_ON_A) + play(FAILS_ON_A.replace("'a'", "'b'"), any_errors_fatal="true"), "abc",
         'failed on b at "Break": boom; ' + EARLY.format("a, c"), 2),
    Case(play(FAILS_ON_A, "ping:", max_fail_percentage="10"), "abc", f"{BOOM}; {EARLY.format('b, c')}", 2),
    Case(play(FAILS_ON_A, "ping:", max_fail_percentage="50"), "a", BOOM, 2),
    Case(play(f"{FAILS_ON_A[:-1]}, run_once: true}}", "ping:"), "abc", f"{BOOM}; {EARLY.format('b, c')}", 2),
    Case(play(FAILS_ON_A, "ping:", serial="1"), "abc", f"{BOOM}; {NEVER.format('b, c')}", 2),
    Case(play(FAILS_ON_A.replace("'a'", "'b'"), "ping:", serial="1"), "bc",
         'failed on b at "Break": boom; ' + NEVER.format("c"), 2),
    Case(play(FAILS_ON_A, hosts="tag_a") + play("ping:", hosts="tag_b:tag_c"), "abc",
         f"{BOOM}; {NEVER.format('b, c')}", 2),
    Case(play("ping:") + play(FAILS_ON_A, hosts="tag_a") + play("ping:", hosts="\"{{ 'tag_b' }}\""), "abc",
         f"{BOOM}; {NEVER.format('b, c')}", 2),
    Case(play("ping:") + play(FAILS_ON_A) + play("ping:"), "a", BOOM, 2),
    # The playbook itself has ended the play for those to come.
    Case(play(FAILS_ON_A, "meta: end_play", serial="2"), "a", BOOM, 2),
    # What could not be reached by another task has nothing to do with it either.
    Case(play(AWAY_ON_A, "{block: [{name: B, command: 'false', run_once: true}], rescue: [debug: ]}", "ping:"), "bc",
         EARLY.format("b, c"), 2),
    Case(play(FAILS_ON_A, "meta: clear_host_errors", "ping:"), "a",
         f"{BOOM}, though the playbook went on to its end (a recipe may allow it: `expects: some`)", 0),
    Case(play("{block: [" + FAILS_ON_A + "], rescue: [{name: Mend, fail: {msg: worse}}]}", "ping:"), "a",
         'failed on a at "Mend": worse', 2),
    Case(play("ping:", hosts="'all[0]'"), "bc",
         "no play names b, c: does the playbook's `hosts:` name a tag that is missing?", 0),
    Case(play("ping:", hosts="tag_b"), "ac",
         "no play names a, c: does the playbook's `hosts:` name a tag that is missing?", 0),
]  # fmt: skip


async def three(api: Api) -> list[str]:
    return [await api.create_server(name=name, tags=[f"tag_{name}"]) for name in "abc"]


async def end_of(api: Api, job_id: str) -> Any:
    await api.finished(job_id)
    return (await api.ask(HOSTS, id=job_id))["job"]


def told(job: Any) -> Case:
    unserved = "".join(host["serverName"] for host in job["hosts"] if not host["served"])
    return Case("", unserved, job["message"], job["exitCode"], job["failureReason"])


async def test_servers_that_were_served_make_a_success(start_app: StartApp, add_recipe: AddRecipe) -> None:
    api = await start_app()
    servers = await three(api)
    for number, case in enumerate(WHOLE):
        add_recipe(f"whole{number}", case.playbook)
    jobs = [await api.run(f"whole{number}", *servers) for number in range(len(WHOLE))]
    ended = [await end_of(api, job["id"]) for job in jobs]
    assert [(job["status"], told(job)) for job in ended] == [("SUCCESS", Case("", reason=None))] * len(WHOLE)


async def test_a_retry_takes_whoever_was_not_served(start_app: StartApp, add_recipe: AddRecipe) -> None:
    api = await start_app()
    servers = await three(api)
    for number, case in enumerate(PART):
        add_recipe(f"part{number}", case.playbook)
    jobs = [await api.run(f"part{number}", *servers) for number in range(len(PART))]
    ended = [told(await end_of(api, job["id"])) for job in jobs]
    assert ended == [case._replace(playbook="") for case in PART]
    again = [
        (await api.ask(RETRY, input={"jobId": job["id"], "failedHostsOnly": True}))["retryJob"]["job"] for job in jobs
    ]
    names = ["".join(server["name"] for server in job["servers"]) if job else "" for job in again]
    assert names == [case.unserved for case in PART]
    await asyncio.gather(*(api.finished(job["id"]) for job in again if job))


async def test_a_job_without_a_recap_has_served_nobody(
    start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path
) -> None:
    add_recipe("broken", play("ping:") + play("ping:", hosts="'{{ nobody }}'"))
    api = await start_app()
    servers = await three(api)
    job = await api.run("broken", *servers)
    assert [host["served"] for host in (await end_of(api, job["id"]))["hosts"]] == [None, None, None]
    again = (await api.ask(RETRY, input={"jobId": job["id"], "failedHostsOnly": True}))["retryJob"]["job"]
    assert [server["name"] for server in again["servers"]] == ["a", "b", "c"]
    await api.finished(again["id"])


LOCAL = play("ping:", hosts="localhost")
EXPECTS = [
    ("some", play("ping:", hosts="tag_b"), "SUCCESS", None, 0),
    ("some", play(FAILS_ON_A, "meta: clear_host_errors", "ping:"), "SUCCESS", None, 0),
    ("some", play(FAILS_ON_A, "ping:"), "ERROR", BOOM, 2),
    ("some", play("{debug: {msg: x}, run_once: true}", hosts="'all[1:]'"), "SUCCESS", None, 0),
    ("some", LOCAL, "ERROR",
     "no play names a, b, c: the playbook ran on localhost alone; does its `hosts:` name the servers?", 0),
    ("some", play("ping:", hosts="nowhere"), "ERROR",
     "no play names a, b, c: does the playbook's `hosts:` name a tag that is missing?", 0),
    ("localhost", LOCAL, "SUCCESS", None, 0),
    ("localhost", LOCAL + play("ping:", hosts="tag_a"), "SUCCESS", None, 0),
    ("localhost", play("{name: Break, fail: {msg: boom}}", hosts="localhost"), "ERROR",
     'failed on localhost at "Break": boom', 2),
    ("localhost", LOCAL + play(FAILS_ON_A), "ERROR", BOOM, 2),
    ("all", LOCAL, "ERROR",
     "no play names a, b, c: the playbook ran on localhost alone; does its `hosts:` name the servers?", 0),
]  # fmt: skip


async def test_a_recipe_says_what_it_expects(start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path) -> None:
    api = await start_app()
    servers = await three(api)
    for number, (expects, playbook, *_) in enumerate(EXPECTS):
        add_recipe(f"expects{number}", playbook)
        (ansible_dir / "recipes" / f"expects{number}.yml").write_text(f"expects: {expects}\n")
    jobs = [await api.run(f"expects{number}", *servers) for number in range(len(EXPECTS))]
    ended = [await end_of(api, job["id"]) for job in jobs]
    assert [(job["status"], job["message"], job["exitCode"]) for job in ended] == [case[2:] for case in EXPECTS]
    assert [host["served"] for host in ended[1]["hosts"]] == [False, True, True]


@pytest.mark.parametrize("value", ["none", "1", "[all]", "All", "''", "null", "true"])
async def test_what_a_recipe_cannot_expect(
    start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path, value: str
) -> None:
    add_recipe("odd", LOCAL)
    (ansible_dir / "recipes" / "odd.yml").write_text(f"expects: {value}\n")
    api = await start_app()
    query = 'mutation { runProvision(input: {recipe: "odd", serverIds: [1]}) { job { id } userErrors { message } } }'
    answer = (await api.ask(query))["runProvision"]
    assert answer["job"] is None
    assert answer["userErrors"][0]["message"].endswith("expects is one of all, some, localhost")
    assert (await api.ask("{ jobs { totalCount } }"))["jobs"]["totalCount"] == 0
