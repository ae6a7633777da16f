"""Text of users stays text: no template runs on this machine, no inventory line is broken, by whatever is sent."""

import asyncio
import base64
import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import FailureReason, JobStatus, ProvisionJob
from runner.outcome.judge import Outcome, judge
from tests.api.test_bad_input import refused
from tests.api.test_bad_servers import refused as refused_server
from tests.support.api import Api
from tests.support.untouched import assert_untouched, stored_bytes

AddRecipe = Callable[[str, str], None]

# Prints each value as JSON between markers, so that the log can be compared letter for letter.
PRINTS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "<<{{ [server_name, plain, nested, listed, extra, extra_nested, ansible_user] | to_json | b64encode }}>>"
      tags: [shown]
    - ansible.builtin.debug:
        var: plain
    - ansible.builtin.debug:
        var: nested
    - ansible.builtin.debug:
        msg: "{{ item }}"
      loop: "{{ listed }}"
    - ansible.builtin.debug:
        msg: "{{ item.key }}={{ item.value }}"
      loop: "{{ extra_nested | dict2items }}"
"""


def shown(log: str) -> Any:
    """The values that PRINTS has printed."""
    return json.loads(base64.b64decode(log.partition("<<")[2].partition(">>")[0]))


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """The file that every attack tries to create; at the end of a test it must not be there."""
    file = tmp_path / "marker"
    yield file
    assert not file.exists()


def attacks(marker: Path) -> list[str]:
    """Texts that would create the marker if they were run as a template, a shell word or an inventory line."""
    run = f"touch {marker}"
    return [
        f"{{{{ lookup('pipe', '{run}') }}}}",
        f"{{% set x = lookup('pipe', '{run}') %}}{{{{ x }}}}",
        f"{{{{ query('ansible.builtin.pipe', '{run}') }}}}",
        f"{{{{ cycler.__init__.__globals__.os.system('{run}') }}}}",
        f"a\nansible_connection=local\nansible_python_interpreter='{run}'",
        f"x ansible_ssh_common_args='-o ProxyCommand=\"{run}\"'",
        f"$({run})`{run}`;{run}",
        f"!!python/object/apply:os.system ['{run}']",
        f"!vault |\n  {run}",
    ]


HOME = "{{ lookup('env', 'HOME') }}"
PLAIN = ["#", "a # b", "1e5", "None", "null", "true", "0x1F", "017", "~", "- a", "a: b", "[a]", "{a",
         "'", '"', "''", '"a"',
         "%", "@x", "&a", "*a", "|", ">", "", " ", " a ", "\t", "\n", "a\r\nb", "\\", "\\n",
         "ü\u2028\x85\ufeff\U0001f600", "=", "<<", "\x1b[31m",
         "{{", "}}", "{%", "{#", "2026-11-23", "12:30:45", "NaN", ".inf", "!unsafe x", "!!binary aGk="]  # fmt: skip


async def test_values_come_out_as_they_went_in(api: Api, add_recipe: AddRecipe, marker: Path, data_dir: Path) -> None:
    add_recipe("prints", PRINTS)
    texts = [*attacks(marker), *PLAIN]
    nested = {"deep": [{"a": texts}], **{text: text for text in texts}}
    variables = {"plain": texts[0], "nested": nested, "listed": texts}
    server = await api.create_server(name=HOME, user="None", variables=variables)
    extra = {"extra": texts, "extra_nested": nested}
    job = await api.run("prints", server, extraVars=extra, idempotencyKey=texts[0])
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])

    ended = await api.job(job["id"])
    assert (ended["status"], ended["message"]) == ("SUCCESS", None)
    expected = [HOME, texts[0], nested, texts, texts, nested, "None"]
    assert shown(log) == expected
    assert json.dumps(texts[0])[1:-1] in log
    assert "__globals__.os.system" in log
    row = await ProvisionJob.get(id=1)
    assert (row.extra_vars, row.idempotency_key) == (extra, f"local:{texts[0]}")
    answer = await api.ask("{ job(id: 1) { extraVars } server(id: 1) { variables } }")
    assert answer == {"job": {"extraVars": extra}, "server": {"variables": variables}}
    assert "lookup" not in (data_dir / "jobs/1/hosts.ini").read_text()


async def test_secret_inputs_are_no_templates(api: Api, add_recipe: AddRecipe, ansible_dir: Path, marker: Path) -> None:
    """Neither their texts nor the keys inside them; what the job says of them is a hash, since they are masked."""
    hashed = "{{ secret | to_json | hash('sha256') }}"
    add_recipe(
        "hashes", f'- hosts: all\n  gather_facts: false\n  tasks: [{{ansible.builtin.debug: {{msg: "{hashed}"}}}}]\n'
    )
    (ansible_dir / "recipes" / "hashes.yml").write_text("inputs: {secret: {type: dict, no_log: true}}\n")
    texts = [
        *attacks(marker),
        "!unsafe long",
        "&anchor",
        "*alias1",
        "<<: x",
        "{{ 1 }}",
        "1e50",
        "0x1F",
        "12:30:45",
        "2026-11-23",
    ]
    secret = {"a": {text: [{text: {text: [text]}}] for text in texts}, "b": [[texts]], "<<": [1.5, 10**9, True, None]}
    await api.create_server()
    job = await api.run("hashes", "1", extraVars={"secret": secret})
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    assert (await api.job(job["id"]))["status"] == "SUCCESS", log
    digest = hashlib.sha256(json.dumps(secret, ensure_ascii=False).encode()).hexdigest()
    assert f'ok: [srv-1] => {{\n    "msg": "{digest}"\n}}' in log


async def test_server_names(api: Api, add_recipe: AddRecipe, data_dir: Path) -> None:
    add_recipe("names", "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.debug: {var: server_name}}]\n")
    names = [
        "{{ lookup('pipe', 'touch marker') }}",
        "a # b",
        "None",
        "1e5",
        "'\"",
        "a ansible_connection=ssh",
        "[all:vars]",
    ]
    servers = [await api.create_server(name=name) for name in names]
    job = await api.run("names", *servers)
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    assert (await api.job(job["id"]))["status"] == "SUCCESS"
    for number, name in enumerate(names, 1):
        assert f'ok: [srv-{number}] => {{\n    "server_name": {json.dumps(name)}\n}}' in log
    assert not (data_dir / "jobs/1/marker").exists()


async def test_text_that_reaches_ssh_or_the_command_line_is_refused(api: Api, marker: Path, data_dir: Path) -> None:
    for text in attacks(marker):
        for field in ("host", "user"):
            assert [item["field"] for item in await refused_server(api, **{field: text})] == [[field]]
        assert [item["field"] for item in await refused_server(api, tags=[text])] == [["tags"]]
        assert [item["field"] for item in await refused_server(api, variables={text: 1})] == [["variables"]]
        assert [item["field"] for item in await refused(api, tags=[text])] == [["tags"]]
        assert [item["field"] for item in await refused(api, skipTags=[text])] == [["skipTags"]]
        assert [item["field"] for item in await refused(api, extraVars={text: 1})] == [["extraVars"]]
    await assert_untouched(data_dir)


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_a_password_is_no_template(api: Api, marker: Path, data_dir: Path) -> None:
    passwords = [text for text in attacks(marker) if "\n" not in text]
    for number, password in enumerate(passwords):
        given = {"host": "127.0.0.1", "port": closed_port(), "credential": {"password": password}}
        await api.create_server(name=f"away {number}", **given)
    job = await api.run("base", *(str(number) for number in range(1, len(passwords) + 1)))
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    ended = await api.job(job["id"])
    assert (ended["status"], ended["failureReason"]) == ("ERROR", "HOST_UNREACHABLE")
    assert ended["message"] == (
        "could not reach away 0, away 1, away 2, away 3, away 4 and 2 more: "
        "connection refused; check host, port and firewall"
    )
    kept = stored_bytes(data_dir / "jobs/1")
    assert b"ansible_port" in kept
    for password in passwords:
        assert password not in log
        assert password.encode() not in kept


async def test_a_password_stays_the_text_it_is(api: Api, add_recipe: AddRecipe, marker: Path) -> None:
    hashed = "{{ ansible_password | string | hash('sha256') }}"
    add_recipe(
        "hashes", f'- hosts: all\n  gather_facts: false\n  tasks: [{{ansible.builtin.debug: {{msg: "{hashed}"}}}}]\n'
    )
    passwords = [
        "0177",
        "1e50",
        "true",
        "null",
        "None",
        "2026-11-23",
        "12345678",
        "a=b",
        "====",
        "#a b",
        *attacks(marker)[:4],
    ]
    for number, password in enumerate(passwords):
        await api.create_server(name=f"server {number}", credential={"password": password})
    job = await api.run("hashes", *(str(number) for number in range(1, len(passwords) + 1)))
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])
    assert (await api.job(job["id"]))["status"] == "SUCCESS"
    for number, password in enumerate(passwords, 1):
        digest = hashlib.sha256(password.encode()).hexdigest()
        assert f'ok: [srv-{number}] => {{\n    "msg": "{digest}"\n}}' in log


async def test_a_play_without_hosts_is_an_error(api: Api, add_recipe: AddRecipe) -> None:
    add_recipe("nobody", "- hosts: db\n  tasks: [{ansible.builtin.ping: {}}]\n")
    add_recipe("some", "- hosts: web\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: {}}]\n")
    servers = [await api.create_server(name="one", tags=["web"]), await api.create_server(name="two")]
    hint = "does the playbook's `hosts:` name a tag that is missing?"
    jobs = [await api.run(recipe, *servers) for recipe in ("nobody", "some")]
    ended = await asyncio.gather(*(api.finished(job["id"]) for job in jobs))
    assert [(job["status"], job["failureReason"]) for job in ended] == [("ERROR", "PLAYBOOK_FAILED")] * 2
    assert [job["message"] for job in ended] == [f"no play names one, two: {hint}", f"no play names two: {hint}"]


OK, BAD, AWAY = {"ok": 1}, {"ok": 1, "failed": 1}, {"unreachable": 1}
TAKEN_BACK = ", though the playbook went on to its end (a recipe may allow it: `expects: some`)"
ERROR, FAILED = JobStatus.ERROR, FailureReason.PLAYBOOK_FAILED


def end(reason: str = "exited", code: int = 0, message: str | None = None) -> dict[str, Any]:
    return {"reason": reason, "code": code, "message": message}


@pytest.mark.parametrize(
    ("exit_record", "recap", "outcome"),
    [
        (end(), {"srv-1": OK, "srv-2": OK}, Outcome(JobStatus.SUCCESS, None, None, 0)),
        (end(), {"srv-1": OK, "srv-2": OK, "srv-3": BAD}, Outcome(JobStatus.SUCCESS, None, None, 0)),
        (end(code=2), {"srv-1": BAD, "srv-2": OK}, Outcome(ERROR, FAILED, "failed on one", 2)),
        (end(), {"srv-1": BAD, "srv-2": OK}, Outcome(ERROR, FAILED, f"failed on one{TAKEN_BACK}", 0)),
        (end(code=4), {"srv-1": OK, "srv-2": AWAY},
         Outcome(ERROR, FailureReason.HOST_UNREACHABLE, "could not reach two", 4)),
        (end(code=2), {"srv-1": AWAY, "srv-2": BAD}, Outcome(ERROR, FAILED, "failed on two; could not reach one", 2)),
        (end(), {"srv-2": BAD}, Outcome(ERROR, FAILED, f"failed on two; no play names one{TAKEN_BACK}", 0)),
        (end(), {"srv-1": OK}, Outcome(ERROR, FAILED,
         "no play names two: does the playbook's `hosts:` name a tag that is missing?", 0)),
        (end(code=1), {"srv-1": OK, "srv-2": OK},
         Outcome(ERROR, FAILED, "ansible ended with exit code 1: the log says why", 1)),
        (end(), None, Outcome(ERROR, FAILED, "ansible ended without a recap: the log says why", 0)),
        (end(code=4), None,
         Outcome(ERROR, FAILED, "ansible could not run the playbook (exit code 4): the log says why", 4)),
        (end(code=-9), None, Outcome(ERROR, FailureReason.WORKER_LOST,
         "ansible was killed by SIGKILL, not by Playcast, perhaps since memory ran out: "
         "it is not known how far it came; look at the servers, then run it again", -9)),
        (end("timeout", -15, "stopped after 5 seconds"), {"srv-1": OK, "srv-2": OK},
         Outcome(ERROR, FailureReason.TIMEOUT, "stopped after 5 seconds", -15)),
        (end("exec_failed", 127, "no such program"), None,
         Outcome(ERROR, FailureReason.LAUNCH_FAILED, "no such program", 127)),
        (end("canceled", -2), None, Outcome(JobStatus.CANCELED, None, "canceled", -2)),
        (None, {"srv-1": OK, "srv-2": OK}, Outcome(ERROR, FailureReason.WORKER_LOST,
         "the job's processes were killed, or the machine stopped: it is not known how far it came", None)),
    ],
)  # fmt: skip
def test_how_a_job_ended(exit_record: dict[str, Any] | None, recap: Any, outcome: Outcome) -> None:
    assert judge(exit_record, recap, {"srv-1": "one", "srv-2": "two"}) == outcome
