"""Words: what of a job is masked in its log and events, and which secrets could not be."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from runner.programs.spellings import SHORT_PLAIN, Masking, lines_of, masking
from runner.secrets.credentials import Login

_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_. -]{0,63}")
_MOST_DIGITS = 40
# What the keys of a mapping are usually made of: they say what a value is, and are in every log and result anyway.
_USUAL_WORDS = """
    a access account action active address admin age algorithm alias all allow api app application args at auth
    authorization backend base basic batch bind body bool broker bucket ca cache cert certificate chain channel
    changed cipher class client cloud cluster cmd code command comment common config connection consumer content
    contents cookie count country created credential credentials cron data database date datacenter db debug default
    delay delete dest description device dict dir directory disk dn dns docker domain email enable enabled encryption
    endpoint engine env environment error events exchange expire expires facts failed family file filter first flag
    force format from full gid git global group groups hash header headers home hook host hostname hosts http https
    id image in index info inner inputs install instance interface internal interval ip is issuer item items json jwt
    key keys kind kv label labels last ldap length level license limit line list listen local location lock log login
    mail main master max memory message meta method min mode model module msg name namespace network new nginx node
    notes number oauth object of off old on option options order org organization outer output owner package page
    parameters params parent part pass passphrase password passwords passwd path payload pem permissions pgp phone
    pid pin plan policy pool port ports postgres prefix primary priority private prod profile project prompt property
    protocol provider proxy public pull push pw pwd query queue rate rc read realm reason redis ref region registry
    release remote repo repository request response result retries role roles root route rsa rule rules salt schema
    scope script search secondary secret secrets security seed server servers service session set settings shared
    shell short sign signing site size slack smtp socket source spec ssh ssl stage start state status stderr stdout
    stop storage string subject subnet suffix tag tags target task tenant test text time timeout title tls to token
    tokens total ttl type uid unit update uri url usage use user username users uuid value values var vars vault
    version vhost virtual volume webhook with work write x y yaml zone
"""
_USUAL = frozenset(_USUAL_WORDS.split())


def words_of(logins: Iterable[Login], secret_vars: Mapping[str, object], more: Iterable[str]) -> list[str]:
    """What to mask in a job: passwords and keys of its log-ins, all that its secret inputs hold, and `more`."""
    found = [secret for login in logins for secret in (login.password, login.private_key) if secret]
    for value in secret_vars.values():
        found += _inside(value)
    return [*found, *more]


def unmasked(value: object) -> bool:
    """Whether a secret input holds a text that is in the log as it is, or is itself such a number.

    Neither an empty text nor true, false and null are secrets, nor is a number of one digit among other values.
    """
    if isinstance(value, Mapping):
        return any(unmasked(item) for item in value.values() if not _is_number(item))
    if isinstance(value, list):
        return any(unmasked(item) for item in value if not _is_number(item))
    if isinstance(value, str):
        return bool(value.strip()) and not any(masking(line) is not Masking.NOWHERE for line in _lines(value))
    return _is_number(value) and masking(str(value)) is Masking.NOWHERE


def _lines(value: str) -> list[str]:
    return lines_of(value) if len(value.strip().splitlines()) > 1 else [value]


def _inside(value: object) -> Iterator[str]:
    """The texts and numbers inside a secret input, as they are written, and the keys that are no usual names."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not _is_usual(str(key)):
                yield str(key)
            yield from _inside(item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, str):
        yield value
    elif _is_number(value):
        yield from _numbers(Decimal(str(value)))
        yield str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_usual(key: str) -> bool:
    """Whether a key is a name such as `db_password` or `apiKey2`, made of nothing but usual words."""
    return _NAME.fullmatch(key) is not None and all(
        part.lower() in _USUAL or (part.isdigit() and len(part) < 3) for part in _PARTS.findall(key)
    )


def _numbers(number: Decimal) -> Iterator[str]:
    """A number as languages write it: 15000000000.0, 1.5e+10, 1.5E10, 15,000,000,000 and 15_000_000_000."""
    yield f"{number:f}"
    power = number.adjusted()
    if number == number.to_integral_value() and 3 <= power <= _MOST_DIGITS:
        yield from (f"{int(number):,}".replace(",", mark) for mark in ",_ ")
        yield str(int(number))
    if abs(power) >= SHORT_PLAIN - 1:
        digits = "".join(map(str, number.normalize().as_tuple().digits))
        mantissa = f"{digits[0]}.{digits[1:]}".removesuffix(".")
        for short in {mantissa, f"{digits[0]}.{digits[1:] or 0}"}:
            for exponent in (f"e{power:+03d}", f"e{power:+d}", f"e{power}"):
                yield from (short + exponent, short + exponent.upper())
