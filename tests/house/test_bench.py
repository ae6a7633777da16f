"""The benchmarks measure what they say; how fast anything is, no test asks."""

from pathlib import Path

from bench.parts import cancel, events_path, log_path, page, recovery
from bench.rig.server import Server, flood_ansible_dir
from tests.support.browser import find_chromium


def test_every_watcher_of_the_benchmark_gets_every_line(tmp_path: Path) -> None:
    with Server(tmp_path, PLAYCAST_ANSIBLE_DIR=str(flood_ansible_dir(tmp_path))) as server:
        runs = log_path.Runs(server)
        found = runs.watched(4, lines=5000, stopped=1)
        assert found["seen"]["lines"] == 15000
        assert 0 < found["seen"]["p50"] <= found["seen"]["p99"]
        assert found["cpu_of_printer"] > 0
        joined = runs.joined_late(3, lines=1000)
        assert joined["lines"] == 3000
        assert 0 < joined["joined"]["p50"] <= joined["joined"]["p99"]
        assert server.cpu() > 0
        assert server.process.poll() is None


def test_the_plugin_of_the_benchmark_writes_its_events(tmp_path: Path) -> None:
    cpus, walls = events_path.measured(tmp_path, hosts=2, rounds=1)

    assert (len(cpus), len(walls)) == (1, 1)
    assert min(*cpus, *walls) > 0


def test_the_canceled_job_of_the_benchmark_is_canceled(tmp_path: Path) -> None:
    seconds, bare_seconds = cancel.measured(tmp_path, rounds=1)

    assert (len(seconds), len(bare_seconds)) == (1, 1)
    assert min(*seconds, *bare_seconds) > 0


def test_the_jobs_of_the_benchmark_are_followed_again(tmp_path: Path) -> None:
    for _ in range(2):
        none, ready, followed, ended = recovery.measured(tmp_path, jobs=3)

        assert 0 < ready < followed
        assert min(none, ended) > 0


def test_each_kind_of_page_has_its_rows() -> None:
    find_chromium()
    found = list(page.rows(lines=13_000, rate=0, rounds=1))

    assert [what.rpartition(", against ")[2] for what, _ in found] == [
        *[page.HOLDS] * 2,
        *[page.PRE] * 2,
        "  elements of the document at the most",
        "receiving all of it",
    ]
    for what, figure in found:
        assert not figure.startswith("0.00x"), what
    assert 100 < int(found[4][1].partition(" ")[0]) < 500
