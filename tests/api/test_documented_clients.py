"""The programs of docs/clients.md, word for word: each reads every byte of a log once, however often it is cut off."""

import asyncio
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import StartApp
from tests.log.test_resume import store
from tests.support.api import Api
from tests.support.browser import browsing
from tests.support.cutting import cutting
from tests.support.launchers import until
from tests.support.nodejs import prepare, require_node
from tests.support.serving import CHECKOUT

CUTS = 6
# After how many bytes a connection is cut, and how many bytes of the log its client has written by then at the least:
# of what comes it writes only whole chunks, which are of less than 64 KiB.
LENGTHS = (350_000, 450_000)
LEAST_WRITTEN = 200_000
# What the server may send in all, as a part of the whole: of each connection that was cut a few chunks come again.
MOST_SENT = 1.5
TOKEN = "correct-horse"
DOCS = CHECKOUT / "docs/clients.md"
NAMED = re.compile(
    r"^```(?:js|python)\n((?:// |\"\"\")(?:.*: python )?(\w+\.(?:mjs|py)).*\n(?s:.*?))^```$", re.MULTILINE
)
LOG = "".join(f'Zeile {number}: Grüße, 世界 😀\x1b[0m "\\\r\n' for number in range(60_000)).encode()


def programs() -> dict[str, str]:
    """Each example that has a name, by its name."""
    return {name: content for content, name in NAMED.findall(DOCS.read_text())}


def test_every_program_is_found() -> None:
    assert sorted(programs()) == [
        *("apollo.mjs", "log.mjs", "relay.mjs", "resumable.mjs", "socket.mjs", "sse.mjs", "urql.mjs", "watch.mjs"),
        "watch.py",
    ]


async def stored(api: Api) -> int:
    """The number of a job with the log LOG, cut at ends of lines into chunks of less than 64 KiB."""
    edges, at = [], 0
    while at + 60_000 < len(LOG):
        at = LOG.index(b"\n", at + 50_000) + 1
        edges.append(at)
    return (await store(LOG, edges)).id


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("watch.mjs", ""),
        ("urql.mjs", "The log of base\n"),
        ("apollo.mjs", "The log of base\n"),
        ("sse.mjs", ""),
        ("watch.py", ""),
    ],
)
async def test_cut_six_times_it_writes_every_byte_once(
    start_app: StartApp, tmp_path: Path, program: str, said: str
) -> None:
    api = await start_app(token=TOKEN)
    job = await stored(api)
    python = program.endswith(".py")
    node = require_node()
    # Node looks for packages in the folders above.
    room = tmp_path if python else (await asyncio.to_thread(prepare, node)) / f"documented-{program}"
    room.mkdir(exist_ok=True)
    for name, content in programs().items():
        (room / name).write_text(content)
    draw = random.Random(program)  # noqa: S311 (where to cut)
    port = api.client.port
    assert port is not None
    out = bytearray()

    async def written() -> None:
        # Who starts anew gets no further than to the first cut, and is waited for until the time is up.
        await until(lambda: len(out) >= LEAST_WRITTEN * (cutter.cuts + 1))

    # graphql-sse hands nothing over while what it has read ends within a line.
    mark = b"\n\n" if program == "sse.mjs" else b""
    lengths = [draw.randint(*LENGTHS) for _ in range(CUTS)]
    async with cutting(port, lengths, before_a_cut=written, mark=mark) as cutter:
        client = await asyncio.create_subprocess_exec(
            *(sys.executable if python else node.node, program, str(job)),
            cwd=room,
            env={"PLAYCAST_URL": f"http://127.0.0.1:{cutter.port}", "TOKEN": TOKEN},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert client.stdout is not None
        assert client.stderr is not None
        async with asyncio.timeout(240):
            reading = asyncio.ensure_future(client.stderr.read())
            while data := await client.stdout.read(65536):
                out += data
            errors = await reading
            await client.wait()

    assert (client.returncode, errors.decode()) == (0, said)
    assert cutter.cuts == CUTS
    assert len(out) == len(LOG)
    assert cutter.passed < MOST_SENT * len(json.dumps(LOG.decode(), ensure_ascii=False).encode())
    assert out == LOG


async def test_a_browser_resumes_its_event_source_by_itself(api: Api) -> None:
    job = await stored(api)
    assert job == 1
    (program,) = re.findall(r"^```js\n(const query = (?s:.*?))^```$", DOCS.read_text(), re.MULTILINE)
    assert "new EventSource" in program
    port = api.client.port
    assert port is not None
    said: list[str] = []
    async with cutting(port, [500_000] * CUTS) as cutter, browsing(api) as browser:
        browser.home = f"http://127.0.0.1:{cutter.port}"
        browser.page.on("console", lambda message: said.append(message.text) if message.type == "log" else None)
        await browser.open()
        await browser.page.evaluate(f"() => {{ {program}; window.source = source; }}")
        await browser.page.wait_for_function("() => source.readyState === EventSource.CLOSED", timeout=200_000)
        # It tells of each lost connection.
        browser.forgive("net::ERR_")
    assert cutter.cuts == CUTS
    assert "".join(said).encode() == LOG
