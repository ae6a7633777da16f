"""Text that a database may refuse, in names, results and messages of a playbook: the same end on both databases."""

from collections.abc import Callable

from tests.conftest import StartApp

PLAYBOOK = r"""
- hosts: all
  gather_facts: false
  tasks:
    - name: "nul \0 bell \a escape \e[31m high \uFFFF"
      ansible.builtin.debug: {msg: "nul \0 high \U0010FFFF"}
    - ansible.builtin.command: python3 -c "import sys; sys.stdout.buffer.write(bytes(range(128)))"
    - ansible.builtin.fail: {msg: "stopped at \0 and \x01"}
"""
EVENTS = """
query E($id: ID!) {
  job(id: $id) {
    status failureReason message
    events(first: 50) { edges { node { __typename ... on HostTaskEvent { task status message result } } } }
  }
}
"""


async def test_a_job_ends_whatever_it_says(
    database_url: str, start_app: StartApp, add_recipe: Callable[[str, str], None]
) -> None:
    add_recipe("hostile", PLAYBOOK)
    api = await start_app(database_url=database_url, serve_jobs=True)
    server = await api.create_server()
    job = (await api.run("hostile", server))["id"]
    await api.finished(job)
    told = (await api.ask(EVENTS, id=job))["job"]
    assert (told["status"], told["failureReason"]) == ("ERROR", "PLAYBOOK_FAILED")
    events = [edge["node"] for edge in told["events"]["edges"]]
    results = [event for event in events if event["__typename"] == "HostTaskEvent"]
    assert [event["status"] for event in results] == ["OK", "CHANGED", "FAILED"]
    assert "\0" not in told["message"]
