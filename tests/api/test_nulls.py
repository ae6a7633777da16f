"""What null means in an input: the default, or where there is none it is refused by name."""

from typing import Any

import pytest

from models import ProvisionJob, Server, ServerTag
from tests.support.api import CREATE, JSON, LOG, RUN, Api
from tests.support.untouched import assert_untouched

UPDATE = """
mutation Update($input: UpdateServerInput!) {
  updateServer(input: $input) { server { id } userErrors { code message field } }
}
"""
RETRY = "mutation Retry($input: RetryJobInput!) { retryJob(input: $input) { userErrors { code field } } }"
KEPT = "leave it out to keep what is there"
UPDATED = {
    **dict.fromkeys(("name", "host", "port", "user", "credential", "strictHostKey", "forgetHostKey"), KEPT),
    "tags": "use [] for none",
    "variables": "use {} for none",
}


async def stored(api: Api) -> JSON:
    """Server 1, with everything that it can have."""
    given = {"tags": ["web"], "variables": {"a": 1}, "port": 2222, "strictHostKey": False}
    await api.create_server(**given)
    await Server.filter(id=1).update(host_key="ssh-ed25519 AAAA")
    return await rows()


async def rows() -> JSON:
    (row,) = await Server.all().values()
    return {**row, "tags": [tag.tag for tag in await ServerTag.all()]}


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize(("field", "rest"), UPDATED.items())
async def test_no_field_of_a_server_becomes_null(api: Api, field: str, rest: str, *, literal: bool) -> None:
    before = await stored(api)
    if literal:
        errors = "userErrors { code message field }"
        query = f"mutation {{ updateServer(input: {{id: 1, {field}: null}}) {{ server {{ id }} {errors} }} }}"
        payload = (await api.ask(query))["updateServer"]
    else:
        payload = (await api.ask(UPDATE, input={"id": "1", field: None}))["updateServer"]
    assert payload == {
        "server": None,
        "userErrors": [{"code": "INVALID", "message": f"{field} cannot be null: {rest}", "field": [field]}],
    }
    assert await rows() == before


async def test_each_null_is_named_and_nothing_is_changed(api: Api) -> None:
    before = await stored(api)
    changes = {"id": "1", "name": None, "host": "other.example", "tags": None, "strictHostKey": None}
    payload = (await api.ask(UPDATE, input=changes))["updateServer"]
    assert [error["field"] for error in payload["userErrors"]] == [["name"], ["tags"], ["strictHostKey"]]
    assert await rows() == before


async def test_what_is_left_out_stays(api: Api) -> None:
    before = await stored(api)
    for changes, changed in (
        ({}, {}),
        ({"name": "there"}, {"name": "there"}),
        ({"tags": []}, {"tags": []}),
        ({"variables": {}}, {"variables": {}}),
        ({"forgetHostKey": False}, {}),
        ({"forgetHostKey": True}, {"host_key": None}),
        ({"strictHostKey": True}, {"strict_host_key": True}),
    ):
        payload = (await api.ask(UPDATE, input={"id": "1", **changes}))["updateServer"]
        assert payload["userErrors"] == []
        before |= changed
        now = await rows()
        assert {**now, "updated_at": None} == {**before, "updated_at": None}


@pytest.mark.parametrize(
    ("query", "given", "field"),
    [
        *((RUN, {"recipe": "base", "serverIds": ["1"], field: None}, field)
          for field in ("recipe", "serverIds")),
        (RUN, {"recipe": "base", "serverIds": [None]}, "serverIds"),
        (RUN, {"recipe": "base", "serverIds": ["1"], "tags": [None]}, "tags"),
        (RETRY, {"jobId": None}, "jobId"),
        *((CREATE, {"name": "a", "host": "b", "user": "c", "credential": {"local": True}, field: None}, field)
          for field in ("name", "host", "user", "credential")),
        *((CREATE, {"name": "a", "host": "b", "user": "c", "credential": {field: None}}, field)
          for field in ("password", "privateKey", "keyFile", "local")),
        (UPDATE, {"id": None}, "id"),
        ("mutation D($input: DeleteServerInput!) { deleteServer(input: $input) { deletedId } }", {"id": None}, "id"),
        ("mutation C($input: CancelJobInput!) { cancelJob(input: $input) { job { id } } }", {"jobId": None}, "jobId"),
    ],
)  # fmt: skip
async def test_what_cannot_be_null_is_named(api: Api, data_dir: Any, query: str, given: JSON, field: str) -> None:
    answer = await api.raw(query, input=given)
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert field in error["message"]
    assert answer["data"] is None
    await assert_untouched(data_dir)


async def test_null_is_the_default(api: Api) -> None:
    created = {"name": "a", "host": "localhost", "user": "root", "credential": {"local": True}}
    nothing = dict.fromkeys(("tags", "variables", "port", "strictHostKey"))
    payload = (await api.ask(CREATE, input={**created, **nothing}))["createServer"]
    assert await Server.all().values_list("port", "strict_host_key") == [(22, True)]
    assert payload["server"] | {"id": None} == {"id": None, "name": "a", "auth": "LOCAL", "tags": [], "variables": {}}
    fields = ("extraVars", "tags", "skipTags", "timeoutSeconds", "idempotencyKey", "check", "diff", "priority")
    job = await api.run("base", payload["server"]["id"], **dict.fromkeys(fields))
    row = await ProvisionJob.get(id=1)
    assert (row.extra_vars, row.tags, row.skip_tags, row.timeout_seconds, row.idempotency_key) == (
        None,
        [],
        [],
        1800,
        None,
    )
    assert (row.check_mode, row.diff, row.priority) == (False, False, 0)
    await api.finished(job["id"])
    again = (await api.ask(RETRY, input={"jobId": job["id"], "failedHostsOnly": None}))["retryJob"]
    assert again == {"userErrors": []}


async def test_a_bare_number_does_not_name_a_node(api: Api) -> None:
    for number in ("1", "0", "007", "99999999999"):
        (error,) = (await api.raw("query($id: ID!) { node(id: $id) { id } }", id=number))["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}
        assert error["message"] == (
            f'"{number}" does not say of what it is the number: use an `id` that this API gave you, '
            "or job(id) and server(id), which take a number too"
        )


@pytest.mark.parametrize("size", [0, 2**31 - 1, 2**31, 5 * 1024**3, 2**53 + 1, 2**63 - 1])
async def test_the_size_of_a_log_is_told_whole(api: Api, size: int) -> None:
    await ProvisionJob.create(
        recipe="base", revision="r", status="RUNNING", tags=[], skip_tags=[], timeout_seconds=1, requested_by="x",
        log_size=size,
    )  # fmt: skip
    query = '{ job(id: "1") { logBytes logSize } }'
    said = {"logBytes": size, "logSize": min(size, 2**31 - 1)}
    assert await api.ask(query) == {"job": said}
    async with api.subscribe("subscription { jobUpdated(ids: [1]) { logBytes logSize } }") as updates:
        assert await anext(updates) == {"jobUpdated": said}
    assert LOG
