"""A real playbook prints its secrets in every form: no file, no stored chunk and no answer of the API holds one."""

import base64
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from playcast import settings
from runner.errors import PlaycastError
from runner.programs.masking import STARS
from tests.conftest import StartApp
from tests.secrets.test_leaks import holding
from tests.support.api import Api

AddRecipe = Callable[[str, str], None]

PASSWORD = "k9XwQ7\"it's\\zt4LmP é$"
"""Ansible prints nothing as it is: each form is met inside JSON."""
TOKEN = "hJ2-vR8_sN5"
PIN = 731942
EXTRA = "hq4x-qoru-zw71"
ANSIBLES_OWN = "$REDACTED$"
"""What ansible-core 2.22 puts by itself in the place of secrets that it knows."""

PRINTS = """
- name: Tells everything
  hosts: all
  gather_facts: false
  vars:
    secret: "{{ ansible_password }}"
    ways:
      plain: "{{ secret }}"
      json: "{{ secret | to_json }}"
      twice: "{{ secret | to_json | to_json }}"
      tojson: "{{ secret | tojson }}"
      repr: "{{ [secret] | string }}"
      quote: "{{ secret | quote }}"
      urlencode: "{{ secret | urlencode }}"
      base64: "{{ secret | b64encode }}"
      basic: "{{ ('user:' ~ secret) | b64encode }}"
      yaml: "{{ secret | to_nice_yaml }}"
      token: "{{ api_token }}"
      pin: "no. {{ nested.list[0].pin }}"
      name: "at hq4x-qoru-zw71.example"
  tasks:
    - name: Print {{ secret }}
      ansible.builtin.debug:
        msg: "<{{ item.key }}={{ item.value }}>"
      loop: "{{ ways | dict2items }}"
      loop_control:
        label: "{{ item }}"
    - name: Print all at once
      ansible.builtin.debug:
        var: ways
    - name: Let a program print and fail
      ansible.builtin.command:
        argv: [python3, -c, "import sys; print(sys.argv); sys.exit(sys.argv[1])", "{{ secret }}"]
      delegate_to: localhost
      ignore_errors: true
    - name: Name it in a message
      ansible.builtin.fail:
        msg: "{{ secret }} is wrong, {{ api_token }} too"
      ignore_errors: true
    - name: Warn by way of a worker
      ansible.builtin.debug:
        msg: "{{ undefined_variable_of[secret] | default(secret) }}"
    - name: Hand it to the plugin that prints letter by letter
      ansible.builtin.debug:
        msg: "letters {{ secret }}"
"""
PRINTED = [
    "<plain=*>",
    '<json=\\"*\\">',
    r"<twice=\"\\\"*\\\"\">",
    '<tojson=\\"*\\">',
    "<repr=['*']>",
    "<quote='*'>",
    "<urlencode=*>",
    "<base64=*>",
    # "user" and two bits of the colon; no character of the secret.
    "<basic=dXNlcjp*>",
    r"<yaml=*\n>",
    "<token=*>",
    "<pin=no. *>",
    "<name=at *.example>",
]
SIDECAR = "inputs:\n  api_token: {type: str, no_log: true}\n  nested: {type: dict, no_log: true}\n"
LETTERS = '''
import sys
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    """Prints one result letter by letter, and flushes each."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "letters"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result):
        message = str(result._result.get("msg", ""))
        for letter in message + "\\n" if message.startswith("letters ") else "":
            sys.stderr.write(letter)
            sys.stderr.flush()
'''

SEEN = """
{
  job(id: "1") {
    message extraVars
    log(maxBytes: 1048576) { chunks { text } }
    events(first: 100) {
      nodes {
        ... on PlayStartedEvent { play }
        ... on TaskStartedEvent { task }
        ... on HostTaskEvent { task message result }
      }
    }
  }
}
"""


def windows(text: str, size: int = 8) -> set[str]:
    """Every run of so many characters."""
    return {text[start : start + size] for start in range(len(text) - size + 1)}


def traces(secret: str) -> list[bytes]:
    """Pieces of a secret that must be nowhere: runs of letters and digits, and what base64 makes of it."""
    found = set(re.findall(r"\w{3,}", secret, re.ASCII))
    for before in ("", "u", "us"):
        certain = base64.b64encode((before + secret).encode()).decode()[4 if before else 0 : -4]
        found |= windows(certain)
    return [piece.encode() for piece in sorted(found)]


@pytest.fixture
def ansible_dir_that_tells(ansible_dir: Path, add_recipe: AddRecipe) -> Path:
    add_recipe("tells", PRINTS)
    (ansible_dir / "recipes" / "tells.yml").write_text(SIDECAR)
    plugins = ansible_dir / "playbooks" / "callback_plugins"
    plugins.mkdir()
    (plugins / "letters.py").write_text(LETTERS)
    config = ansible_dir / "ansible.cfg"
    config.write_text(config.read_text().replace("[defaults]\n", "[defaults]\ncallbacks_enabled = letters\n"))
    return ansible_dir


async def test_no_form_of_a_secret_is_anywhere(
    ansible_dir_that_tells: Path, start_app: StartApp, data_dir: Path, tmp_path: Path
) -> None:
    api: Api = await start_app(mask_words=f"\n{EXTRA}\n")
    server = await api.create_server(host="127.0.0.1", port=1, credential={"password": PASSWORD})
    extra = {"api_token": TOKEN, "nested": {"list": [{"pin": PIN, "on": True, "off": None}]}}

    job = await api.run("tells", server, extraVars=extra)
    log = "".join([chunk["text"] async for chunk in api.log(job["id"])])

    ended = await api.job(job["id"])
    assert (ended["status"], ended["failureReason"]) == ("SUCCESS", None)
    shown = log.replace(ANSIBLES_OWN, STARS)
    # What was printed is there, with nothing but stars in the place of the secrets.
    assert [line.replace(STARS, "*") for line in re.findall(r'"msg": "(<.*)"', shown)] == PRINTED
    assert f"TASK [Print {STARS}] ***" in shown
    assert f'"stderr": "{STARS}", "stderr_lines": ["{STARS}"], "stdout": "[\'-c\', \'{STARS}\']"' in shown
    assert f"Action failed: {STARS} is wrong, {STARS} too\n" in shown
    assert f"\nletters {STARS}\n" in shown
    words = [trace for secret in (PASSWORD, TOKEN, str(PIN), EXTRA) for trace in traces(secret)]
    assert holding(data_dir, words) == []
    async with api.client.get("/ansible/jobs/1/log") as response:
        assert await response.text() == log
    seen = json.dumps(await api.ask(SEEN))
    assert STARS in seen
    assert [word for word in words if word.decode() in seen + log] == []
    # The search itself works: it finds each form that was printed.
    for number, form in enumerate([shlex.quote(PASSWORD), base64.b64encode(b"x" + PASSWORD.encode()).decode(), EXTRA]):
        (tmp_path / "shown").mkdir(exist_ok=True)
        (tmp_path / "shown" / str(number)).write_text(form)
        assert holding(tmp_path / "shown", words)
        (tmp_path / "shown" / str(number)).unlink()


def test_more_words_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_text("\n one word per line \r\n\nanother\n")
    assert settings.load({}).masked_words == ()
    assert settings.load({}, mask_words="ab\nb c\n").masked_words == ("ab", "b c")
    assert settings.load({}, mask_words_file=file).masked_words == ("one word per line", "another")
    with pytest.raises(PlaycastError, match="set PLAYCAST_MASK_WORDS or PLAYCAST_MASK_WORDS_FILE, not both"):
        settings.load({}, mask_words="ab", mask_words_file=file)
