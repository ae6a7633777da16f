"""Texts of settings: what does not fit where it goes is one line that names the setting, before anything starts."""

import errno
import socket
from pathlib import Path

import pytest

from playcast.server import _no_listening
from playcast.setting_texts import in_one_line
from playcast.settings import load
from runner.errors import PlaycastError

BROKEN = {
    "a line end": "127.0.0.1\n",
    "a line within": "a\nb.example",
    "a colour": "\x1b[31mred",
    "a tab": "local\thost",
    "no UTF-8": "a\udcffb",
    "a separator": "a\u2028b",
    "a turned text": "a\u202eb",
}


def loaded() -> None:
    load().check_paths()


def refusal(**environment: str) -> str:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(f"PLAYCAST_{name}", value)
        with pytest.raises(PlaycastError) as refused:
            loaded()
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


@pytest.mark.parametrize("value", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    "name", ["HOST", "WORKER", "URL", "TOKEN_FILE", "SECRET_KEY_FILE", "MASK_WORDS_FILE", "DATA_DIR", "KEYS_DIR"]
)
def test_what_breaks_a_line_is_refused(name: str, value: str) -> None:
    assert refusal(**{name: value}).startswith(f"PLAYCAST_{name}")


@pytest.mark.parametrize(
    "host", ["a..b", "é..é", ".", "..", "x" * 64, "x" * 300, "é" * 60, "a b", " ", f"{'a' * 64}.example", ".example"]
)
def test_a_host_that_cannot_be_looked_up(host: str) -> None:
    assert refusal(HOST=host).startswith('PLAYCAST_HOST: "')
    with pytest.raises(PlaycastError, match=r"^PLAYCAST_URL: this is not the URL of a server: write http://host:port$"):
        load(url=f"http://{host}:3001")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%eth0", "localhost.", "xn--a.example", "é.example"])
def test_a_host_that_can(host: str) -> None:
    assert load(host=host).host == host


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:3001", "ftp://a", "http://", "http://[::1", "http://a:99999"])
def test_an_url_that_leads_nowhere(url: str) -> None:
    assert refusal(URL=url) == "PLAYCAST_URL: this is not the URL of a server: write http://host:port"


def test_neither_a_token_nor_a_password_is_shown() -> None:
    for token in ("correct\nhorse", "correct-horse ", "\tcorrect-horse", "correct\x7fhorse"):
        told = refusal(TOKEN=token)
        assert (told.startswith("PLAYCAST_TOKEN has "), "horse" in told) == (True, False)
    assert "horse" not in refusal(URL="http://a:correct-horse@[")
    assert "horse" not in refusal(URL="http://a:correct-horse@b/\n")
    told = refusal(MASK_WORDS="correct-horse\nhorse\udcff")
    assert told == "PLAYCAST_MASK_WORDS: line 2 has bytes that are not UTF-8: write it as UTF-8"


@pytest.mark.parametrize("name", ["DATA_DIR", "JOBS_DIR", "ANSIBLE_DIR", "KEYS_DIR"])
@pytest.mark.parametrize("path", ["/x/" + "a" * 256, "/x/" + "é" * 128, "/a" * 2100], ids=["name", "letters", "whole"])
def test_a_path_that_is_too_long(name: str, path: str) -> None:
    told = refusal(**{name: path})
    assert told.startswith(f'PLAYCAST_{name}: the path "')
    assert told.endswith("is too long: name a shorter one")


def test_a_long_path_of_a_database_or_a_file() -> None:
    assert refusal(DATABASE_URL="sqlite:///" + "a" * 300).startswith("PLAYCAST_DATABASE_URL: the path ")
    assert refusal(TOKEN_FILE="/" + "a" * 5000).startswith("PLAYCAST_TOKEN_FILE: /aaa")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://?journal_mode=WAL"])
def test_a_database_that_names_no_file(url: str) -> None:
    told = "PLAYCAST_DATABASE_URL: it names no file; write it as sqlite:///path/to/playcast.sqlite3"
    assert refusal(DATABASE_URL=url) == told


def test_who_is_to_blame_where_nobody_can_listen(tmp_path: Path) -> None:
    settings = load(host="nosuch.invalid", port=80, data_dir=tmp_path)
    unknown = _no_listening(settings, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert unknown == (
        "PLAYCAST_HOST: nosuch.invalid is not an address of this machine (Name or service not known): "
        "name one that is, such as 127.0.0.1, or 0.0.0.0 for all of them"
    )
    for number in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL):
        assert _no_listening(settings, OSError(number, "x")).startswith("PLAYCAST_HOST: nosuch.invalid is not an ")
    assert _no_listening(settings, OSError(errno.EACCES, "x")).startswith("PLAYCAST_PORT: this account may not listen")
    assert "set PLAYCAST_PORT to another" in _no_listening(settings, OSError(errno.EADDRINUSE, "in use"))


def test_one_line() -> None:
    assert in_one_line("a\nb\x1b[0m é\udcff") == "a\\nb\\x1b[0m é\\udcff"
