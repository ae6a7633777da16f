"""Messages of real jobs on real sshds and sudos that refuse, break off or ask: the reason that they gave, in words."""

import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.launchers import until
from tests.support.sshd import PASSWORD, Account, Sshd, make_key, require_sshd, require_sudo, start_sshd

AddRecipe = Callable[[str, str], None]
StartApp = Callable[..., Awaitable[Api]]

PING = "- hosts: all\n  gather_facts: false\n  tasks:\n    - {name: Ping, ansible.builtin.ping: }\n"
BANNER = "\n".join(f"line {number}: Authorized use only. All activity is monitored." for number in range(12)) + "\n"
NOLOGIN = "/usr/sbin/nologin"
EXPIRED = "19000:0:99999:7::19001:"
CHANGE = "0:0:99999:7:::"
PAM = {"UsePAM": "yes"}
HAS_EXPIRED = (
    "could not reach {}: it closed the connection and said: "
    "Your account has expired; please contact your system administrator."
)
NEEDS_PASSWORD = (
    'failed on {} at "Ping": instead of a result came: WARNING: Your password has expired. '
    "Password change required but no TTY available; give deploy a new password there"
)
NO_SHELL = (
    'failed on {} at "Ping": instead of a result came: This account is currently not available; '
    "give deploy a shell to log in with there"
)
ASKS = (
    'failed on {} at "Ping": Missing sudo password; '
    "let deploy become another user there without a password (NOPASSWD for all commands in sudoers)"
)
WELL = ("SUCCESS", None, None)
UNREACHABLE = ("ERROR", "HOST_UNREACHABLE")
BROKEN = ("ERROR", "PLAYBOOK_FAILED")


def _sudoers(lines: str) -> Account:
    return Account(uid=4711, sudoers=f"Defaults !lecture\n{lines}\n")


# Name: (account, recipe, how it ends by password and by key).
KINDS = {
    "plain": (Account(), "ping", WELL),
    "expired": (Account(expiry=EXPIRED, options=PAM), "ping", (*UNREACHABLE, HAS_EXPIRED)),
    "expired-banner": (
        Account(expiry=EXPIRED, options={**PAM, "Banner": "{banner}"}), "ping", (*UNREACHABLE, HAS_EXPIRED)
    ),
    "new-password": (
        Account(expiry=CHANGE, options={**PAM, "Banner": "{banner}"}), "ping", (*BROKEN, NEEDS_PASSWORD)
    ),
    "no-shell": (Account(shell=NOLOGIN, options={"Banner": "{banner}"}), "ping", (*BROKEN, NO_SHELL)),
    "no-shell-copied": (
        Account(shell=NOLOGIN), "copied",
        (*UNREACHABLE, ("could not reach {}: no temporary directory could be made there: "
                       "This account is currently not available; give deploy a shell to log in with there")),
    ),
    "no-shell-facts": (
        Account(shell=NOLOGIN), "facts", (*BROKEN, NO_SHELL.replace("Ping", "Gathering Facts"))
    ),
    "no-shell-of-another": (
        Account(), "su",
        (*BROKEN, ('failed on {} at "Ping": instead of a result came: This account is currently not available; '
                  "give nobody a shell there, or become another user")),
    ),
    "on-a-terminal": (
        Account(uid=4711), "raw", (*BROKEN, 'failed on {} at "Raw": non-zero return code: the disk is full')
    ),
    "closed": (
        Account(options={"ForceCommand": "echo Closed until noon >&2; exit 255", "Banner": "{banner}"}), "ping",
        (*UNREACHABLE, "could not reach {}: Closed until noon"),
    ),
    "no-sessions": (
        Account(options={"MaxSessions": "0"}), "ping",
        (*UNREACHABLE, "could not reach {}: its sshd allows no more sessions over a connection (MaxSessions)"),
    ),
    "old": (
        Account(options={"KexAlgorithms": "diffie-hellman-group1-sha1"}), "ping",
        (*UNREACHABLE, ("could not reach {}: ssh here and there have no key exchange method in common; "
                       "it offers diffie-hellman-group1-sha1,kex-strict-s-v00@openssh.com")),
    ),
    "sudo": (_sudoers("deploy ALL=(ALL) NOPASSWD: ALL"), "sudo", WELL),
    "sudo-asks": (_sudoers("deploy ALL=(ALL) ALL"), "sudo", (*BROKEN, ASKS)),
    "sudo-knows-not": (_sudoers("root ALL=(ALL) ALL"), "sudo", (*BROKEN, ASKS)),
    "sudo-tty": (
        _sudoers("Defaults requiretty\ndeploy ALL=(ALL) NOPASSWD: ALL"), "sudo",
        (*BROKEN, ('failed on {} at "Ping": instead of a result came: sudo: sorry, you must have a tty to run sudo; '
                  "take requiretty out of sudoers there, or switch pipelining off for the recipe "
                  "(`pipelining: false`)")),
    ),
}  # fmt: skip


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, str]:
    require_sshd()
    return make_key(tmp_path)


@pytest.fixture
async def api(start_app: StartApp, add_recipe: AddRecipe, ansible_dir: Path) -> Api:
    add_recipe("ping", PING)
    add_recipe("sudo", PING.replace("  tasks", "  become: true\n  tasks"))
    add_recipe("su", PING.replace("  tasks", "  become: true\n  become_method: su\n  become_user: nobody\n  tasks"))
    add_recipe("copied", PING)
    add_recipe("facts", "- hosts: all\n  tasks: []\n")
    add_recipe("raw", play("{name: Raw, raw: 'echo the disk is full >&2; exit 3'}"))
    (ansible_dir / "recipes" / "copied.yml").write_text("pipelining: false\n")
    return await start_app()


def _with_banner(account: Account, banner: Path) -> Account:
    options = {name: value.format(banner=banner) for name, value in account.options.items()}
    return Account(account.uid, account.sudoers, account.shell, account.expiry, options)


async def ended(api: Api, job: Any) -> tuple[str, str | None, str | None]:
    end = await api.finished(job["id"])
    return end["status"], end["failureReason"], end["message"]


async def on(api: Api, sshd: Sshd, name: str, credential: dict[str, str]) -> str:
    return await api.create_server(name=name, host=sshd.address, port=sshd.port, user=sshd.user, credential=credential)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_refuses_says_why(api: Api, tmp_path: Path, key: tuple[str, str], kind: str) -> None:
    account, recipe, (status, reason, message) = KINDS[kind]
    if account.sudoers is not None:
        require_sudo()
    banner = tmp_path / "banner"
    banner.write_text(BANNER)
    private, public = key
    with start_sshd(tmp_path, password=PASSWORD, authorized_key=public, account=_with_banner(account, banner)) as sshd:
        by = {"by-password": {"password": PASSWORD}, "by-key": {"privateKey": private}}
        jobs = {name: await api.run(recipe, await on(api, sshd, name, given)) for name, given in by.items()}
        ends = {name: await ended(api, job) for name, job in jobs.items()}
    assert ends == {name: (status, reason, message and message.format(name)) for name in by}


WAITS = """
- hosts: all
  gather_facts: false
  tasks:
    - {{name: Before, ansible.builtin.ping: }}
    - {{name: Install, ansible.builtin.{module}: 'sh -c "touch {flag}; sleep 300"'}}
    - {{name: After, ansible.builtin.ping: }}
"""


@pytest.mark.parametrize("module", ["command", "raw"])
@pytest.mark.parametrize("by", ["password", "key"])
async def test_a_session_that_ends_in_the_middle_of_a_task(
    api: Api, add_recipe: AddRecipe, tmp_path: Path, key: tuple[str, str], module: str, by: str
) -> None:
    private, public = key
    flag = tmp_path / "flag"
    add_recipe("waits", WAITS.format(module=module, flag=flag))
    with start_sshd(tmp_path, password=PASSWORD, authorized_key=public) as sshd:
        credential = {"password": PASSWORD} if by == "password" else {"privateKey": private}
        job = await api.run("waits", await on(api, sshd, "web", credential))
        await until(flag.exists)
        for pid in set(sshd.namespace.members()) - {sshd.pid}:
            with suppress(ProcessLookupError):
                if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        assert await ended(api, job) == (
            *UNREACHABLE,
            'the connection was lost to web in the middle of "Install": look at the server, then run it again',
        )


def play(*tasks: str, head: str = "") -> str:
    return "".join(
        ["- hosts: all\n  gather_facts: false\n", head, "  tasks:\n", *(f"    - {task}\n" for task in tasks)]
    )


# Nobody listens on port 1.
AWAY = "vars: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_connection: ssh}"
REFUSED = "connection refused; check host, port and firewall"
DEBUGGER = (
    "ansible's debugger asked for input, which nobody can give here: "
    "take `debugger:` and `strategy: debug` out of the playbook"
)
# Name: (playbook, exit code, reason, message).
HERE = {
    "delegate": (
        play("{name: Drain, ping: , delegate_to: balancer, " + AWAY + "}"),
        4, "HOST_UNREACHABLE", f'could not reach balancer, to which "Drain" of here is delegated: {REFUSED}',
    ),
    "delegates": (
        play("{name: Drain, ping: , delegate_to: '{{ item }}', loop: [one, two], " + AWAY + "}"),
        4, "HOST_UNREACHABLE", f'could not reach one, two, to which "Drain" of here is delegated: {REFUSED}',
    ),
    "delegate-fails": (
        play("{name: Drain, command: 'false', delegate_to: localhost}"),
        2, "PLAYBOOK_FAILED", 'failed on here at "Drain" (delegated to localhost): non-zero return code: 1',
    ),
    "local-action": (
        play("{name: Drain, local_action: {module: fail, msg: oh}}"),
        2, "PLAYBOOK_FAILED", 'failed on here at "Drain" (delegated to localhost): oh',
    ),
    "failed-when": (
        play("{name: Look, stat: {path: /}, failed_when: true}"),
        2, "PLAYBOOK_FAILED", 'failed on here at "Look": its failed_when came true',
    ),
    "failed-when-broken": (
        play("{name: Look, stat: {path: /}, failed_when: nope.x}"),
        2, "PLAYBOOK_FAILED",
        "failed on here at \"Look\": failed_when: Error while evaluating conditional: 'nope' is undefined",
    ),
    "until": (
        play("{name: Wait, command: echo not yet, register: it, until: it.stdout == 'x', retries: 1, delay: 0}"),
        2, "PLAYBOOK_FAILED", 'failed on here at "Wait": gave up after 1 attempt: not yet',
    ),
    "loop": (
        play("{name: Look, stat: {path: /}, failed_when: item == 2, loop: [1, 2]}"),
        2, "PLAYBOOK_FAILED", 'failed on here at "Look": One or more items failed: 2: its failed_when came true',
    ),
    "not-text": (
        play("{name: Print, shell: \"printf 'caf\\\\351'\"}"),
        2, "PLAYBOOK_FAILED", 'failed on here at "Print": what it printed is not UTF-8 text',
    ),
    "strategy": (
        play("ping:", head="  strategy: nope\n"),
        1, "PLAYBOOK_FAILED",
        ("ansible does not know the strategy of the play or of its settings (ansible.cfg): "
        "Invalid play strategy specified: nope (playbooks/strategy.yml:1)"),
    ),
    "debugger": (play("{name: D, fail: {msg: x}, debugger: on_failed}"), 99, "PLAYBOOK_FAILED", DEBUGGER),
    "debugger-always": (play("{name: D, ping: , debugger: always}"), 99, "PLAYBOOK_FAILED", DEBUGGER),
    "debugger-play": (
        play("{name: D, fail: {msg: x}}", head="  debugger: on_failed\n"), 99, "PLAYBOOK_FAILED", DEBUGGER
    ),
    "strategy-debug": (play("{name: D, fail: {msg: x}}", head="  strategy: debug\n"), 99, "PLAYBOOK_FAILED", DEBUGGER),
    "include-vars": (
        play("{name: Read, include_vars: nowhere.yml}"),
        2, "PLAYBOOK_FAILED", "failed on here at \"Read\": Could not find or access 'nowhere.yml'",
    ),
    "include-tasks": (
        play("{name: Read, include_tasks: nowhere.yml}"),
        2, "PLAYBOOK_FAILED", "failed on here at \"Read\": Could not find or access 'playbooks/nowhere.yml'",
    ),
    "template": (
        play("{name: Read, template: {src: nowhere.j2, dest: /tmp/x}}"),
        2, "PLAYBOOK_FAILED", "failed on here at \"Read\": Could not find or access 'nowhere.j2'",
    ),
    "command": (
        play("{name: Start, command: no-such-program -x}"),
        2, "PLAYBOOK_FAILED",
        ('failed on here at "Start": Error executing command: '
        "[Errno 2] No such file or directory: no-such-program"),
    ),
    "python": (
        play("{name: Ping, ping: , vars: {ansible_python_interpreter: /usr/bin/python9}}"),
        2, "PLAYBOOK_FAILED",
        ("failed on here at \"Ping\": The module interpreter '/usr/bin/python9' was not found; "
        "install Python there, or set ansible_python_interpreter for the server"),
    ),
    "traceback": (
        play("{name: Crash, crash: }"),
        2, "PLAYBOOK_FAILED", 'failed on here at "Crash": instead of a result came: RuntimeError: broken',
    ),
    "latin": (
        play("{name: Gr\udcfc\udcdfe, ping: }"),
        4, "PLAYBOOK_FAILED",
        ("ansible could not read the playbook: YAML parsing failed: "
        "the file is not UTF-8 text: save it as UTF-8 (playbooks/latin.yml)"),
    ),
}  # fmt: skip


async def test_causes_on_this_machine(api: Api, ansible_dir: Path) -> None:
    server = await api.create_server()
    (ansible_dir / "playbooks/library").mkdir()
    (ansible_dir / "playbooks/library/crash.py").write_text("#!/usr/bin/python\nraise RuntimeError('broken')\n")
    found = {}
    for name, (playbook, *_) in HERE.items():
        (ansible_dir / "playbooks" / f"{name}.yml").write_bytes(playbook.encode(errors="surrogateescape"))
        job = await api.finished((await api.run(name, server))["id"])
        found[name] = (job["exitCode"], job["failureReason"], job["message"])
    assert found == {name: tuple(told) for name, (_, *told) in HERE.items()}


DELEGATED = """
query Delegated($id: ID!) {
  job(id: $id) { events(first: 100) { nodes { ... on HostTaskEvent { host delegatedTo } } } }
}
"""


async def test_events_name_the_delegate(api: Api, add_recipe: AddRecipe) -> None:
    add_recipe(
        "delegates",
        play("ping:", "{ping: , delegate_to: localhost}", "{debug: , delegate_to: '{{ inventory_hostname }}'}"),
    )
    job = await api.run("delegates", await api.create_server())
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    nodes = (await api.ask(DELEGATED, id=job["id"]))["job"]["events"]["nodes"]
    assert [node["delegatedTo"] for node in nodes if node] == [None, "localhost", None]


SAID = """
query Said($id: ID!) { job(id: $id) { events(first: 100) { nodes { ... on HostTaskEvent { status message } } } } }
"""


async def test_a_task_that_went_well_in_the_end_has_not_given_up(api: Api, add_recipe: AddRecipe) -> None:
    task = "{debug: {msg: again}, register: it, until: it.attempts | default(1) > 1, retries: 3, delay: 0}"
    add_recipe("again", play(task))
    job = await api.run("again", await api.create_server())
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    nodes = (await api.ask(SAID, id=job["id"]))["job"]["events"]["nodes"]
    assert [node for node in nodes if node] == [{"status": "OK", "message": "again"}]


CONFIGS = {
    "[defaults]\ngathering = nope\n": "Invalid value 'nope' for config 'DEFAULT_GATHERING'.",
    "[defaults\nforks = x\n": "Error reading config file (ansible.cfg): File contains no section headers. ",
    "[defaults]\nforks = many\n": "Config 'DEFAULT_FORKS' from 'ansible.cfg' has an invalid value: ",
    "[defaults]\nforks=1\nforks=2\n": "Error reading config file (ansible.cfg): While reading from ",
    "forks = 1\n": "Error reading config file (ansible.cfg): File contains no section headers. ",
}


PLUGIN = "raise RuntimeError('no such luck')\n"
ASKED = {
    "[defaults]\nstdout_callback = no_such\n": "Could not load 'no_such' callback plugin.",
    "[defaults]\nvault_password_file = /nowhere/at/all\n": "The vault password file /nowhere/at/all was not found",
    "[defaults]\nvault_password_file = /bin/false\n": "Vault password script /bin/false returned non-zero (1): None",
    "[defaults]\ncallback_plugins = mine\ncallbacks_enabled = classless\n": (
        "a callback plugin cannot be loaded: "
        "module 'ansible.plugins.callback.classless' has no attribute 'CallbackModule'"
    ),
    "[defaults]\nask_vault_pass = true\n": "EOFError (ctrl-d) on prompt for (default)",
    "[defaults]\ncallback_plugins = mine\ncallbacks_enabled = broken\n": (
        "a callback plugin mine/broken.py cannot be loaded: no such luck"
    ),
}


async def test_settings_that_ask_for_what_is_not_there(start_app: StartApp, ansible_dir: Path) -> None:
    (ansible_dir / "mine").mkdir()
    (ansible_dir / "mine/broken.py").write_text(PLUGIN)
    (ansible_dir / "mine/classless.py").write_text("x = 1\n")
    api = await start_app(launcher="cold")
    server, found = await api.create_server(), {}
    for content in ASKED:
        (ansible_dir / "ansible.cfg").write_text(content)
        found[content] = await ended(api, await api.run("base", server))
    begin = "ansible could not do what its settings (ansible.cfg) ask for"
    assert found == {content: (*BROKEN, f"{begin}: {error}") for content, error in ASKED.items()}


@pytest.mark.parametrize("content", CONFIGS)
@pytest.mark.parametrize("launcher", ["cold", "warm"])
async def test_a_broken_ansible_cfg_is_named(
    start_app: StartApp, ansible_dir: Path, content: str, launcher: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (ansible_dir / "ansible.cfg").write_text(content)
    api = await start_app(launcher=launcher)
    job = await api.run("base", await api.create_server())
    status, reason, message = await ended(api, job)
    assert (status, reason) == BROKEN
    assert message is not None
    assert message.startswith(f"ansible could not read its settings: {CONFIGS[content]}")
    if launcher == "warm":
        assert CONFIGS[content].split("(")[0].strip() in capfd.readouterr().out


TAGGED = """
- hosts: all
  gather_facts: {facts}
  tasks:
    - {{name: Web, ansible.builtin.debug: {{msg: x}}, tags: [web, db.x]}}
    - {{name: Common, ansible.builtin.debug: {{msg: y}}, tags: {common}}}
    - block: [{{ansible.builtin.debug: {{msg: y}}, tags: inblock}}]
      rescue: [{{ansible.builtin.debug: {{msg: y}}, tags: inrescue}}]
    - {{name: More, ansible.builtin.include_tasks: more.yml, tags: always}}
"""
NOTHING = "nothing was done; no task has the tag wbe"
TAGS: list[tuple[str, dict[str, list[str]], tuple[str, str | None, str | None]]] = [
    ("bare", {"tags": ["wbe"]}, (*BROKEN, NOTHING)),
    ("busy", {"tags": ["wbe"]}, ("SUCCESS", None, "no task has the tag wbe")),
    ("bare", {"tags": ["web", "nope"]}, ("SUCCESS", None, "no task has the tag nope")),
    ("bare", {"tags": ["wbe", "also"]}, (*BROKEN, "nothing was done; no task has the tags also, wbe")),
    ("bare", {"skipTags": ["nah"]}, ("SUCCESS", None, "no task has the tag nah")),
    ("bare", {"tags": ["inblock", "db.x"], "skipTags": ["inrescue"]}, WELL),
    ("bare", {"tags": ["tagged"]}, WELL),
    ("busy", {"tags": ["included"]}, WELL),
]


async def test_a_tag_that_no_task_has_is_named(api: Api, add_recipe: AddRecipe, ansible_dir: Path) -> None:
    (ansible_dir / "playbooks/more.yml").write_text("- {name: Inside, ansible.builtin.debug: , tags: [included]}\n")
    bare = TAGGED.format(facts="false", common="common").rpartition("    - {name: More")[0]
    add_recipe("bare", bare)
    add_recipe("busy", TAGGED.format(facts="true", common="always"))
    server = await api.create_server()
    jobs = [await api.run(recipe, server, **options) for recipe, options, _ in TAGS]
    ends = [await ended(api, job) for job in jobs]
    assert ends == [end for *_, end in TAGS]
    warned = [("No task has the tag" in "".join([chunk["text"] async for chunk in api.log(job["id"])])) for job in jobs]
    assert warned == ["no task has the tag" in (message or "") for *_, (_, _, message) in TAGS]
