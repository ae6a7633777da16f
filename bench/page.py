"""The page while a job floods it: CPU and memory of the browser's process that draws, and how much it holds.

`python -m bench.page [LINES [RATE]]`: 100,000 lines, 5,000 a second, when nothing is said.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from bench.server import Server, flood_ansible_dir
from tests.browser import ARGUMENTS, find_chromium

FIND = "00012345 1"


def main() -> None:
    """Measure, and print one row for each moment."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        ansible = flood_ansible_dir(Path(folder))
        room = Path(folder) / "room"
        with Server(room, PLAYCAST_ANSIBLE_DIR=str(ansible), PLAYCAST_LAUNCHER="cold") as server:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            job = server.run("flood", server.add_server(), lines=lines, rate=rate)
            page.goto(f"{server.url}/#/jobs/{job}")
            page.wait_for_selector(".row")
            watch(page, lines)
            browser.close()


def renderer() -> psutil.Process:
    """The process that draws the page: of all renderers that this program started, the one with the most memory."""
    drawing = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                drawing.append((process.memory_info().rss, process))
    return max(drawing, key=lambda one: one[0])[1]


def watch(page: Page, lines: int) -> None:
    """Print what there is each ten seconds until the log is whole, then what a search takes."""
    page.wait_for_timeout(1_000)
    process = renderer()
    start, first, peak = time.monotonic(), cpu(process), 0.0
    row("s", "lines", "cpu s", "pss MB", "nodes")
    while True:
        page.wait_for_timeout(10_000 if lines > 200_000 else 3_000)
        said = page.locator(".tools > .hint").inner_text()
        pss = process.memory_full_info().pss / 1e6
        peak = max(peak, pss)
        nodes = page.evaluate("document.querySelectorAll('*').length")
        row(f"{time.monotonic() - start:.0f}", said, f"{cpu(process) - first:.1f}", f"{pss:.0f}", str(nodes))
        if said.endswith("whole"):
            break
    print(f"peak {peak:.0f} MB")
    timed("find a line", lambda: find(page))
    timed("to the start", lambda: press(page, "g", "1"))
    timed("to the end", lambda: press(page, "G", str(lines)))


def find(page: Page) -> None:
    """Search for one line of all, and go there."""
    page.get_by_placeholder("Search the log").fill(FIND)
    page.get_by_text("0 of 1").wait_for(timeout=60_000)
    page.keyboard.press("Enter")
    page.locator(".row.here", has_text=FIND).wait_for()
    page.locator(".log").focus()


def press(page: Page, key: str, line: str) -> None:
    """Press a key that shows a line."""
    page.keyboard.press(key)
    page.locator(f".row[data-line='{line}'] .text").wait_for(state="attached")


def timed(what: str, act: Callable[[], None]) -> None:
    """Do it, and print how long that took."""
    start = time.monotonic()
    act()
    print(f"{what}: {time.monotonic() - start:.2f} s")


def cpu(process: psutil.Process) -> float:
    """CPU seconds so far, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)


def row(*cells: str) -> None:
    """Print one row of the table."""
    print("  ".join(cell.rjust(8) for cell in cells), flush=True)


if __name__ == "__main__":
    main()
