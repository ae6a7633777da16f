"""The benchmarks measure what they say; how fast anything is, no test asks."""

from pathlib import Path

from bench import log_path
from bench.server import Server, flood_ansible_dir


def test_every_watcher_of_the_benchmark_gets_every_line(tmp_path: Path) -> None:
    with Server(tmp_path, PLAYCAST_ANSIBLE_DIR=str(flood_ansible_dir(tmp_path))) as server:
        target = server.add_server()
        job, seen = log_path._watched(server, target, watchers=3, lines=5000, rate=0)
        assert seen["lines"] == 15000
        assert 0 < seen["p50"] <= seen["p99"]
        assert log_path._printer_cpu(server, job) > 0
        assert server.cpu() > 0
        assert server.process.poll() is None
