"""`logLine` of an event is where its own output begins, whatever was printed in between."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support.api import Api

StartApp = Callable[..., Awaitable[Api]]

BETWEEN = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: One, ansible.builtin.command: 'true', notify: Handled}
    - ansible.builtin.meta: flush_handlers
    - {name: Two, ansible.builtin.ping: }
    - ansible.builtin.meta: noop
    - ansible.builtin.meta: clear_facts
    - {name: Three, ansible.builtin.include_tasks: included.yml}
    - ansible.builtin.meta: clear_host_errors
    - {name: Four, ansible.builtin.debug: {msg: "TASK [not a header]"}}
    - {name: Five, warns: }
    - ansible.builtin.meta: reset_connection
    - {name: Six, ansible.builtin.shell: "exit 3", ignore_errors: true}
  handlers:
    - {name: Handled, ansible.builtin.debug: {msg: h}}
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.meta: noop
    - {name: Seven, ansible.builtin.ping: }
"""
INCLUDED = """
- {name: Included, ansible.builtin.debug: {msg: a}}
- ansible.builtin.meta: noop
- {name: Included too, ansible.builtin.debug: {msg: b}}
"""
WARNS = (
    "from ansible.module_utils.basic import AnsibleModule\n"
    "module = AnsibleModule({})\nmodule.warn('a module warns')\nmodule.exit_json(changed=True)\n"
)
LINES = """
query Lines($id: ID!) {
  job(id: $id) {
    log { chunks { text } }
    events(first: 100) {
      nodes { ... on TaskStartedEvent { task logLine } ... on HostTaskEvent { name: task status logLine } }
    }
  }
}
"""


async def test_no_line_of_something_else(
    start_app: StartApp, add_recipe: Callable[[str, str], None], ansible_dir: Path
) -> None:
    add_recipe("between", BETWEEN)
    (ansible_dir / "playbooks/included.yml").write_text(INCLUDED)
    (ansible_dir / "playbooks/library").mkdir()
    (ansible_dir / "playbooks/library/warns.py").write_text(WARNS)
    api = await start_app()
    job = await api.run("between", await api.create_server())
    assert (await api.finished(job["id"]))["status"] == "SUCCESS"
    found = (await api.ask(LINES, id=job["id"]))["job"]
    lines = "".join(chunk["text"] for chunk in found["log"]["chunks"]).splitlines()
    events = [event for event in found["events"]["nodes"] if event.get("logLine")]
    tasks = [(event["task"], lines[event["logLine"] - 1].split("]")[0]) for event in events if "task" in event]
    names = ["One", "Handled", "Two", "Three", "Included", "Included too", "Four", "Five", "Six", "Seven"]
    assert tasks == [(name, f"{'RUNNING HANDLER' if name == 'Handled' else 'TASK'} [{name}") for name in names]
    results = {event["name"]: lines[event["logLine"] - 1].split(" =>")[0] for event in events if "name" in event}
    # Where ansible begins to tell of a failure.
    assert results.pop("Six").startswith("[ERROR]: Task failed: ")
    assert results == {
        "One": "changed: [srv-1]",
        "Handled": "ok: [srv-1]",
        "Two": "ok: [srv-1]",
        "Included": "ok: [srv-1]",
        "Included too": "ok: [srv-1]",
        "Four": "ok: [srv-1]",
        "Five": "changed: [srv-1]",
        "Seven": "ok: [srv-1]",
    }
