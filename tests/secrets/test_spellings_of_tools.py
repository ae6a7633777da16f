"""What real tools make of a secret, and ansible's own filters: no letter of it is left in what is printed."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.nodejs import require_node
from tests.support.spelt import EDGES, SIGNS, clear


def secrets() -> list[str]:
    """The same at random, always the same ones."""
    chosen = random.Random(5)  # noqa: S311 (the same ones in each run)
    found = []
    for _ in range(120):
        inside = "".join(chosen.choice(SIGNS) for _ in range(chosen.randint(6, 24)))
        found.append(chosen.choice("aB7é") + inside + chosen.choice("abc") + chosen.choice(EDGES))
    return found


SOME = secrets()


def check(tool: str, written: Sequence[str], words: Sequence[str] = SOME) -> None:
    """Each secret has been written, and nothing is left of it."""
    assert len(written) == len(words), tool
    assert [(word, text) for word, text in zip(words, written, strict=True) if clear(word, text)] == [], tool


def run(command: Sequence[str], given: bytes = b"", **environment: str) -> list[str]:
    """What a program prints, which ends each text with a zero."""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment}
    done = subprocess.run(command, input=given, env=env, capture_output=True, check=True, timeout=120)
    return done.stdout.decode(errors="replace").split("\0")[:-1]


ZERO_ENDED = "".join(f"{secret}\0" for secret in SOME).encode()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("command", ["printf '%q\\0' \"$x\"", "printf '%s\\0' \"${x@Q}\"", "printf '%s\\0' \"${x@E}\""])
def test_bash(command: str, locale: str) -> None:
    words = [secret for secret in SOME if "\\" not in secret] if "@E" in command else SOME
    given = "".join(f"{secret}\0" for secret in words).encode()
    check(command, run(["bash", "-c", f'while IFS= read -r -d "" x; do {command}; done'], given, LC_ALL=locale), words)


@pytest.mark.parametrize("style", ["literal", "shell", "shell-always", "shell-escape", "c", "escape"])
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_names_of_files(tmp_path: Path, style: str, locale: str) -> None:
    """As ls writes them, and coreutils in their messages."""
    names = [secret for secret in SOME if "/" not in secret][:40]
    written = []
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).touch()
        done = subprocess.run(
            ["ls", f"--quoting-style={style}"], cwd=folder, env={"PATH": os.environ["PATH"], "LC_ALL": locale},
            capture_output=True, check=True,
        )  # fmt: skip
        written.append(done.stdout.decode(errors="replace").removesuffix("\n"))
    check(style, written, names)


def test_git(tmp_path: Path) -> None:
    names = [secret for secret in SOME if "/" not in secret][:40]
    for number, name in enumerate(names):
        (tmp_path / f"{number:02}").mkdir()
        (tmp_path / f"{number:02}" / name).touch()
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["git", "ls-files"], cwd=tmp_path, check=True, capture_output=True, text=True)
    check("git", [line.strip('"')[3:] for line in done.stdout.splitlines()], names)


@pytest.mark.parametrize(
    "function",
    [
        "encodeURIComponent",
        "encodeURI",
        "escape",
        "JSON.stringify",
        "require('util').inspect",
        "require('querystring').escape",
        "x => new URLSearchParams([['', x]]).toString().slice(1)",
        "x => Buffer.from(x).toString('base64url')",
        "x => JSON.stringify({'': encodeURIComponent(x)})",
    ],
)
def test_node(function: str) -> None:
    script = "const f = eval(process.argv[1]); const words = JSON.parse(require('fs').readFileSync(0));"
    script += "process.stdout.write(words.map(word => f(word) + '\\0').join(''))"
    node = require_node()
    done = subprocess.run(
        [node.node, "-e", script, function], input=json.dumps(SOME).encode(), env=node.environment,
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    check(function, done.stdout.decode().split("\0")[:-1])


JAVA = """
import java.io.*;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Properties;

public class Write {
  public static void main(String[] arguments) throws Exception {
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    for (String word : new String(System.in.readAllBytes(), StandardCharsets.UTF_8).split("\\0")) {
      Properties one = new Properties();
      one.setProperty("1", word);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      String text = URLEncoder.encode(word, "UTF-8");
      if (arguments[0].equals("properties")) {
        one.store(bytes, null);
        text = bytes.toString("UTF-8").split("1=", 2)[1];
      } else if (arguments[0].equals("xml")) {
        one.storeToXML(bytes, null);
        text = bytes.toString("UTF-8").split("\\"1\\">", 2)[1].split("</entry>", 2)[0];
      }
      out.print(text + "\\0");
    }
    out.flush();
  }
}
"""


@pytest.mark.parametrize("way", ["url", "properties", "xml"])
def test_java(tmp_path: Path, way: str) -> None:
    if shutil.which("java") is None:
        pytest.skip("there is no Java here")
    (tmp_path / "Write.java").write_text(JAVA)
    check(way, run(["java", str(tmp_path / "Write.java"), way], ZERO_ENDED))


@pytest.mark.parametrize(
    "expression",
    ["quotemeta($_)", "do { local $Data::Dumper::Useqq = 1; Dumper($_) }", "Dumper($_)", "JSON::PP->new->encode([$_])"],
)
def test_perl(expression: str) -> None:
    program = (
        f'$Data::Dumper::Terse = 1; binmode STDOUT, ":utf8"; while (<STDIN>) {{ chomp; print {expression}, "\\0" }}'
    )
    command = ["perl", "-CI", "-MData::Dumper", "-MJSON::PP", "-0", "-e", program]
    check(expression, run(command, ZERO_ENDED))


FILTERS = {
    "trim": "w | trim",
    "b64encode": "w | b64encode",
    "urlencode": "w | urlencode",
    "urlencode of a form": "{'': w} | urlencode",
    "quote": "w | quote",
    "to_json": "w | to_json",
    "to_json twice": "w | to_json | to_json",
    "to_nice_json": "[w] | to_nice_json",
    "to_yaml": "[w] | to_yaml",
    "to_nice_yaml": "[[w]] | to_nice_yaml",
    "upper": "w | upper",
    "lower": "w | lower",
    "capitalize": "w | capitalize",
    "title": "w | title",
    "regex_escape": "w | regex_escape",
    "regex_escape of POSIX": "w | regex_escape('posix_basic')",
    "string": "[w] | string",
    "string of a mapping": "{'': [w]} | string",
    "escape": "w | escape",
    "forceescape": "w | forceescape",
    "tojson": "w | tojson",
    "indent": "w | indent(4, true)",
    "comment": "w | comment",
    "center": "w | center(80)",
    "pprint": "w | pprint",
    "format": "'<%s>' | format(w)",
    "urlize": "w | urlize",
    "quote, to_json": "w | quote | to_json",
    "urlencode, escape": "w | urlencode | escape",
    "escape, urlencode": "w | escape | urlencode",
    "b64encode, urlencode": "w | b64encode | urlencode",
}


def playbook(words: Path, out: Path) -> Iterator[str]:
    """Writes what each filter makes of each word."""
    yield "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n"
    yield f"        dest: {out}\n        content: '{{{{ out | to_json }}}}'\n      vars:\n"
    yield f"        words: \"{{{{ lookup('file', '{words}') | from_json }}}}\"\n        out: |-\n"
    yield "          {%- set out = {} -%}\n"
    for name, filters in FILTERS.items():
        yield "          {%- set l = [] -%}{%- for w in words -%}"
        yield f"{{%- set _ = l.append({filters}) -%}}{{%- endfor -%}}{{%- set _ = out.update({{'{name}': l}}) -%}}\n"
    yield "          {{ out }}\n"


def test_filters_of_ansible(tmp_path: Path) -> None:
    words, out = tmp_path / "words.json", tmp_path / "out.json"
    words.write_text(json.dumps(SOME))
    (tmp_path / "play.yml").write_text("".join(playbook(words, out)))
    program = Path(sys.executable).with_name("ansible-playbook")
    variables = json.dumps({"ansible_python_interpreter": sys.executable})
    command = [str(program), "-i", "localhost,", str(tmp_path / "play.yml"), "-e", variables]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert found.keys() == FILTERS.keys()
    for name, written in found.items():
        check(name, written)
