"""Malformed servers and credentials: refused with code and field, without a trace; and secrets never come out."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from gql.ids import global_id
from models import Server
from runner.errors import quoted
from runner.secrets.vault import Vault
from runner.verbs import servers
from tests.api.test_bad_input import BAD_VARIABLES, DELETE, problem
from tests.conftest import StartApp
from tests.support.api import CREATE, JSON, Api
from tests.support.untouched import assert_untouched, stored_bytes

GOOD = {"name": "here", "host": "localhost", "user": "root", "credential": {"local": True}}
UPDATE = """
mutation Update($input: UpdateServerInput!) {
  updateServer(input: $input) { server { id name host port user tags variables } userErrors { code message field } }
}
"""
SERVER = "query($id: ID!) { server(id: $id) { name host port user auth tags variables hostKeyFingerprint } }"
PASSPHRASE = "the private key has a passphrase, or a kind that is not supported: store it without"
ONE_OF = "OneOf Input Object 'CredentialInput' must specify exactly one key."
UNREADABLE = "this is not a private key that can be read: send the whole text, from -----BEGIN to END-----"
Key = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Key, form: PrivateFormat, passphrase: bytes | None = None) -> str:
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, locked).decode()


async def refused(api: Api, **given: Any) -> list[JSON]:
    payload = (await api.ask(CREATE, input={**GOOD, **given}))["createServer"]
    assert payload["server"] is None
    problems: list[JSON] = payload["userErrors"]
    return problems


async def test_malformed_fields(api: Api, data_dir: Path) -> None:
    name = "is not a valid server name: use 1 to 64 printable characters, no space at either end"
    host = "is not a valid host: use an IP address or a host name such as web-1.example.org"
    user = (
        "is not a valid user name: use letters, digits, _, ., -, +, @ and \\, none but a letter, a digit or _ first, "
        "at most 128 in all"
    )
    tag = (
        "is not a valid tag: use a small letter first, then small letters, digits or _, "
        "at most 32 in all, and neither all nor ungrouped (each tag becomes an inventory group)"
    )
    bad = {
        "name": (["", " a", "a ", "a\nb", "\0", "\ud800", "n" * 65, "\u202ea"], name),
        "host": (
            ["", "a b", "a\n", "-oProxyCommand=id", ";rm", "a..b", ".a", "a..", ".", "::1%", "::1%a b", "a%lo",
             "h" * 300, "fe80::1%a%b", "127.0.0.1%lo", "[::1]", "{{ x }}", "a.b\n", "root@a", "a/b", "a=b",
             "-a", "a-", "\ud800"],
            host,
        ),
        "user": (
            ["", "-l", "@a", ".a", "+a", "a b", "a\n", "a'b", 'a"b', "u" * 129, "a#b", "{{ x }}", "ä", "\0", "a\\",
             "\\a", "a\\\\b", "a\\-b", "a$", "${HOME}", "a%h", "a;b", "a&b", "a|b", "a(b", "a`b", "a<b",
             "a/b", "a:b", "a,b"],
            user,
        ),
    }  # fmt: skip
    for field, (values, message) in bad.items():
        for value in values:
            assert await refused(api, **{field: value}) == [problem(field, f"{quoted(value)} {message}")]
    idn = f'"müller.example" {host}, which is xn--mller-kva.example here'
    assert await refused(api, host="müller.example") == [problem("host", idn)]
    for port in (0, 65536, -1):
        assert await refused(api, port=port) == [
            problem("port", f"{port} is not a valid port: use a number from 1 to 65535")
        ]
    for word in ("all", "ungrouped", "Web", "a-b", "", "1a", "a\n", "t" * 33, "a:children"):
        assert await refused(api, tags=["web", word]) == [problem("tags", f"{quoted(word)} {tag}")]
    assert await refused(api, tags=["a"] * 65) == [problem("tags", "65 tags are too many: use at most 64")]
    await assert_untouched(data_dir)


async def test_variables_and_several_problems_at_once(api: Api, data_dir: Path) -> None:
    for value, path, message in BAD_VARIABLES:
        assert await refused(api, variables=value) == [problem(["variables", *path], message)]
    several = await refused(api, port=0, variables=[], credential={"password": ""})
    assert [item["field"] for item in several] == [["port"], ["variables"], ["credential", "password"]]
    await assert_untouched(data_dir)


async def test_what_stands_on_the_border_is_taken(api: Api) -> None:
    deep: Any = 2**63 - 1
    for _ in range(15):
        deep = [deep]
    given = {"host": "::1", "port": 65535, "user": "_a.b-c", "tags": ["web", "db", "web"], "variables": {"a": deep}}
    server = await api.create_server(name="ü {{ x }}", **given)
    assert (await api.ask(SERVER, id=server))["server"] == {
        **given, "name": "ü {{ x }}", "auth": "LOCAL", "tags": ["db", "web"], "hostKeyFingerprint": None,
    }  # fmt: skip


async def test_names_are_taken_once(api: Api, data_dir: Path) -> None:
    first = await api.create_server(name="one")
    second = await api.create_server(name="two", tags=["web"])
    taken = 'there is a server called "one" already: choose another name, or update that one'
    assert await refused(api, name="one") == [problem("name", taken, "ALREADY_EXISTS")]
    answer = await api.ask(UPDATE, input={"id": second, "name": "one", "tags": ["db"]})
    assert answer["updateServer"] == {"server": None, "userErrors": [problem("name", taken, "ALREADY_EXISTS")]}
    again = await api.ask(UPDATE, input={"id": first, "name": "one"})
    assert again["updateServer"]["userErrors"] == []
    stands = (await api.ask(SERVER, id=second))["server"]
    assert (stands["name"], stands["tags"]) == ("two", ["web"])
    await assert_untouched(data_dir, servers=2)


async def test_an_update_keeps_what_a_job_learns_meanwhile(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await api.create_server()
    before = await Server.get(id=1)
    read = servers._existing

    async def read_just_before_the_job_ends(server_id: int) -> Server:
        row = await read(server_id)
        await Server.filter(id=server_id).update(host_key="ssh-ed25519 AAAA")
        return row

    monkeypatch.setattr(servers, "_existing", read_just_before_the_job_ends)
    assert (await api.ask(UPDATE, input={"id": server, "name": "new"}))["updateServer"]["userErrors"] == []
    after = await Server.get(id=1)
    assert (after.name, after.host_key, after.created_at) == ("new", "ssh-ed25519 AAAA", before.created_at)
    assert after.updated_at > before.updated_at


async def test_updates_and_deletions_of_nothing(api: Api, data_dir: Path) -> None:
    server = await api.create_server(tags=["web"], port=2222)
    job = global_id("ProvisionJob", 1)
    unknown = [problem("id", "there is no server 99", "NOT_FOUND")]
    wrong = [problem("id", f'"{job}" is the id of a "ProvisionJob", not of a Server')]
    for id_, expected in (("99", unknown), (global_id("Server", 99), unknown), (job, wrong)):
        answer = await api.ask(UPDATE, input={"id": id_, "port": 22})
        assert answer["updateServer"] == {"server": None, "userErrors": expected}
        assert (await api.ask(DELETE, id=id_))["deleteServer"] == {"deletedId": None, "userErrors": expected}
    bad = await api.ask(UPDATE, input={"id": server, "tags": [], "port": 0, "credential": {"local": False}})
    fields = [item["field"] for item in bad["updateServer"]["userErrors"]]
    assert (bad["updateServer"]["server"], fields) == (None, [["port"], ["credential"]])
    stands = (await api.ask(SERVER, id=server))["server"]
    assert (stands["port"], stands["tags"], stands["auth"]) == (2222, ["web"], "LOCAL")
    await assert_untouched(data_dir, servers=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, ONE_OF),
        ({"password": "x", "local": True}, ONE_OF),
        ({"password": None}, "Value for member field 'password' must be non-null"),
    ],
)
async def test_exactly_one_way_to_log_in(api: Api, data_dir: Path, given: JSON, message: str) -> None:
    answer = await api.raw(CREATE, input={**GOOD, "credential": given})
    assert (answer["data"], [error["message"] for error in answer["errors"]]) == (None, [message])
    await assert_untouched(data_dir)


def locked_keys(tmp_path: Path) -> list[str]:
    """Keys under a passphrase, in each of the three forms."""
    file = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "locked", "-f", str(file)], check=True)
    forms = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    return [file.read_text(), *(pem(ec_key(), form, b"locked") for form in forms)]


async def test_malformed_credentials(api: Api, data_dir: Path, tmp_path: Path) -> None:
    password = "a password has 1 to 1024 characters, all on one line"
    half = "text must not contain NUL or half a surrogate pair"
    curve, public = ec_key(), ec_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    no_dir = "there is no keys directory here: set PLAYCAST_KEYS_DIR, or send the key as privateKey"
    cases: list[tuple[JSON, list[str], str]] = [
        ({"local": False}, [], "give one of password, privateKey, keyFile, or local: true"),
        *(({"password": bad}, ["password"], password) for bad in ("", "a\nb", "a\r", "p" * 1025)),
        *(({"password": bad}, ["password"], half) for bad in ("a\0b", "\ud800")),
        *(
            ({"privateKey": bad}, ["privateKey"], UNREADABLE)
            for bad in ("", "garbage", "\0", "\ud800", public.decode(), pem(curve, PrivateFormat.PKCS8)[:150])
        ),
        *(({"privateKey": locked}, ["privateKey"], PASSPHRASE) for locked in locked_keys(tmp_path)),
        ({"privateKey": "k" * 70_000}, ["privateKey"], "a private key has at most 64 KiB"),
        ({"keyFile": "id"}, ["keyFile"], no_dir),
    ]
    for given, path, message in cases:
        assert await refused(api, credential=given) == [problem(["credential", *path], message)]
    await assert_untouched(data_dir)


async def test_key_files(start_app: StartApp, tmp_path: Path, data_dir: Path) -> None:
    keys = tmp_path / "keys"
    (keys / "sub").mkdir(parents=True)
    good = pem(ec_key(), PrivateFormat.OpenSSH)
    for place in (tmp_path / "outside", keys / "sub" / "key"):
        place.write_text(good)
    (keys / "garbage").write_text("garbage")
    (keys / "binary").write_bytes(b"\xff")
    (keys / "out").symlink_to(tmp_path / "outside")
    (keys / "in").symlink_to(keys / "sub" / "key")
    api = await start_app(keys_dir=keys)
    no_path = "is not the name of a key file: give the name of a file in the keys directory, not a path"
    for name in ("../outside", str(tmp_path / "outside"), "sub/key", "", ".", "..", "-x", ".hidden", "a\0"):
        expected = [problem(["credential", "keyFile"], f"{quoted(name)} {no_path}")]
        assert await refused(api, credential={"keyFile": name}) == expected
    for name in ("out", "sub", "missing"):
        expected = [problem(["credential", "keyFile"], f'there is no key file "{name}" in the keys directory')]
        assert await refused(api, credential={"keyFile": name}) == expected
    assert await refused(api, credential={"keyFile": "garbage"}) == [problem(["credential", "keyFile"], UNREADABLE)]
    [binary] = await refused(api, credential={"keyFile": "binary"})
    assert binary["field"] == ["credential", "keyFile"]
    assert binary["message"].startswith('the key file "binary" cannot be read: ')
    await assert_untouched(data_dir)
    await api.create_server(credential={"keyFile": "in"})


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (rsa_key, PrivateFormat.TraditionalOpenSSL),
        (rsa_key, PrivateFormat.PKCS8),
        (rsa_key, PrivateFormat.OpenSSH),
        (ec_key, PrivateFormat.TraditionalOpenSSL),
        (ec_key, PrivateFormat.PKCS8),
        (ed25519.Ed25519PrivateKey.generate, PrivateFormat.PKCS8),
    ],
)
async def test_keys_of_every_form(api: Api, data_dir: Path, make: Callable[[], Key], form: PrivateFormat) -> None:
    key = make()
    await api.create_server(credential={"privateKey": "\n" + pem(key, form).replace("\n", "\r\n")})
    [row] = await Server.all()
    stored = Vault((data_dir / "secret.key").read_text()).unlock(row.credential or b"")
    text = str(stored["privateKey"])
    assert (list(stored), text.splitlines()[0]) == (["privateKey"], "-----BEGIN OPENSSH PRIVATE KEY-----")
    raw = (Encoding.OpenSSH, PublicFormat.OpenSSH)
    found = load_ssh_private_key(text.encode(), None).public_key()
    assert found.public_bytes(*raw) == key.public_key().public_bytes(*raw)


async def test_secrets_never_come_out(api: Api, data_dir: Path) -> None:
    key = pem(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.OpenSSH)
    secrets = ["correct horse battery", key, *key.splitlines()[1:-1]]
    ids = [
        await api.create_server(name="one", credential={"password": secrets[0]}),
        await api.create_server(name="two", credential={"privateKey": key}),
    ]
    shape = await api.ask("{ __schema { types { kind name fields { name } } } }")
    outputs = {
        (kind["name"], field["name"])
        for kind in shape["__schema"]["types"]
        for field in kind["fields"] or []
        if field["name"].lower() in {"password", "privatekey", "keyfile", "credential", "secret", "secretvars"}
    }
    assert outputs == {("RecipeInput", "secret")}
    shown = [await api.ask(SERVER, id=server) for server in ids]
    assert [answer["server"]["auth"] for answer in shown] == ["PASSWORD", "SSH_KEY"]
    stored = stored_bytes(data_dir)
    assert b"localhost" in stored
    for secret in secrets:
        assert secret not in str(shown)
        assert secret.encode() not in stored
