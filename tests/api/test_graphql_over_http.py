"""The audits of the npm package graphql-http: what the GraphQL-over-HTTP specification asks of a server."""

import json
from collections import Counter

import pytest

from tests.conftest import StartApp
from tests.support.nodejs import run

TOKEN = "correct-horse"
AUDITS = {"MUST": 13, "SHOULD": 23, "MAY": 25}
BY_GET = {
    "MAY accept application/x-www-form-urlencoded formatted GET requests",
    "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/graphql-response+json",
    "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json",
}
"""What is left out on purpose: a link or a picture of another page can make a browser send a GET."""


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_every_audit(start_app: StartApp, token: str | None) -> None:
    api = await start_app(token=token)

    results = json.loads(await run("audit.mjs", str(api.client.make_url("/graphql")), *([token] if token else [])))

    assert Counter(result["name"].split()[0] for result in results) == AUDITS
    assert {result["name"]: result["reason"] for result in results if result["status"] != "ok"}.keys() == BY_GET
