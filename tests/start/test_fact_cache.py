"""The fact cache: later jobs of a recipe need not gather again, and never see facts of another machine or a secret."""

import json
import os
import re
import secrets
import signal
import stat
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playcast.app import ENGINE
from runner.start import fact_cache as module
from runner.start.fact_cache import MOST_BYTES
from tests.secrets.test_leaks import ansible_of, holding, memory_files
from tests.support.api import Api
from tests.support.launchers import until
from tests.support.serving import serving
from tests.support.sshd import PASSWORD, Sshd, start_sshd

AddRecipe = Callable[..., None]
StartApp = Callable[..., Awaitable[Api]]
WARM_AND_COLD = pytest.mark.parametrize("launcher", ["cold", "warm"])
TELL = """
- hosts: all
  gather_subset: ["!all", "!min", date_time]
  tasks:
    - name: Tell
      ansible.builtin.debug:
        msg: "{{ server_name }} gathered at {{ ansible_facts.date_time.iso8601_micro }}"
"""
TELL_ONLY = TELL.replace("  tasks:", "  gather_facts: false\n  tasks:")
UPDATE = """
mutation Update($input: UpdateServerInput!) { updateServer(input: $input) { userErrors { code message field } } }
"""
DELETE = "mutation($id: ID!) { deleteServer(input: {id: $id}) { userErrors { message } } }"


@dataclass(frozen=True)
class Told:
    """How a job went: whether a task gathered facts, and by server when its facts were gathered."""

    status: str
    gathered: bool
    stamps: dict[str, str]
    log: str


async def told(api: Api, recipe: str, *servers: str, **options: Any) -> Told:
    """What a new job tells."""
    return await end_of(api, (await api.run(recipe, *servers, **options))["id"])


async def end_of(api: Api, job_id: str) -> Told:
    log = "".join([chunk["text"] async for chunk in api.log(job_id)])
    stamps = dict(re.findall(r'"msg": "(\w+) gathered at ([^"]+)"', log))
    return Told((await api.job(job_id))["status"], "TASK [Gathering Facts]" in log, stamps, log)


async def update(api: Api, server: str, **given: Any) -> None:
    assert (await api.ask(UPDATE, input={"id": server, **given}))["updateServer"]["userErrors"] == []


def stored(data_dir: Path) -> list[str]:
    """The files of the store."""
    return sorted(str(path.relative_to(data_dir / "facts")) for path in (data_dir / "facts").glob("*/*"))


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have the store believe that it is so much later."""
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: time.time() + seconds))


@pytest.fixture
def cached(add_recipe: Callable[[str, str], None], ansible_dir: Path) -> AddRecipe:
    """Add a recipe with a fact cache of 600 seconds, and maybe more keys."""

    def add(name: str, content: str, more: str = "") -> None:
        add_recipe(name, content)
        (ansible_dir / "recipes" / f"{name}.yml").write_text(f"fact_cache: 600\n{more}")

    add("tell", TELL)
    return add


async def add(api: Api, sshd: Sshd, name: str = "web", **given: Any) -> str:
    at = {"host": sshd.address, "port": sshd.port, "user": sshd.user}
    return await api.create_server(name=name, **at, credential={"password": PASSWORD}, **given)


@WARM_AND_COLD
async def test_the_second_job_gathers_nothing(
    start_app: StartApp, cached: AddRecipe, sshd: Sshd, data_dir: Path, launcher: str
) -> None:
    api = await start_app(launcher=launcher)
    one, two = await add(api, sshd, "one"), await add(api, sshd, "two")
    # The first contact: the host key is learned while the facts are gathered.
    first = await told(api, "tell", one, two)
    assert (first.status, first.gathered, sorted(first.stamps)) == ("SUCCESS", True, ["one", "two"])
    second = await told(api, "tell", two, one)
    assert (second.status, second.gathered, second.stamps) == ("SUCCESS", False, first.stamps)
    assert "[WARNING]" not in first.log + second.log
    assert api.client.app[ENGINE].starter.warm == (2 if launcher == "warm" else 0)
    # Nobody else can read what is kept, and the jobs themselves keep nothing.
    assert stored(data_dir) == ["tell/srv-1", "tell/srv-2"]
    modes = [stat.S_IMODE((data_dir / path).stat().st_mode) for path in ("facts", "facts/tell", "facts/tell/srv-1")]
    assert modes == [0o700, 0o700, 0o600]
    assert [(data_dir / f"jobs/{number}/facts").exists() for number in (1, 2)] == [False, False]


async def test_without_the_key_each_job_gathers(api: Api, add_recipe: AddRecipe, data_dir: Path) -> None:
    add_recipe("tell", TELL)
    server = await api.create_server()
    first, second = await told(api, "tell", server), await told(api, "tell", server)
    assert (first.status, first.gathered, second.status, second.gathered) == ("SUCCESS", True, "SUCCESS", True)
    assert first.stamps != second.stamps
    assert stored(data_dir) == []


async def test_facts_grow_too_old(api: Api, cached: AddRecipe, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their age counts from the first of them: what a job adds does not make the others younger."""
    more = "    - ansible.builtin.set_fact: {count: '{{ count | default(0) | int + 1 }}', cacheable: true}\n"
    cached("count", f"{TELL}{more}    - ansible.builtin.debug: {{msg: 'number {{{{ count }}}}'}}\n")
    server = await api.create_server()
    first = await told(api, "count", server)
    pass_time(monkeypatch, 400)
    place = data_dir / "facts/count/srv-1"
    before, since = place.read_bytes(), place.stat().st_mtime
    second = await told(api, "count", server)
    assert (second.gathered, second.stamps) == (False, first.stamps)
    assert ("number 1" in first.log, "number 2" in second.log) == (True, True)
    assert (place.read_bytes() != before, place.stat().st_mtime) == (True, since)
    pass_time(monkeypatch, 601)
    third = await told(api, "count", server)
    assert (third.status, third.gathered) == ("SUCCESS", True)
    assert third.stamps != first.stamps
    # A clock that was set back: nobody knows how old they are.
    pass_time(monkeypatch, -3600)
    assert (await told(api, "count", server)).gathered


async def test_recipes_do_not_share(api: Api, cached: AddRecipe, add_recipe: AddRecipe, ansible_dir: Path) -> None:
    cached("other", TELL.replace("Tell", "Say"))
    add_recipe("plain", TELL)
    server = await api.create_server()
    first = await told(api, "tell", server)
    for recipe in ("other", "plain"):
        assert (await told(api, recipe, server)).gathered
    assert (await told(api, "tell", server)).stamps == first.stamps
    # A recipe that has changed may want other facts.
    cached("tell", TELL + "    - ansible.builtin.ping:\n")
    assert (await told(api, "tell", server)).gathered


async def test_a_changed_server_is_another_one(api: Api, cached: AddRecipe, data_dir: Path) -> None:
    server = await api.create_server()
    assert (await told(api, "tell", server)).gathered
    await update(api, server, variables={"a": 1})
    assert (await told(api, "tell", server)).gathered
    assert not (await told(api, "tell", server)).gathered


async def test_another_machine_at_the_same_address(
    start_app: StartApp, cached: AddRecipe, sshd: Sshd, data_dir: Path, tmp_path: Path
) -> None:
    # Without a task that goes there, a job whose facts are known never would.
    cached("tell", TELL + "    - ansible.builtin.ping:\n")
    api = await start_app(keep_connections=0)
    server = await add(api, sshd)
    first = await told(api, "tell", server)
    sshd.close()
    with start_sshd(tmp_path, sshd.address, port=sshd.port, password=PASSWORD):
        # Refused, since its host key is another one: nobody knows what has become of the old machine.
        assert (await told(api, "tell", server)).status == "ERROR"
        assert stored(data_dir) == []
        await update(api, server, forgetHostKey=True)
        second = await told(api, "tell", server)
        assert (second.status, second.gathered) == ("SUCCESS", True)
        assert second.stamps != first.stamps
        assert not (await told(api, "tell", server)).gathered
    # Nobody answers.
    assert (await told(api, "tell", server)).status == "ERROR"
    assert stored(data_dir) == []


async def test_a_forgotten_host_key_forgets_the_facts(start_app: StartApp, cached: AddRecipe, sshd: Sshd) -> None:
    api = await start_app(keep_connections=0)
    server = await add(api, sshd)
    assert (await told(api, "tell", server)).gathered
    await update(api, server, forgetHostKey=True)
    assert (await told(api, "tell", server)).gathered
    assert not (await told(api, "tell", server)).gathered


async def test_a_machine_whose_key_is_not_checked_has_no_cache(
    api: Api, cached: AddRecipe, sshd: Sshd, data_dir: Path
) -> None:
    server = await add(api, sshd, strictHostKey=False)
    for _ in range(2):
        assert (await told(api, "tell", server)).gathered
    assert stored(data_dir) == []


async def test_a_host_that_failed_gathers_again(api: Api, cached: AddRecipe, data_dir: Path) -> None:
    fail = "    - ansible.builtin.fail: {msg: as asked}\n      when: server_name == broken | default('')\n"
    cached("fails", TELL + fail)
    one, two = await api.create_server(name="one"), await api.create_server(name="two")
    first = await told(api, "fails", one, two)
    assert stored(data_dir) == ["fails/srv-1", "fails/srv-2"]
    assert (await told(api, "fails", one, two, extraVars={"broken": "one"})).status == "ERROR"
    assert stored(data_dir) == ["fails/srv-2"]
    third = await told(api, "fails", one, two)
    assert (third.status, third.gathered) == ("SUCCESS", True)
    assert (third.stamps["one"] == first.stamps["one"], third.stamps["two"]) == (False, first.stamps["two"])


async def test_a_canceled_job_keeps_nothing(
    start_app: StartApp, cached: AddRecipe, tmp_path: Path, data_dir: Path
) -> None:
    api = await start_app(cancel_grace=1)
    cached(
        "holds", f"{TELL}    - ansible.builtin.shell: touch {tmp_path}/held; sleep 60\n      when: hold is defined\n"
    )
    server = await api.create_server()
    assert (await told(api, "holds", server)).gathered
    job = await api.run("holds", server, extraVars={"hold": True})
    await until((tmp_path / "held").exists)
    await api.ask("mutation($id: ID!) { cancelJob(input: {jobId: $id}) { userErrors { message } } }", id=job["id"])
    assert (await api.finished(job["id"]))["status"] == "CANCELED"
    assert stored(data_dir) == []


async def test_ansible_s_own_ways_still_work(api: Api, cached: AddRecipe, data_dir: Path) -> None:
    server = await api.create_server()

    async def again(content: str, **options: Any) -> Told:
        # In the middle, so that the recipe stays the same.
        cached("tell", TELL.replace("  tasks:\n", f"  tasks:\n{content}"))
        return await told(api, "tell", server, **options)

    when = "\n      when: anew is defined\n"
    setup = f"    - ansible.builtin.setup:{when}"
    first = await again(setup)
    assert (await again(setup)).stamps == first.stamps
    # Facts that a task gathers are the next job's too.
    second = await again(setup, extraVars={"anew": True})
    assert (second.gathered, second.stamps != first.stamps) == (False, True)
    assert (await again(setup)).stamps == second.stamps
    # A check takes what is known, and keeps nothing.
    third = await again(setup, extraVars={"anew": True}, check=True)
    assert (third.status, third.gathered, third.stamps == second.stamps) == ("SUCCESS", False, False)
    assert (await again(setup)).stamps == second.stamps

    # Those of `setup` alone would not count as gathered.
    clear = f"    - ansible.builtin.meta: clear_facts{when}    - ansible.builtin.gather_facts:{when}"
    fourth = await again(clear)
    fifth = await again(clear, extraVars={"anew": True})
    assert (fifth.gathered, fifth.stamps != fourth.stamps) == (False, True)
    assert (await again(clear)).stamps == fifth.stamps


async def test_cleared_facts_are_gathered_by_the_next_job(api: Api, cached: AddRecipe, data_dir: Path) -> None:
    cached("tell", f"{TELL}    - ansible.builtin.meta: clear_facts\n      when: clear is defined\n")
    server = await api.create_server()
    assert (await told(api, "tell", server)).gathered
    assert (await told(api, "tell", server, extraVars={"clear": True})).status == "SUCCESS"
    assert stored(data_dir) == []
    assert (await told(api, "tell", server)).gathered


async def test_a_play_that_does_not_gather_has_what_is_known(api: Api, cached: AddRecipe) -> None:
    cached("tell", TELL_ONLY.replace("gather_facts: false", 'gather_facts: "{{ gather | default(false) }}"'))
    server = await api.create_server()
    assert (await told(api, "tell", server)).status == "ERROR"
    first = await told(api, "tell", server, extraVars={"gather": True})
    second = await told(api, "tell", server)
    assert (second.status, second.gathered, second.stamps) == ("SUCCESS", False, first.stamps)


SECRETIVE = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        kept: "{{{{ {word} }}}}"
        cacheable: true
      when: kept is not defined
      no_log: true
    - ansible.builtin.debug: {{msg: "it is {{{{ kept }}}}"}}
    - ansible.builtin.shell: touch {folder}/held; while [ ! -e {folder}/go ]; do sleep 0.05; done
"""
INPUT = "inputs:\n  token: {type: str, required: true, no_log: true}\n"


def everywhere(data_dir: Path, word: str) -> list[str]:
    """The files that hold a word, wherever a job may have left it."""
    folders = [data_dir, Path("/dev/shm"), *Path("/tmp").glob("pc-*"), *Path("/tmp").glob("ansible*")]  # noqa: S108 (where it might be)
    return [path for folder in folders for path in holding(folder, [word.encode()])]


@WARM_AND_COLD
@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
async def test_a_secret_is_nowhere(
    start_app: StartApp, cached: AddRecipe, data_dir: Path, tmp_path: Path, launcher: str, killed: bool
) -> None:
    cached("secretive", SECRETIVE.format(word="token", folder=tmp_path), INPUT)
    api = await start_app(launcher=launcher)
    server = await api.create_server()
    token, other = (f"in-{secrets.token_hex(4)}-is-secret" for _ in range(2))
    job = await api.run("secretive", server, extraVars={"token": token})
    await until((tmp_path / "held").exists)
    assert everywhere(data_dir, token) == []
    # The facts were closed as soon as they were read.
    assert memory_files(ansible_of(data_dir / "jobs/1")) == ["/memfd:playcast-inventory (deleted)"]
    if killed:
        os.kill(json.loads((data_dir / "jobs/1/run.json").read_text())["supervisor"]["pid"], signal.SIGKILL)
    (tmp_path / "go").touch()
    first = await end_of(api, job["id"])
    assert (first.status, "it is ********" in first.log) == ("ERROR" if killed else "SUCCESS", True)
    assert ("The facts of srv-1 are not kept: they hold a secret of this job." in first.log) is not killed
    assert (everywhere(data_dir, token), stored(data_dir)) == ([], [])
    # The next job does not know it, and so could not mask it.
    second = await told(api, "secretive", server, extraVars={"token": other})
    assert (second.status, "it is ********" in second.log) == ("SUCCESS", True)
    assert (everywhere(data_dir, token), everywhere(data_dir, other)) == ([], [])


async def test_what_is_kept_is_not_in_clear(api: Api, cached: AddRecipe, data_dir: Path, tmp_path: Path) -> None:
    """Facts may hold what nobody has called a secret."""
    word = f"env-{secrets.token_hex(4)}"
    (tmp_path / "go").touch()
    (tmp_path / "word").write_text(word)
    quiet = f"    - ansible.builtin.debug: {{msg: known}}\n      when: kept == lookup('file', '{tmp_path}/word')\n"
    content = SECRETIVE.format(word=f"lookup('file', '{tmp_path}/word')", folder=tmp_path)
    content = re.sub(r"    - ansible.builtin.debug.*\n", "", content)
    cached("quiet", content + quiet)
    server = await api.create_server()
    assert (await told(api, "quiet", server)).status == "SUCCESS"
    (tmp_path / "word").write_text(f"{word}-new")
    assert stored(data_dir) == ["quiet/srv-1"]
    second = await told(api, "quiet", server)
    # It has kept the first one.
    assert (second.status, '"msg": "known"' in second.log) == ("SUCCESS", False)
    (tmp_path / "word").write_text(word)
    assert '"msg": "known"' in (await told(api, "quiet", server)).log
    assert everywhere(data_dir, word) == []


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (f"'x' * {MOST_BYTES}", rf"they have \d+ bytes, and at most {MOST_BYTES} are kept"),
        ("'2026-01-02' | to_datetime('%Y-%m-%d')", "they hold a value that JSON has no form for, such as a date"),
    ],
)
async def test_facts_that_cannot_be_kept(api: Api, cached: AddRecipe, data_dir: Path, value: str, why: str) -> None:
    task = f'    - ansible.builtin.set_fact: {{odd: "{{{{ {value} }}}}", cacheable: true}}\n      no_log: true\n'
    cached("odd", TELL + task)
    server = await api.create_server()
    for _ in range(2):
        job = await told(api, "odd", server)
        assert (job.status, job.gathered) == ("SUCCESS", True)
        assert re.search(f"The facts of srv-1 are not kept: {why}", re.sub(r"\s+", " ", job.log))
    assert stored(data_dir) == []


async def test_a_playbook_leaves_a_file_of_its_own(api: Api, cached: AddRecipe, data_dir: Path) -> None:
    folder = "{{ lookup('env', 'PLAYCAST_JOB') }}"
    link = f"    - ansible.builtin.shell: ln -s {data_dir}/facts/tell/srv-2 {folder}/facts\n"
    link += "      when: hostile is defined\n"
    cached("tell", f"{TELL}{link}    - ansible.builtin.set_fact: {{a: 1, cacheable: true}}\n")
    one, two = await api.create_server(name="one"), await api.create_server(name="two")
    assert (await told(api, "tell", one, two)).gathered
    kept = (data_dir / "facts/tell/srv-2").read_bytes()
    hostile = await told(api, "tell", one, extraVars={"hostile": True})
    assert (hostile.status, "[WARNING]: No facts are kept: [Errno 17]" in hostile.log) == ("SUCCESS", True)
    assert (stored(data_dir), (data_dir / "facts/tell/srv-2").read_bytes()) == (["tell/srv-2"], kept)
    assert (await told(api, "tell", one)).gathered


async def test_a_deleted_server_leaves_no_facts(api: Api, cached: AddRecipe, data_dir: Path) -> None:
    cached("other", TELL)
    one, two = await api.create_server(name="one"), await api.create_server(name="two")
    for recipe in ("tell", "other"):
        await told(api, recipe, one, two)
    assert (await api.ask(DELETE, id=one))["deleteServer"]["userErrors"] == []
    assert stored(data_dir) == ["other/srv-2", "tell/srv-2"]


async def test_old_facts_are_removed(
    api: Api, cached: AddRecipe, data_dir: Path, ansible_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached("other", TELL)
    server = await api.create_server()
    await told(api, "tell", server)
    await told(api, "other", server)
    facts = api.client.app[ENGINE].facts
    facts.expire({"tell": 600, "other": 600})
    assert stored(data_dir) == ["other/srv-1", "tell/srv-1"]
    # One that no longer asks for a cache, or has gone.
    facts.expire({"tell": 600, "other": None})
    assert stored(data_dir) == ["tell/srv-1"]
    pass_time(monkeypatch, 601)
    facts.expire({"tell": 600})
    assert stored(data_dir) == []


async def test_a_restart_removes_old_facts(start_app: StartApp, cached: AddRecipe, data_dir: Path) -> None:
    api = await start_app()
    await told(api, "tell", await api.create_server())
    await api.client.close()
    long_ago = time.time() - 601
    os.utime(data_dir / "facts/tell/srv-1", (long_ago, long_ago))
    await start_app()
    await until(lambda: stored(data_dir) == [])


async def test_facts_outlive_a_kill_of_the_server(
    cached: AddRecipe, ansible_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    wait = f"    - ansible.builtin.shell: touch {tmp_path}/held; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done\n"
    cached("waits", TELL + wait)
    async with serving(data_dir, ansible_dir) as first:
        server = await first.api.create_server()
        job = await first.api.run("waits", server)
        await until((tmp_path / "held").exists)
        await first.kill()
    (tmp_path / "go").touch()
    await until((data_dir / "jobs/1/exit.json").exists)
    assert stored(data_dir) == []
    async with serving(data_dir, ansible_dir) as second:
        before = await end_of(second.api, job["id"])
        after = await told(second.api, "waits", server)
    assert (before.status, before.gathered) == ("SUCCESS", True)
    assert (after.status, after.gathered, after.stamps) == ("SUCCESS", False, before.stamps)


async def test_a_directory_needs_nothing_of_playcasts_for_it(
    api: Api, cached: AddRecipe, ansible_dir: Path, data_dir: Path
) -> None:
    (ansible_dir / "ansible.cfg").unlink()
    server = await api.create_server()
    seen = [await told(api, "tell", server) for _ in range(2)]
    assert [(job.status, job.gathered) for job in seen] == [("SUCCESS", True), ("SUCCESS", False)]
    assert len(stored(data_dir)) == 1


async def test_a_store_that_cannot_be_written_costs_only_time(api: Api, cached: AddRecipe, data_dir: Path) -> None:
    (data_dir / "facts").write_text("in the way")
    server = await api.create_server()
    for _ in range(2):
        job = await told(api, "tell", server)
        assert (job.status, job.gathered) == ("SUCCESS", True)
