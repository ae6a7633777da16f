"""The benchmarks of several processes run, and their tables have their rows; how fast anything is, no test asks."""

import pytest

from bench.parts import backlog, fan_out, idle, start_path, workers

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]


def test_each_way_to_start_a_job_has_its_rows() -> None:
    found = start_path.measured(rounds=1, jobs=2)

    assert {way: len(rounds) for way, rounds in found.items()} == dict.fromkeys(
        (start_path.BASE, start_path.ENGINE, start_path.LOCAL), 1
    )
    for rounds in found.values():
        assert [len(times) for times in rounds[0].values()] == [2, 2]
        assert min(min(times) for times in rounds[0].values()) > 0
    assert len(list(start_path.table(found))) == 8


@pytest.mark.parametrize("kind", ["slot", "held", "same"])
@pytest.mark.parametrize("postgres", [True, False], ids=["postgres", "sqlite"])
def test_the_next_of_a_queue_starts(kind: str, postgres: bool) -> None:
    found = {size: [backlog.measured(kind, size, postgres=postgres, seconds=1.0)] for size in (backlog.WINDOW, 30)}

    for runs in found.values():
        assert min(runs[0].gaps) > 0
        assert set(runs[0].cpu) == ({"servers", "workers", "PostgreSQL"} if postgres else {"servers"})
    assert len(list(backlog.table(found, kind))) == (5 if postgres else 3)


def test_every_client_of_every_server_gets_every_byte() -> None:
    found = {servers: [fan_out.measured(servers, jobs=3, seconds=6)] for servers in (0, 2)}

    for runs in found.values():
        assert 0 < runs[0].p50 <= runs[0].p99
        assert runs[0].chunks > 0
    assert len(list(fan_out.table(found, "3 logs"))) == 6


def test_all_jobs_of_the_workers_end() -> None:
    runs = {number: workers.measured(number, jobs=12) for number in (1, 2)}

    assert min(run.speed for run, _ in runs.values()) > 0
    table = workers.table({number: [run] for number, (run, _) in runs.items()}, [submit for _, submit in runs.values()])
    assert len(list(table)) == 10


def test_what_is_idle_asks_something() -> None:
    # What one more of them asks is a difference of two such spans.
    found = idle.measured(seconds=10, more=1)

    statements, _, connections = found["one more worker"]
    assert statements > 0
    assert connections > 0
    assert len(list(idle.table([found]))) == 6
