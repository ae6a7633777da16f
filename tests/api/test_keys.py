"""Private keys of numbers that somebody chose: they are read or refused at once, whatever they are."""

import base64
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.api import JSON, Api
from tests.support.untouched import assert_untouched

UNREADABLE = "this is not a private key that can be read: send the whole text, from -----BEGIN to END-----"
Form = Callable[[int, int, int], str]
# With a check for primes the longest of them took 56 seconds, on a machine that did nothing else.
SECONDS = 5.0


def sized(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def number(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def der(tag: bytes, raw: bytes) -> bytes:
    size = len(raw).to_bytes((len(raw).bit_length() + 7) // 8 or 1, "big")
    return tag + (bytes([len(raw)]) if len(raw) < 128 else bytes([128 | len(size)]) + size) + raw


def armoured(kind: str, raw: bytes) -> str:
    return f"-----BEGIN {kind} PRIVATE KEY-----\n{base64.encodebytes(raw).decode()}-----END {kind} PRIVATE KEY-----\n"


def pem(p: int, q: int, d: int) -> str:
    n, e = p * q, 65537
    parts = [0, n, e, d, p, q, d % max(1, p - 1), d % max(1, q - 1), 3]
    return armoured("RSA", der(b"\x30", b"".join(der(b"\x02", number(part)) for part in parts)))


def openssh(p: int, q: int, d: int) -> str:
    n, e = p * q, 65537
    public = sized(b"ssh-rsa") + sized(number(e)) + sized(number(n))
    parts = b"".join(sized(number(part)) for part in (n, e, d, 3, p, q))
    private = b"\0\0\0\1\0\0\0\1" + sized(b"ssh-rsa") + parts + sized(b"")
    private += bytes(range(1, 1 + -len(private) % 8))
    frame = b"openssh-key-v1\0" + sized(b"none") * 2 + sized(b"") + (1).to_bytes(4, "big")
    return armoured("OPENSSH", frame + sized(public) + sized(private))


async def created(api: Api, key: str) -> list[JSON]:
    """What is wrong with a new server that has this key."""
    fields = {"name": "n", "host": "h", "user": "u", "credential": {"privateKey": key}}
    query = "mutation($input: CreateServerInput!) { createServer(input: $input) { userErrors { message field } } }"
    problems: list[JSON] = (await api.ask(query, input=fields))["createServer"]["userErrors"]
    return problems


@pytest.mark.parametrize("form", [pem, openssh], ids=["PEM", "OpenSSH"])
@pytest.mark.parametrize("bits", [1024, 8192, 8200, 30_000])
async def test_a_key_takes_no_time_to_check(api: Api, data_dir: Path, bits: int, form: Form) -> None:
    chosen = random.Random(bits)  # noqa: S311 (no secret)
    p, q, d = (chosen.getrandbits(bits) | 1 | 1 << bits - 1 for _ in range(3))
    text = form(p, q, d)
    before = time.process_time()
    (error,) = await created(api, text)
    assert time.process_time() - before < SECONDS
    too_long = f"an RSA key of {(p * q).bit_length()} bits is too long: ssh takes at most 16384"
    assert error == {
        "message": too_long if 2 * bits > 16384 else UNREADABLE,
        "field": ["credential", "privateKey"],
    }
    await assert_untouched(data_dir)


@pytest.mark.parametrize("form", [pem, openssh], ids=["PEM", "OpenSSH"])
@pytest.mark.parametrize("change", ["p", "q", "d", "one", "swapped"])
async def test_numbers_that_do_not_belong_together(api: Api, form: Form, change: str) -> None:
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    p, q, d = numbers.p, numbers.q, numbers.d
    given = {
        "p": (p + 2, q, d),
        "q": (p, q + 2, d),
        "d": (p, q, d + 2),
        "one": (1, p * q, d),
        "swapped": (q, p, d),
    }[change]
    text = form(*given)
    problem = {"message": UNREADABLE, "field": ["credential", "privateKey"]}
    assert await created(api, text) == ([] if change == "swapped" else [problem])
