"""A job prints secret inputs through each common filter, in every place of a log: not one byte of them is in clear."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.programs.masking import STARS
from tests.conftest import StartApp
from tests.jobs.test_retry import RETRY
from tests.secrets.test_leaks import holding
from tests.secrets.test_masked_log import SEEN, windows
from tests.support.api import JSON, Api

AddRecipe = Callable[[str, str], None]

SECRET = " Xk9&<w>Qj7%z\"it's/é+t4LmP$gR8v \n"
LINES = "hunter2x\n  qzj\n\nzt4LmPqw5\n"
KEYED = {"k3y-Wq8-Zt": {"V5.kLm9/Rt": [{"user": "b7Nw-2Rk"}]}}
NUMBER = 48151623
PIECES = [
    *("Xk9", "Qj7", "t4LmP", "gR8v", "hunter2", "qzj", "zt4L", "k3y-W", "Wq8", "kLm9", "b7Nw", "2Rk", "48151623"),
    *("48,151,623", "4.8151623", "XK9", "xk9"),
]
"""Of the secrets; they must be nowhere."""


def clear() -> list[str]:
    """The same, and what is certain of them in base64 and in hexadecimal digits."""
    found = set(PIECES)
    for secret in (SECRET.strip(), LINES.strip(), "hunter2x", "zt4LmPqw5"):
        for before in range(3):
            certain = base64.b64encode(bytes(before) + secret.encode()).decode()[2 * before : -4]
            found |= windows(certain)
        found |= windows(secret.encode().hex(), 12) | windows(secret.encode().hex(" "), 24)
    return sorted(found)


FILTERS = {
    "plain": "s",
    "trim": "s | trim",
    "split": "m | split",
    "splitlines": "m.splitlines()",
    "b64encode": "s | b64encode",
    "b64encode of a line": "s | trim | b64encode",
    "b64encode after one byte": "('x' ~ s) | b64encode",
    "b64encode of JSON": "{'password': s} | to_json | b64encode",
    "urlencode": "s | urlencode",
    "urlencode of a form": "{'q': s} | urlencode",
    "quote": "s | quote",
    "to_json": "s | to_json",
    "to_json twice": "s | to_json | to_json",
    "to_nice_json": "{'a': [s]} | to_nice_json",
    "tojson": "s | tojson",
    "to_yaml": "{'a': s} | to_yaml",
    "to_nice_yaml": "{'a': [s, m]} | to_nice_yaml",
    "indent": "m | indent(8, true)",
    "comment": "m | comment",
    "upper": "s | upper",
    "lower": "s | lower",
    "capitalize": "s | capitalize",
    "title": "s | title",
    "regex_escape": "s | regex_escape",
    "string of a list": "[s, m] | string",
    "string of a mapping": "k | string",
    "keys": "k.keys() | list",
    "dict2items": "k | dict2items",
    "escape": "s | escape",
    "escape, urlencode": "s | escape | urlencode",
    "xmlattr": "{'a': s} | xmlattr",
    "pprint": "[s, k] | pprint",
    "format": "'%s and %r' | format(s, m)",
    "replace": "m | replace('\\n', ', ')",
    "number": "n",
    "number in a text": "'no. %d' | format(n)",
    "number with commas": "'{:,}'.format(n)",
    "number as a float": "n | float",
    "number in Go": "'%.7e' | format(n)",
}
PROGRAMS = {
    "bash": 'printf \'%q\\n\' "$1" "$2"; printf \'%s\\n\' "${1@Q}" "${2@Q}"; set -x; : "$1" "$2"',
    "base64": 'printf \'some %s\' "$1" | base64 -w 16; printf %s "$2" | base64',
    "od": "printf %s \"$1\" | od -An -v -tx1 | tr -d '\\n'; echo",
    "ls": 'ls "$1"; ls --quoting-style=c "$2"; ls -b "$1"',
    "a traceback": 'python3 -c \'import sys; raise KeyError(sys.argv)\' "$1" "$2"',
}


def playbook(folder: Path) -> str:
    """JSON, which YAML reads as well."""
    said = {name: f"<{name}> {{{{ {filters} }}}}" for name, filters in FILTERS.items()}
    tasks: list[dict[str, Any]] = [
        {"name": "One by one {{ s }}", "ansible.builtin.debug": {"msg": "{{ item }}"}, "loop": list(said.values())},
        {"name": "All at once", "ansible.builtin.debug": {"msg": said}},
        {"name": "As they are", "ansible.builtin.debug": {"var": "[s, m, k, n]"}},
        {"name": "In a loop", "ansible.builtin.debug": {"msg": "{{ item }}"}, "loop": "{{ [s, m, k, n] }}"},
        {"name": "In a file", "ansible.builtin.copy": {"dest": f"{folder}/file", "content": "a\n{{ m }}b\n{{ s }}"}},
        {"name": "In a file", "ansible.builtin.copy": {"dest": f"{folder}/file", "content": "{{ s }}\n{{ m }}"}},
        {"name": "In a line", "ansible.builtin.lineinfile": {"path": f"{folder}/file", "line": "is {{ s | trim }}"}},
        {"name": "Gone", "ansible.builtin.file": {"path": f"{folder}/file", "state": "absent"}},
        {"name": "Fails {{ m }}", "ansible.builtin.fail": {"msg": "{{ s }} and {{ k }}"}, "ignore_errors": True},
    ]
    tasks += [
        {
            "name": name,
            "ansible.builtin.command": {"argv": ["bash", "-c", script, "name", "{{ s }}", "{{ m }}"]},
            "ignore_errors": True,
        }
        for name, script in PROGRAMS.items()
    ]
    variables = {"s": "{{ secret }}", "m": "{{ lines }}", "k": "{{ keyed }}", "n": "{{ number }}"}
    return json.dumps([{"name": "Prints", "hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}])


SIDECAR = """
inputs:
  secret: {type: str, no_log: true}
  lines: {type: str, no_log: true}
  keyed: {type: dict, no_log: true}
  number: {type: int, no_log: true}
  greeting: {type: dict}
"""
GIVEN = {"secret": SECRET, "lines": LINES, "keyed": KEYED, "number": NUMBER}
# What a client sends besides, in clear: it may hold a secret, and is part of what the playbook knows.
GREETING = {"text": f"is {SECRET.strip()} so?", "list": [NUMBER, 4815, True, None, 1.5], "k3y-Wq8-Zt": "x"}
GREETING_SHOWN = {"text": f"is {STARS} so?", "list": [STARS, 4815, True, None, 1.5], STARS: "x"}


@pytest.fixture
def told(ansible_dir: Path, add_recipe: AddRecipe, tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    add_recipe("prints", playbook(tmp_path / "folder"))
    (ansible_dir / "recipes" / "prints.yml").write_text(SIDECAR)
    return ansible_dir


@pytest.mark.parametrize("form", ["json", "yaml"])
async def test_not_a_byte_is_in_clear(told: Path, start_app: StartApp, data_dir: Path, form: str) -> None:
    config = told / "ansible.cfg"
    config.write_text(config.read_text().replace("[defaults]", f"[defaults]\ncallback_result_format = {form}"))
    api: Api = await start_app()
    server = await api.create_server()

    job = await api.run("prints", server, extraVars=GIVEN, diff=True)
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])

    ended = await api.job(job["id"])
    assert (ended["status"], ended["message"]) == ("SUCCESS", None), log
    seen = json.dumps(await api.ask(SEEN), ensure_ascii=False)
    # Each filter was printed, with stars behind its name, in a line of its own and in the events.
    for name in FILTERS:
        assert re.search(rf"<{re.escape(name)}>(?:(?!<[a-z]).)*?{re.escape(STARS)}", log, re.DOTALL), name
        assert re.search(rf"<{re.escape(name)}>(?:(?!<[a-z]).)*?{re.escape(STARS)}", seen), name
    assert f"TASK [One by one  {STARS}" in log
    assert f"TASK [Fails {STARS}" in log
    assert "+++ after" in log
    assert [line for line in log.splitlines() if line.startswith(("+", "-")) and STARS in line]
    assert seen.count(STARS) > 100
    assert [piece for piece in clear() if piece in log] == []
    assert [piece for piece in clear() if piece in seen] == []
    # Of files of any kind, short ones are in some by chance.
    assert holding(data_dir, [piece.encode() for piece in clear() if len(piece) > 4]) == []
    assert (await api.ask("{ job(id: 1) { extraVars } }")) == {"job": {"extraVars": None}}


async def test_what_the_api_shows_of_variables_agrees_with_the_log(told: Path, start_app: StartApp) -> None:
    api: Api = await start_app(mask_words="so-secret-word")
    server = await api.create_server()
    job = await api.run("prints", server, extraVars={**GIVEN, "greeting": {**GREETING, "w": "a so-secret-word"}})
    expected = {"greeting": {**GREETING_SHOWN, "w": f"a {STARS}"}}
    assert await api.ask("{ job(id: 1) { extraVars } }") == {"job": {"extraVars": expected}}
    await api.finished(job["id"])
    # What ran is what was sent.
    retried = await api.ask(RETRY, input={"jobId": job["id"]})
    assert retried["retryJob"]["userErrors"] == []
    assert await api.ask("{ job(id: 2) { extraVars } }") == {"job": {"extraVars": expected}}
    await api.finished(retried["retryJob"]["job"]["id"])


async def test_variables_without_a_secret_are_shown_as_they_are(start_app: StartApp) -> None:
    api: Api = await start_app(mask_words="so-secret-word")
    server = await api.create_server()
    given: JSON = {"a": [1, 1.5, True, None, "x"], "b": {"c": {"d": "e"}}}
    await api.finished((await api.run("base", server, extraVars=given))["id"])
    assert await api.ask("{ job(id: 1) { extraVars } }") == {"job": {"extraVars": given}}


def test_the_pieces_are_of_the_secrets() -> None:
    """The search itself works."""
    every = SECRET + LINES + json.dumps(KEYED) + f"{NUMBER} {NUMBER:,} {NUMBER:.7e}" + SECRET.upper() + SECRET.lower()
    assert [piece for piece in PIECES if piece not in every] == []
    encoded = base64.b64encode(f"xy{SECRET.strip()}".encode()).decode()
    assert len([piece for piece in clear() if piece in encoded]) > 20
    assert len([piece for piece in clear() if piece in LINES.encode().hex(" ")]) > 20
