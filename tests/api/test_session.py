"""Signing in with a browser: what the cookie opens, for whom, and for how long."""

import json
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import WSServerHandshakeError, web

from playcast.http.session import SESSION_SECONDS, Sessions
from tests.conftest import StartApp
from tests.support.api import Api

TOKEN = "correct-horse"
VIEWER = {"query": "{ viewer { name role } }"}
SAID = '{"data":{"viewer":{"name":"token","role":"ADMIN"}}}'


@pytest.fixture
async def guarded(start_app: StartApp) -> Api:
    return await start_app(token=TOKEN)


async def sign_in(api: Api, body: object = None, **headers: str) -> tuple[int, str, str]:
    """Status, text and cookie of an attempt; the test's client keeps no cookie."""
    sent = {"Content-Type": "application/json", **headers}
    data = json.dumps({"token": TOKEN} if body is None else body)
    async with api.client.post("/session", data=data, headers=sent) as response:
        api.client.session.cookie_jar.clear()
        return response.status, await response.text(), response.headers.get("Set-Cookie", "")


async def cookie_of(api: Api) -> str:
    status, _, cookie = await sign_in(api)
    assert status == 204
    return cookie.partition(";")[0]


async def viewer(api: Api, **headers: str) -> tuple[int, str]:
    async with api.client.post("/graphql", json=VIEWER, headers=headers) as response:
        return response.status, await response.text()


async def test_the_cookie_opens_what_the_token_opens(guarded: Api) -> None:
    status, text, cookie = await sign_in(guarded)
    assert (status, text) == (204, "")
    (name,) = SimpleCookie(cookie)
    assert cookie.partition("; ")[2].split("; ") == [
        "HttpOnly",
        f"Max-Age={SESSION_SECONDS}",
        "Path=/",
        "SameSite=Strict",
    ]
    assert TOKEN not in cookie

    headers = {"Cookie": cookie.partition(";")[0]}
    assert await viewer(guarded, **headers) == (200, SAID)
    async with guarded.client.get("/metrics", headers=headers) as response:
        assert response.status == 200
    # Another port gives another name, so that two servers on one machine do not sign each other out.
    assert name == f"playcast_{guarded.client.port}"


async def test_a_socket_opens_with_the_cookie_alone(guarded: Api) -> None:
    headers = {"Cookie": await cookie_of(guarded), "Origin": str(guarded.client.make_url("/")).rstrip("/")}
    async with guarded.client.ws_connect("/graphql", protocols=["graphql-transport-ws"], headers=headers) as socket:
        await socket.send_json({"type": "connection_init"})
        assert await socket.receive_json() == {"type": "connection_ack"}
    with pytest.raises(WSServerHandshakeError):
        async with guarded.client.ws_connect(
            "/graphql", protocols=["graphql-transport-ws"], headers={**headers, "Origin": "https://evil.example"}
        ):
            pass


async def test_graphiql_opens_with_the_cookie(guarded: Api) -> None:
    cookie = await cookie_of(guarded)
    for headers, status in (({}, 303), ({"Cookie": cookie}, 200), ({"Cookie": f"{cookie}0"}, 303)):
        accept = {"Accept": "text/html", **headers}
        async with guarded.client.get("/graphql", headers=accept, allow_redirects=False) as response:
            assert (response.status, "graphiql" in (await response.text()).lower()) == (status, status == 200)


async def test_behind_tls_the_cookie_stays_there(guarded: Api) -> None:
    _, _, cookie = await sign_in(guarded, **{"X-Forwarded-Proto": "https"})
    assert "; Secure" in cookie


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"token": "x" * 5000}, 413, "the body is too large: send at most 4096 bytes"),
        ({"token": "wrong-horse"}, 401, "this is not the token of this server"),
        ({"token": ""}, 401, "this is not the token of this server"),
        ({"token": None}, 400, 'token: send {"token": "…"}'),
        ({}, 400, 'token: send {"token": "…"}'),
        ([TOKEN], 400, 'token: send {"token": "…"}'),
        (TOKEN, 400, "the body is not JSON: not an object: line 1 column 1 (char 0)"),
    ],
)
async def test_no_cookie_without_the_token(guarded: Api, body: object, status: int, error: str) -> None:
    answer = await sign_in(guarded, body)
    code = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 413: "PAYLOAD_TOO_LARGE"}[status]
    assert (answer[0], json.loads(answer[1]), answer[2]) == (status, {"error": error, "code": code}, "")


async def test_forms_cannot_sign_in(guarded: Api) -> None:
    status, _, cookie = await sign_in(guarded, **{"Content-Type": "text/plain"})
    assert (status, cookie) == (415, "")


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:99999"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=[str(one) for one in FOREIGN])
async def test_pages_of_other_sites_get_nothing(guarded: Api, foreign: dict[str, str]) -> None:
    cookie = {"Cookie": await cookie_of(guarded)}
    assert (await viewer(guarded, **cookie, **foreign))[0] == 401
    assert (await sign_in(guarded, **foreign))[0] == 403
    async with guarded.client.delete("/session", headers={**cookie, **foreign}) as response:
        assert (response.status, "Set-Cookie" in response.headers) == (403, False)
    async with guarded.client.get("/metrics", headers={**cookie, **foreign}) as response:
        assert response.status == 401


@pytest.mark.parametrize("foreign", FOREIGN, ids=[str(one) for one in FOREIGN])
async def test_without_a_token_other_sites_can_start_nothing(api: Api, foreign: dict[str, str]) -> None:
    told = '{"errors":[{"message":"pages of other sites cannot use this server","extensions":{"code":"FORBIDDEN"}}]}'
    assert await viewer(api, **foreign) == (403, told)
    own = {"Sec-Fetch-Site": "same-origin", "Origin": str(api.client.make_url("/")).rstrip("/")}
    assert (await viewer(api, **own))[0] == 200


async def test_without_a_token_there_is_nothing_to_sign_in_to(api: Api) -> None:
    assert await sign_in(api, {"token": "anything"}) == (204, "", "")


@pytest.mark.parametrize("change", ["", "0.{signature}", "{until}.", "{until}.{signature}0", "9{until}.{signature}",
                                    "{until}", "x.{signature}", "²{until}.{signature}", "{until}.ü"])  # fmt: skip
async def test_a_cookie_that_was_made_up_opens_nothing(guarded: Api, change: str) -> None:
    name, _, value = (await cookie_of(guarded)).partition("=")
    until, _, signature = value.partition(".")
    made_up = change.format(until=until, signature=signature)
    assert (await viewer(guarded, Cookie=f"{name}={made_up}"))[0] == 401


def request_with(value: str) -> web.Request:
    found: Any = SimpleNamespace(cookies={"playcast_80": value}, headers={}, host="here:80")
    return cast("web.Request", found)


def test_a_cookie_runs_out() -> None:
    now = 1_000_000.0
    sessions = Sessions(TOKEN, lambda: now)
    request = request_with(sessions.issue())
    now += SESSION_SECONDS - 1
    assert sessions.holds(request)
    now += 1
    assert not sessions.holds(request)


def test_a_cookie_of_another_token_opens_nothing() -> None:
    other = Sessions("another-horse")
    sessions = Sessions(TOKEN)
    assert sessions.holds(request_with(sessions.issue()))
    assert not sessions.holds(request_with(other.issue()))


async def test_a_wrong_token_is_not_made_good_by_the_cookie(guarded: Api) -> None:
    cookie = await cookie_of(guarded)
    assert (await viewer(guarded, Cookie=cookie, Authorization="Bearer wrong-horse"))[0] == 401


async def test_signing_out_takes_the_cookie_back(guarded: Api) -> None:
    async with guarded.client.delete("/session") as response:
        assert response.status == 204
        (name,) = SimpleCookie(response.headers["Set-Cookie"])
        name_here = f"playcast_{guarded.client.port}"
        assert (name, "Max-Age=0" in response.headers["Set-Cookie"]) == (name_here, True)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("play.example", "playcast"),
        ("play.example:8443", "playcast_8443"),
        ("[::1]:3001", "playcast_3001"),
        ("127.0.0.1:80", "playcast_80"),
        ("play.example:99999", "playcast"),
        ("a b", "playcast"),
    ],
)
async def test_the_cookie_says_nothing_of_the_token(start_app: StartApp, host: str, name: str) -> None:
    """Its name is told to everybody: were it made from the token, each guess could be tried at home."""
    api = await start_app(token=TOKEN)
    async with api.client.delete("/session", headers={"Host": host}) as response:
        assert list(SimpleCookie(response.headers["Set-Cookie"])) == [name]
    _, _, cookie = await sign_in(api, Host=host)
    assert list(SimpleCookie(cookie)) == [name]
    headers = {"Host": host, "Cookie": cookie.partition(";")[0]}
    assert (await viewer(api, **headers))[0] == 200
