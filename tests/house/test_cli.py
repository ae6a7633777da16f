"""The command `playcast`, as a person types it: each error one clear line, each exit code meaningful."""

import asyncio
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.serving import CHECKOUT, PLAYCAST, Served, environment, serving

SEED = """
servers:
  - {name: here, host: localhost, user: root, credential: {local: true}, tags: [web], variables: {color: blue}}
  - {name: far, host: 127.0.0.9, port: 2222, user: deploy, credential: {password: "not shown"}}
"""
PATIENT = """
- name: Patient
  hosts: all
  gather_facts: false
  tasks:
    - name: Wait
      ansible.builtin.wait_for:
        path: {file}
        sleep: 1
"""
FAILING = """
- name: Failing
  hosts: all
  gather_facts: false
  tasks:
    - name: Fail
      ansible.builtin.fail:
        msg: on purpose
"""
Result = subprocess.CompletedProcess[str]


@pytest.fixture
def command(data_dir: Path, ansible_dir: Path) -> Callable[..., Result]:
    """Run one command to its end."""

    def run(*words: str, **settings: str) -> Result:
        env = environment(data_dir, ansible_dir, **settings)
        done = subprocess.run(
            [*PLAYCAST, *words], env=env, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr
        return done

    return run


def of(result: Result) -> tuple[int, str, str]:
    return result.returncode, result.stdout, result.stderr


def test_migrate_and_seed_are_idempotent(command: Callable[..., Result], tmp_path: Path) -> None:
    first = command("migrate")
    assert (first.returncode, first.stdout.startswith("applied 0_")) == (0, True)
    assert of(command("migrate")) == (0, "nothing to do: the database is up to date\n", "")
    file = tmp_path / "servers.yml"
    file.write_text(SEED)
    assert of(command("seed", str(file))) == (0, "2 created, 0 updated\n", "")
    assert of(command("seed", str(file))) == (0, "0 created, 2 updated\n", "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("servers: [", "is not YAML"),
        ("- a", "write `servers:` and below it a list"),
        ("servers: [{name: x}]", "servers[0]: credential is missing"),
        ("servers: [{name: x, host: h, user: u, credential: {local: true}, hots: 1}]", "servers[0]: hots is not known"),
        (
            "servers: [{name: x, host: h, user: u, credential: {key: k}}]",
            "servers[0].credential: write one of password",
        ),
        (
            "servers: [{name: x, host: 'a b', user: u, credential: {local: true}}]",
            'servers[0].host: "a b" is not a valid host',
        ),
        (
            "servers: [{name: x, host: h, user: u, port: 0, credential: {local: true}}]",
            "servers[0].port: 0 is not a valid port",
        ),
        ("servers: [2026-99-99]", "is not YAML: month must be in 1..12"),
        ("servers: [{name: x, host: h, user: u, credential: {}}]", "servers[0].credential: write one of password"),
        (
            "servers: [{name: x, host: h, user: u, credential: {password: 7}}]",
            "servers[0].credential.password: write text",
        ),
        ("servers: [{name: x, host: h, user: u, tags: [7], credential: {local: true}}]", "servers[0].tags: write text"),
        (
            "servers: [{name: x, host: h, user: u, tags: web, credential: {local: true}}]",
            "servers[0].tags: write a list",
        ),
        (
            "servers: [{name: x, host: h, user: u, port: '22', credential: {local: true}}]",
            "servers[0].port: write a number",
        ),
        (
            "servers: [{name: x, host: h, user: u, strictHostKey: 1, credential: {local: true}}]",
            "strictHostKey: write true",
        ),
        (
            "servers: [{name: x, host: h, user: u, variables: [1], credential: {local: true}}]",
            "variables: write a mapping",
        ),
        ("servers: [{1: x}]", "servers[0]: 1 is not known"),
        ("servers: [{name: 7, host: h, user: u, credential: {local: true}}]", "servers[0].name: write text"),
    ],
)
def test_a_bad_seed_file_is_one_line(command: Callable[..., Result], tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "servers.yml"
    file.write_text(content)
    result = command("seed", str(file))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("playcast: ")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        (("serve",), {"port": "many"}, "PLAYCAST_PORT: Input should be a valid integer"),
        (("serve",), {"host": "192.0.2.1"}, "PLAYCAST_TOKEN: 192.0.2.1 can be reached from other machines"),
        (("serve",), {"host": "a..b"}, 'PLAYCAST_HOST: "a..b" is not a valid host: name an address of this machine'),
        (
            ("migrate",),
            {"host": "127.0.0.1\n"},
            r"""PLAYCAST_HOST: "127.0.0.1\n" has the character '\n'""",
        ),
        (("serve",), {"host": "192.0.2.1", "token": "long enough"}, "PLAYCAST_HOST: 192.0.2.1 is not an address of"),
        (
            ("serve",),
            {"token_file": "/a\udcff\n"},
            r"PLAYCAST_TOKEN_FILE: /a\udcff\n cannot be read (it does not",
        ),
        (("serve",), {"token": "short"}, "PLAYCAST_TOKEN needs at least 8 plain characters"),
        (("serve",), {"token_file": "/nowhere"}, "PLAYCAST_TOKEN_FILE: /nowhere cannot be read"),
        (("serve",), {"secret_key": "nokey"}, "the secret key is not a Fernet key"),
        (("serve",), {"database_url": "mysql://x"}, "PLAYCAST_DATABASE_URL: use sqlite:///path/to/file or postgres://"),
        (("run", "base", "here"), {"url": "http://127.0.0.1:9"}, "there is no Playcast at http://127.0.0.1:9"),
        (("logs", "1"), {"url": "http://127.0.0.1:9"}, "there is no Playcast at http://127.0.0.1:9"),
        (("logs", "1", "--after", "x"), {}, '"x" is not a valid log cursor'),
        (("seed", "/nowhere.yml"), {}, "/nowhere.yml cannot be read"),
    ],
)
def test_a_wrong_call_is_one_line(
    command: Callable[..., Result], words: tuple[str, ...], settings: dict[str, str], told: str
) -> None:
    result = command(*words, **settings)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"playcast: {told}")
    assert result.stderr.count("\n") == 1


def test_an_unknown_setting_is_a_warning(command: Callable[..., Result]) -> None:
    assert of(command("migrate", prot="3001"))[2] == (
        "playcast: warning: PLAYCAST_PROT is not a setting; docs/settings.md lists them\n"
    )


async def test_run_and_logs_talk_to_the_server(
    command: Callable[..., Result],
    tmp_path: Path,
    data_dir: Path,
    ansible_dir: Path,
    add_recipe: Callable[[str, str], None],
) -> None:
    add_recipe("failing", FAILING)
    (tmp_path / "servers.yml").write_text(SEED)
    assert command("seed", str(tmp_path / "servers.yml")).returncode == 0
    async with serving(data_dir, ansible_dir) as served:

        async def call(*words: str) -> Result:
            return await asyncio.to_thread(command, *words, url=served.url)

        done = await call("run", "base", "here", "--follow")
        log = (data_dir / "jobs/1/ansible.log").read_text()
        assert of(done) == (0, log, "job 1\n")
        failed = await call("run", "failing", "1", "--follow")
        assert failed.returncode == 2
        assert failed.stderr == 'job 2\njob 2 ended as ERROR: failed on here at "Fail": on purpose\n'
        assert "on purpose" in failed.stdout
        assert of(await call("logs", "1")) == (0, log, "")
        assert of(await call("logs", "1", "--after", "100")) == (0, log[100:], "")
        assert of(await call("logs", "2", "--follow"))[0] == 2
        assert of(await call("run", "base", "here")) == (0, "job 3\n", "")
        assert of(await call("run", "base", "nobody")) == (2, "", "playcast: there is no server called nobody\n")
        assert of(await call("run", "nope", "here"))[2] == (
            'playcast: "nope" is not a recipe; the recipes here are: base, demo, failing\n'
        )
        assert of(await call("logs", "99")) == (2, "", "playcast: there is no job 99\n")
        assert of(await call("logs", "99", "--follow")) == (2, "", "playcast: there is no job 99\n")
        seeding = await call("seed", str(tmp_path / "servers.yml"))
        assert seeding.returncode == 2
        assert "another Playcast already works on" in seeding.stderr


async def test_ctrl_c_detaches_and_the_job_goes_on(
    data_dir: Path, ansible_dir: Path, tmp_path: Path, add_recipe: Callable[[str, str], None]
) -> None:
    add_recipe("patient", PATIENT.format(file=tmp_path / "go"))
    async with serving(data_dir, ansible_dir) as served:
        await served.api.create_server()
        told = await asyncio.to_thread(follow_on_a_terminal, served, data_dir, ansible_dir)
        assert "Detach from job 1? It goes on without you. [Y/n]" in told
        assert "job 1 goes on; follow it again with: playcast logs 1 --follow" in told
        assert (await served.api.job("1"))["status"] == "RUNNING"
        (tmp_path / "go").touch()
        assert (await served.api.finished("1"))["status"] == "SUCCESS"


def follow_on_a_terminal(served: Served, data_dir: Path, ansible_dir: Path) -> str:
    """Start and follow a job on a pseudo-terminal, press Ctrl-C, first answer no, then press it again and say yes."""
    master, slave = pty.openpty()
    env = environment(data_dir, ansible_dir, url=served.url)
    words = [*PLAYCAST, "run", "patient", "here", "--follow"]
    with subprocess.Popen(words, env=env, cwd=CHECKOUT, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        told = read_until(master, "TASK [Wait]")
        for answer, reply in (("n\n", "following on"), ("y\n", "--follow")):
            process.send_signal(signal.SIGINT)
            told += read_until(master, "[Y/n]")
            os.write(master, answer.encode())
            told += read_until(master, reply)
        assert process.wait(60) == 130
    os.close(master)
    return told


def read_until(terminal: int, words: str) -> str:
    told = ""
    while words not in told:
        told += os.read(terminal, 4096).decode(errors="replace")
    return told


async def test_logs_into_a_closed_pipe_end_quietly(data_dir: Path, ansible_dir: Path) -> None:
    async with serving(data_dir, ansible_dir) as served:
        await served.api.finished((await served.api.run("base", await served.api.create_server()))["id"])
        env = environment(data_dir, ansible_dir, url=served.url)
        line = f"{' '.join(PLAYCAST)} logs 1 | true; exit ${{PIPESTATUS[0]}}"
        done = await asyncio.to_thread(
            subprocess.run, ["bash", "-c", line], env=env, cwd=CHECKOUT, capture_output=True, text=True
        )
        assert of(done) == (1, "", "")


def test_the_demo_seeds_runs_and_shows_the_first_job(data_dir: Path, ansible_dir: Path) -> None:
    env = environment(data_dir, ansible_dir)
    words = [*PLAYCAST, "serve", "--demo", "--port", "0"]
    with subprocess.Popen(words, env=env, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told: list[str] = []
        while not (told and told[-1].startswith("Ctrl-C")):
            told.append(process.stdout.readline())
            assert told[-1], told
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    text = "".join(told)
    assert "job 1: base on localhost\n" in text
    assert (data_dir / "jobs/1/ansible.log").read_text() in text
    assert "\njob 1: SUCCESS\n" in text
    assert "/graphql  (in a browser)\n" in text
