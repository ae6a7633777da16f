"""retryJob: the same again, on all hosts or on those that failed, with its secrets kept and every refusal explained."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from models import JobEvent, JobHost, ProvisionJob
from runner.jobs import launch
from runner.secrets.vault import Vault, key_from_file
from tests.conftest import StartApp
from tests.support.api import JSON, Api
from tests.support.standin import make_program
from tests.support.untouched import assert_untouched, stored_bytes

RETRY = """
mutation Retry($input: RetryJobInput!) {
  retryJob(input: $input) {
    job { id number status extraVars retryOf { number } servers { name } }
    userErrors { code message field }
  }
}
"""
FLAKY = """
- name: Flaky
  hosts: all
  gather_facts: false
  tasks:
    - name: Needs a file of its server
      ansible.builtin.command: test -e {folder}/{{{{ server_name }}}}
      changed_when: false
"""
SECRETIVE = """
- name: Uses a secret
  hosts: all
  gather_facts: false
  tasks:
    - name: Know it
      ansible.builtin.assert: {that: api_token | length == 17}
"""
SIDECAR = "inputs:\n  api_token: {type: str, required: true, no_log: true}\n  level: {type: int}\n"
TOKEN = "tk-0af3-is-secret"
CANCEL = "mutation { cancelJob(input: {jobId: %d}) { userErrors { code } } }"


@dataclass(frozen=True)
class Shop:
    """An app whose jobs run a cheap program, with two servers: its jobs have the numbers 1, 2, and so on."""

    api: Api
    data_dir: Path
    servers: list[str]

    async def ended(self, recipe: str = "base", **options: Any) -> JSON:
        """A job on both servers, once it has ended."""
        return await self.api.finished((await self.api.run(recipe, *self.servers, **options))["id"])

    async def retry(self, **given: Any) -> JSON:
        """What retryJob answers."""
        answer: JSON = (await self.api.ask(RETRY, input=given))["retryJob"]
        return answer

    async def retried(self, **given: Any) -> JSON:
        """The new job, which must come without errors."""
        answer = await self.retry(**given)
        assert answer["userErrors"] == []
        job: JSON = answer["job"]
        return job


async def shop_on(api: Api, data_dir: Path) -> Shop:
    return Shop(api, data_dir, [await api.create_server(name=name) for name in ("one", "two")])


@pytest.fixture
async def shop(start_app: StartApp, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    (tmp_path / "marks").mkdir()
    program = make_program(tmp_path, tmp_path / "marks", 0.0)
    monkeypatch.setattr(launch, "find_ansible_playbook", lambda: program)
    # A worker that looked in time would end a job that is only said to run.
    monkeypatch.setattr("runner.jobs.worker.STRAY_SECONDS", 3600)
    return await shop_on(await start_app(), data_dir)


def names(job: JSON) -> list[str]:
    return [server["name"] for server in job["servers"]]


async def test_a_failed_host_is_run_again_alone_or_with_all(
    api: Api, data_dir: Path, add_recipe: Callable[[str, str], None], tmp_path: Path
) -> None:
    add_recipe("flaky", FLAKY.format(folder=tmp_path / "files"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files/one").touch()
    real = await shop_on(api, data_dir)
    first = await real.ended("flaky")
    assert (first["status"], first["failureReason"]) == ("ERROR", "PLAYBOOK_FAILED")

    (tmp_path / "files/two").touch()
    second = await real.retried(jobId=first["id"], failedHostsOnly=True)
    assert (second["number"], second["status"], names(second)) == (2, "PENDING", ["two"])
    assert second["retryOf"] == {"number": 1}
    assert (await api.finished(second["id"]))["status"] == "SUCCESS"
    assert (await api.job(first["id"]))["status"] == "ERROR"
    # Not a word of the server that needed nothing.
    assert "srv-1" not in (data_dir / "jobs/2/hosts.ini").read_text()

    (tmp_path / "files/one").unlink()
    third = await real.retried(jobId=first["id"])
    assert (third["number"], names(third), third["retryOf"]) == (3, ["one", "two"], {"number": 1})
    assert (await api.finished(third["id"]))["status"] == "ERROR"
    fourth = await real.retried(jobId="3", failedHostsOnly=True)
    assert names(fourth) == ["one"]
    await api.finished(fourth["id"])


async def test_options_and_variables_are_those_of_the_old_job(shop: Shop) -> None:
    options: JSON = {
        "check": True,
        "diff": True,
        "tags": ["a", "b"],
        "skipTags": ["c"],
        "timeoutSeconds": 77,
        "priority": 5,
    }
    first = await shop.ended(extraVars={"level": [1, {"x": None}]}, **options)

    second = await shop.retried(jobId=first["id"], idempotencyKey="once")

    assert second["extraVars"] == {"level": [1, {"x": None}]}
    await shop.api.finished(second["id"])
    old, new = await ProvisionJob.all().order_by("id")
    kept = ("recipe", "revision", "check_mode", "diff", "tags", "skip_tags", "timeout_seconds", "priority")
    assert [vars(old)[name] for name in kept] == [vars(new)[name] for name in kept]
    assert [vars(new)[name] for name in kept[2:]] == [True, True, ["a", "b"], ["c"], 77, 5]
    assert (new.retry_of_id, new.idempotency_key, old.idempotency_key) == (old.id, "local:once", None)


async def test_secret_inputs_are_kept_encrypted_and_used_again(
    api: Api, data_dir: Path, ansible_dir: Path, add_recipe: Callable[[str, str], None]
) -> None:
    add_recipe("secretive", SECRETIVE)
    sidecar = ansible_dir / "recipes/secretive.yml"
    sidecar.write_text(SIDECAR)
    real = await shop_on(api, data_dir)
    first = await real.ended("secretive", extraVars={"api_token": TOKEN, "level": 3})
    assert first["status"] == "SUCCESS"
    # A recipe that no longer says that it is one does not bring it to light.
    sidecar.unlink()

    second = await real.retried(jobId=first["id"])

    assert second["extraVars"] == {"level": 3}
    assert (await api.finished(second["id"]))["status"] == "SUCCESS"
    third = await real.retried(jobId=second["id"])
    assert third["extraVars"] == {"level": 3}
    assert (await api.finished(third["id"]))["status"] == "SUCCESS"
    vault = Vault(key_from_file(data_dir / "secret.key"))
    for row in await ProvisionJob.all():
        assert (row.extra_vars, vault.unlock(row.secret_vars or b"")) == ({"level": 3}, {"api_token": TOKEN})
    assert TOKEN.encode() not in stored_bytes(data_dir)


async def test_a_job_that_never_started_counts_as_failed_everywhere(
    start_app: StartApp, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        """No slot ever becomes free."""

    monkeypatch.setattr("runner.queue.dispatch.LocalDispatcher.work", nothing)
    shop = await shop_on(await start_app(), data_dir)
    await shop.api.run("base", *shop.servers)
    await shop.api.ask(CANCEL % 1)
    again = await shop.retried(jobId="1", failedHostsOnly=True)
    assert (again["number"], again["status"], names(again)) == (2, "PENDING", ["one", "two"])


async def test_a_key_makes_one_job_however_often_it_comes(shop: Shop) -> None:
    first = await shop.ended()
    second = await shop.retried(jobId=first["id"], idempotencyKey="again")
    await shop.api.finished(second["id"])
    assert (await shop.retried(jobId=first["id"], idempotencyKey="again"))["number"] == 2
    # The call is one that was carried out, whatever would refuse it today.
    await shop.api.ask('mutation { deleteServer(input: {id: "1"}) { deletedId } }')
    assert (await shop.retried(jobId=first["id"], idempotencyKey="again"))["number"] == 2
    assert (await shop.retry(jobId=first["id"]))["userErrors"][0]["code"] == "NOT_FOUND"
    await assert_untouched(shop.data_dir, servers=1, jobs=2)


async def _delete_server(_shop: Shop, _ansible_dir: Path) -> None:
    await _shop.api.ask('mutation { deleteServer(input: {id: "2"}) { deletedId } }')


async def _remove_recipe(_shop: Shop, ansible_dir: Path) -> None:
    (ansible_dir / "playbooks/base.yml").unlink()


async def _need_more(_shop: Shop, ansible_dir: Path) -> None:
    (ansible_dir / "recipes/base.yml").write_text("inputs: {release: {type: str, required: true}}\n")


async def _lose_key(_shop: Shop, _ansible_dir: Path) -> None:
    other = Vault(Fernet.generate_key().decode())
    await ProvisionJob.filter(id=1).update(secret_vars=other.lock({"a": "b"}))


async def _run_on(_shop: Shop, _ansible_dir: Path) -> None:
    await ProvisionJob.filter(id=1).update(status="RUNNING", ended_at=None)


async def _nothing(_shop: Shop, _ansible_dir: Path) -> None:
    """Job 1 has ended well on both servers."""


LOST_KEY = "a stored secret cannot be read: it was encrypted with another PLAYCAST_SECRET_KEY"
ALL_WELL = "job 1 came to its end on every server: leave failedHostsOnly out to run it on all of them"
NO_KEY = "an idempotency key has 1 to 128 characters"
REFUSALS: dict[str, tuple[Callable[[Shop, Path], Awaitable[None]], JSON, tuple[str, str, list[str]]]] = {
    "no such job": (_nothing, {"jobId": "99"}, ("NOT_FOUND", "there is no job 99", ["jobId"])),
    "no id": (
        _nothing,
        {"jobId": "x"},
        ("INVALID", '"x" is not a valid id: use an `id` that this API gave you, or the bare number', ["jobId"]),
    ),
    "not ended": (
        _run_on,
        {"jobId": "1"},
        ("JOB_NOT_FINISHED", "job 1 has not ended yet: wait for its end, or cancel it first", ["jobId"]),
    ),
    "none failed": (_nothing, {"jobId": "1", "failedHostsOnly": True}, ("INVALID", ALL_WELL, ["failedHostsOnly"])),
    "server gone": (
        _delete_server,
        {"jobId": "1"},
        ("NOT_FOUND", "job 1 ran on servers that were deleted since: two", ["jobId"]),
    ),
    "recipe gone": (
        _remove_recipe,
        {"jobId": "1"},
        ("RECIPE_NOT_ALLOWED", '"base" is not a recipe; the recipes here are: demo', ["jobId"]),
    ),
    "recipe changed": (_need_more, {"jobId": "1"}, ("INVALID", "release is required by this recipe", ["jobId"])),
    "other secret key": (_lose_key, {"jobId": "1"}, ("INVALID", LOST_KEY, ["jobId"])),
    "empty key": (_nothing, {"jobId": "1", "idempotencyKey": ""}, ("INVALID", NO_KEY, ["idempotencyKey"])),
    "long key": (_nothing, {"jobId": "1", "idempotencyKey": "k" * 129}, ("INVALID", NO_KEY, ["idempotencyKey"])),
}


@pytest.mark.parametrize(("before", "given", "problem"), REFUSALS.values(), ids=REFUSALS)
async def test_what_cannot_be_retried_says_why(
    shop: Shop,
    ansible_dir: Path,
    before: Callable[[Shop, Path], Awaitable[None]],
    given: JSON,
    problem: tuple[str, str, list[str]],
) -> None:
    assert (await shop.ended())["status"] == "SUCCESS"
    await before(shop, ansible_dir)
    servers, events = await JobHost.filter(server_id__isnull=False).count(), await JobEvent.all().count()

    answer = await shop.retry(**given)

    code, message, field = problem
    assert answer == {"job": None, "userErrors": [{"code": code, "message": message, "field": field}]}
    await assert_untouched(shop.data_dir, servers=servers, jobs=1)
    assert await JobEvent.all().count() == events
    assert sorted(path.name for path in (shop.data_dir / "jobs").iterdir()) == ["1"]


async def test_of_a_job_that_is_gone_nothing_is_told(shop: Shop) -> None:
    first = await shop.ended()
    second = await shop.retried(jobId=first["id"])
    await shop.api.finished(second["id"])
    await ProvisionJob.filter(id=1).delete()
    query = "query Q($id: ID!) { job(id: $id) { retryOf { number } } }"
    assert await shop.api.ask(query, id=second["id"]) == {"job": {"retryOf": None}}
    assert (await shop.retry(jobId="1"))["userErrors"][0]["code"] == "NOT_FOUND"
