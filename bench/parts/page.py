"""The page while a job floods it: CPU and memory of the browser's process that draws, and how much it draws.

The baselines are pages that receive the same text over the same socket: one only holds it, one appends it to a `<pre>`
as a page without a log view of its own would. `python -m bench.parts.page LINES [RATE]` takes other numbers of lines,
and a million need no `<pre>`, which no browser bears.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Page, Playwright, sync_playwright

from bench.rig.server import Server, flood_ansible_dir
from bench.rig.table import compared, spread
from tests.support.browser import ARGUMENTS, find_chromium

ROUNDS = 3
LINES = 100_000
RATE = 5_000
MOST_IN_PRE = 200_000
HOLDS, PRE, PAGE = "a page that only holds the text", "a page with one <pre>", "the page"
FIND = "00012345 1"
_LOOK_MS = 1_000
_LISTEN = """([job, show]) => {
  window.whole = false;
  window.held = [];
  const pre = document.createElement('pre');
  document.body.replaceChildren(pre);
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/graphql', 'graphql-transport-ws');
  socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init' }));
  socket.onmessage = ({ data }) => {
    const { type, payload } = JSON.parse(data);
    if (type === 'connection_ack') {
      const query = `subscription { jobLog(jobId: "${job}") { cursor after firstLine text emittedAt end } }`;
      socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query } }));
    } else if (type === 'next') {
      const { text, end } = payload.data.jobLog;
      if (show) {
        pre.append(text);
        scrollTo(0, document.documentElement.scrollHeight);
      } else window.held.push(text);
      window.whole ||= end;
    }
  };
}"""

Row = tuple[str, str]


@dataclass
class Found:
    """Of one run: CPU seconds, the most megabytes (PSS), and the most elements of the document."""

    cpu: float
    memory: float
    nodes: int


def rows(lines: int = LINES, rate: int = RATE, rounds: int = ROUNDS) -> Iterator[Row]:
    """Each row of the table: what, and its figure."""
    kinds = [HOLDS, *([PRE] if lines <= MOST_IN_PRE else []), PAGE]
    found: dict[str, list[Found]] = {kind: [] for kind in kinds}
    times: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        ansible = flood_ansible_dir(Path(folder))
        room = Path(folder) / "room"
        with Server(room, PLAYCAST_ANSIBLE_DIR=str(ansible), PLAYCAST_LAUNCHER="cold") as server:
            target = server.add_server()
            for _ in range(rounds):
                for kind in kinds:
                    job = server.run("flood", target, lines=lines, rate=rate)
                    found[kind].append(flooded(playwright, server, kind, job))
                times.append((searched(playwright, server, job), received(playwright, server, job)))
    yield from table(found, times, f"{lines:,} lines, {rate:,} a second")


def table(found: dict[str, list[Found]], times: list[tuple[float, float]], what: str) -> Iterator[Row]:
    """The rows; each round of the page is compared with the baselines of its round."""
    mine = found[PAGE]
    for kind in [kind for kind in found if kind != PAGE]:
        pairs = list(zip(mine, found[kind], strict=True))
        yield f"{what}: CPU of the renderer, against {kind}", compared([(a.cpu, b.cpu) for a, b in pairs], " s")
        memory = compared([(a.memory, b.memory) for a, b in pairs], " MB", 0)
        yield f"  its memory at the most, against {kind}", memory
    yield "  elements of the document at the most", spread([run.nodes for run in mine], "", 0)
    yield "  search for one line of all, against receiving all of it", compared(times, " s")


def flooded(playwright: Playwright, server: Server, kind: str, job: int) -> Found:
    """One page that follows one job from its start to its end."""
    with opened(playwright, server, kind, job) as page:
        memory, nodes = 0.0, 0
        while True:
            # Asked before: what is measured then belongs to all of the log.
            done = whole(page, kind)
            seconds, now = used()
            memory = max(memory, now)
            nodes = max(nodes, page.evaluate("document.querySelectorAll('*').length"))
            if done:
                return Found(seconds, memory, nodes)
            page.wait_for_timeout(_LOOK_MS)


def searched(playwright: Playwright, server: Server, job: int) -> float:
    """Seconds from a text in the search box to the row of its line, in a log that is there as a whole."""
    with opened(playwright, server, PAGE, job) as page:
        while not whole(page, PAGE):
            page.wait_for_timeout(100)
        began = time.monotonic()
        page.get_by_placeholder("Search the log").fill(FIND)
        page.get_by_text("0 of 1").wait_for(timeout=120_000)
        page.keyboard.press("Enter")
        page.locator(".row.here", has_text=FIND).wait_for()
        return time.monotonic() - began


def received(playwright: Playwright, server: Server, job: int) -> float:
    """Seconds until a page that only holds the text has all of a log that was there before."""
    began = time.monotonic()
    with opened(playwright, server, HOLDS, job) as page:
        while not whole(page, HOLDS):
            page.wait_for_timeout(20)
        return time.monotonic() - began


@contextlib.contextmanager
def opened(playwright: Playwright, server: Server, kind: str, job: int) -> Iterator[Page]:
    """A page of one kind in a browser of its own, which has begun to follow a job."""
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
    try:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        if kind == PAGE:
            page.goto(f"{server.url}/#/jobs/{job}")
            page.wait_for_selector(".row")
        else:
            # Of the same server, which lets no page of another in.
            page.goto(f"{server.url}/healthz")
            page.evaluate(_LISTEN, [job, kind == PRE])
        yield page
    finally:
        browser.close()


def whole(page: Page, kind: str) -> bool:
    """Whether all of the log has come."""
    if kind != PAGE:
        return bool(page.evaluate("window.whole"))
    return page.locator(".tools > .hint").inner_text().endswith("whole")


def used() -> tuple[float, float]:
    """CPU seconds and megabytes (PSS) of all that draws in the browsers of this program: one is open at a time."""
    seconds = megabytes = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                times = process.cpu_times()
                seconds += times.user + times.system
                megabytes += process.memory_full_info().pss / 1e6
    return seconds, megabytes


def main() -> None:
    """One round with the numbers of the command line."""
    lines, rate, *_ = [*map(int, sys.argv[1:]), *(LINES, RATE)[len(sys.argv) - 1 :]]
    for what, figure in rows(lines, rate, rounds=1):
        print(f"{what:<84} {figure}", flush=True)


if __name__ == "__main__":
    main()
