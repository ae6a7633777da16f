"""A key stands for one request: repeated it finds its job, and with another request it is refused by name."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from models import ProvisionJob
from runner.jobs import launch
from tests.conftest import StartApp
from tests.support.api import JSON, Api
from tests.support.standin import make_program

RUN = """
mutation Run($input: RunProvisionInput!) {
  runProvision(input: $input) { job { number } userErrors { code message field } }
}
"""
RETRY = """
mutation Retry($input: RetryJobInput!) {
  retryJob(input: $input) { job { number } userErrors { code message field } }
}
"""
SIDECAR = "inputs: {token: {no_log: true}, level: {type: raw}}\n"
FIRST: JSON = {
    "recipe": "base", "serverIds": ["1", "2"], "extraVars": {"token": "tk-0af3-is-secret", "level": 1},
    "tags": ["a", "b"], "skipTags": ["c"], "check": True, "diff": False, "priority": 3, "timeoutSeconds": 60,
    "idempotencyKey": "order-1",
}  # fmt: skip
SAME: list[JSON] = [
    {},
    {"recipe": "base.yml"},
    {"serverIds": ["2", "1"]},
    {"extraVars": {"level": 1, "token": "tk-0af3-is-secret"}},
    {"timeoutSeconds": None},
]
OTHER: list[tuple[JSON, str]] = [
    ({"recipe": "demo"}, "recipe"),
    ({"serverIds": ["1"]}, "serverIds"),
    ({"serverIds": ["1", "2", "3"]}, "serverIds"),
    ({"serverIds": ["1", "3"]}, "serverIds"),
    ({"extraVars": {"level": 1}}, "extraVars"),
    ({"extraVars": None}, "extraVars"),
    ({"extraVars": {"token": "tk-0af3-is-other!", "level": 1}}, "extraVars"),
    ({"extraVars": {"token": "tk-0af3-is-secret", "level": True}}, "extraVars"),
    ({"extraVars": {"token": "tk-0af3-is-secret", "level": 1.0}}, "extraVars"),
    ({"extraVars": {"token": "tk-0af3-is-secret", "level": "1"}}, "extraVars"),
    ({"check": False}, "check"),
    ({"diff": True}, "diff"),
    ({"tags": ["b", "a"]}, "tags"),
    ({"tags": []}, "tags"),
    ({"skipTags": None}, "skipTags"),
    ({"priority": 4}, "priority"),
    ({"timeoutSeconds": 61}, "timeoutSeconds"),
    ({"recipe": "demo", "serverIds": ["3"], "check": False}, "recipe, serverIds, check"),
]


@pytest.fixture
async def shop(start_app: StartApp, ansible_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """An app with three servers whose jobs run a cheap program."""
    (ansible_dir / "recipes" / "base.yml").write_text(SIDECAR)
    (tmp_path / "marks").mkdir()
    program = make_program(tmp_path, tmp_path / "marks", 0.0)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: program)
    api = await start_app()
    for name in ("one", "two", "three"):
        await api.create_server(name=name)
    return api


async def run(api: Api, **given: Any) -> JSON:
    answer: JSON = (await api.ask(RUN, input={**FIRST, **given}))["runProvision"]
    return answer


def conflict(differing: str) -> JSON:
    message = (
        f"this key was used for job 1, which is another request ({differing}): "
        "use a new key for each request, and the same one only to repeat it"
    )
    problem = {"code": "IDEMPOTENCY_CONFLICT", "message": message, "field": ["idempotencyKey"]}
    return {"job": None, "userErrors": [problem]}


async def test_a_request_is_repeated_or_refused(shop: Api) -> None:
    assert await run(shop) == {"job": {"number": 1}, "userErrors": []}
    for given in SAME:
        assert (given, await run(shop, **given)) == (given, {"job": {"number": 1}, "userErrors": []})
    for given, differing in OTHER:
        assert (given, await run(shop, **given)) == (given, conflict(differing))
    assert await ProvisionJob.all().count() == 1
    # The secret that differs is told by name alone, and another key is another request.
    assert (await run(shop, idempotencyKey="order-2", check=False))["job"] == {"number": 2}


async def test_of_many_at_once_those_that_differ_are_refused(shop: Api) -> None:
    answers = await asyncio.gather(*(run(shop, priority=number % 2) for number in range(10)))
    jobs = [answer["job"] for answer in answers]
    assert jobs.count({"number": 1}) == 5
    assert jobs.count(None) == 5
    refused = [answer for answer in answers if answer["job"] is None]
    assert refused == [conflict("priority")] * 5
    assert await ProvisionJob.all().count() == 1


async def test_a_server_that_was_deleted_since_changes_nothing(shop: Api) -> None:
    job = (await run(shop))["job"]
    await shop.finished(str(job["number"]))
    await shop.ask('mutation { deleteServer(input: {id: "2"}) { userErrors { code } } }')
    assert await run(shop) == {"job": {"number": 1}, "userErrors": []}
    assert await run(shop, serverIds=["1"]) == conflict("serverIds")


async def test_retries_and_runs_do_not_share_a_key(shop: Api) -> None:
    await run(shop)
    await shop.finished("1")
    again = {"jobId": "1", "idempotencyKey": "again"}

    async def retry(**given: Any) -> JSON:
        answer: JSON = (await shop.ask(RETRY, input={**again, **given}))["retryJob"]
        return answer

    assert await retry() == {"job": {"number": 2}, "userErrors": []}
    assert await retry() == {"job": {"number": 2}, "userErrors": []}
    await shop.finished("2")
    assert (await retry(jobId="2"))["userErrors"][0]["message"].startswith(
        "this key was used for job 2, which is another request (a retry of job 1): "
    )
    assert (await retry(failedHostsOnly=True))["userErrors"][0]["message"].startswith(
        "this key was used for job 2, which is another request (failedHostsOnly): "
    )
    assert (await retry(idempotencyKey="order-1"))["userErrors"][0]["message"].startswith(
        "this key was used for job 1, which is another request (no retry): "
    )
    assert (await run(shop, idempotencyKey="again"))["userErrors"][0]["message"].startswith(
        "this key was used for job 2, which is another request (a retry of job 1): "
    )
    assert await ProvisionJob.all().count() == 2
