"""What has to go: by age, by bytes, both, and never anything that is not final."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import JobStatus, LogChunk, ProvisionJob, Server, ServerAuthKind, ServerLock
from runner.retention import rules
from runner.retention.rules import GOING, JOB_BYTES, Retention, choose
from tests.support.ended import job_row, told

Told = list[tuple[int, str, str, int]]
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def chosen(keep: Retention) -> Told:
    return [told(victim) async for victim in choose(keep, datetime.now(UTC))]


async def test_nothing_limited_keeps_all(stored: None) -> None:
    await job_row(days=9999, log_size=10)
    assert await chosen(Retention()) == []
    assert not Retention().limited


async def test_by_age_counts_from_the_end_of_a_job(stored: None) -> None:
    await job_row(days=40, log_size=10)
    # Older by number, but it ran long.
    await job_row(days=5, log_size=10)
    await job_row(days=20, log_size=10, events_size=7)
    assert await chosen(Retention(logs_days=30)) == [(1, "log", "by age", 10)]
    assert await chosen(Retention(jobs_days=10)) == [
        (1, "job+log", "by age", 10 + JOB_BYTES),
        (3, "job+log", "by age", 17 + JOB_BYTES),
    ]
    assert await chosen(Retention(logs_days=10, jobs_days=30)) == [
        (1, "job+log", "by age", 10 + JOB_BYTES),
        (3, "log", "by age", 10),
    ]
    assert await chosen(Retention(logs_days=4.99)) == [(key, "log", "by age", 10) for key in (1, 2, 3)]


async def test_by_bytes_the_oldest_logs_go_until_the_rest_fits(stored: None) -> None:
    for size in (10, 20, 30, 40):
        await job_row(log_size=size)
    assert await chosen(Retention(logs_bytes=100)) == []
    assert await chosen(Retention(logs_bytes=99)) == [(1, "log", "by bytes", 10)]
    assert await chosen(Retention(logs_bytes=89)) == [(1, "log", "by bytes", 10), (2, "log", "by bytes", 20)]
    assert len(await chosen(Retention(logs_bytes=39))) == 4


async def test_a_log_that_does_not_fit_takes_the_older_ones_along(stored: None) -> None:
    for size in (1, 1000, 1):
        await job_row(log_size=size)
    assert [row[0] for row in await chosen(Retention(logs_bytes=100))] == [1, 2]


async def test_by_bytes_a_job_counts_its_rows_its_events_and_its_log(stored: None) -> None:
    for _ in range(3):
        await job_row(log_size=100, events_size=50)
    await job_row(log_size=100, log_pruned_at=datetime.now(UTC))
    all_of_it = 4 * JOB_BYTES + 3 * 150
    assert await chosen(Retention(jobs_bytes=all_of_it)) == []
    assert await chosen(Retention(jobs_bytes=all_of_it - 1)) == [(1, "job+log", "by bytes", JOB_BYTES + 150)]
    # With the logs gone the jobs fit: no job goes for bytes that a log takes along.
    assert await chosen(Retention(jobs_bytes=all_of_it - 200, logs_bytes=100)) == [
        (1, "log", "by bytes", 100),
        (2, "log", "by bytes", 100),
    ]


async def test_what_goes_anyway_takes_no_room(stored: None) -> None:
    await job_row(log_size=50)
    await job_row(days=40, log_size=1000)
    await job_row(fence=GOING, log_size=1000)
    assert await chosen(Retention(logs_days=30, logs_bytes=50, jobs_bytes=2 * JOB_BYTES + 50)) == [
        (2, "log", "by age", 1000),
        (3, "job+log", "begun before", JOB_BYTES + 1000),
    ]


async def test_nothing_that_is_not_final_or_holds_a_server_is_touched_or_counted(stored: None) -> None:
    for status in (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.SUCCESS, JobStatus.ERROR):
        await job_row(days=9999, status=status, log_size=1000)
    server = await Server.create(name="a", host="a", port=22, user="u", auth=ServerAuthKind.LOCAL, variables={})
    await ServerLock.create(server_id=server.id, job_id=3, taken_at=datetime.now(UTC))
    newest = await job_row(log_size=1000)
    everything = [Retention(1, 1000, 20000, JOB_BYTES + 1000), Retention(logs_bytes=1000), Retention(jobs_days=0.001)]
    for keep in everything:
        assert [row[0] for row in await chosen(keep)] == [4]
    assert [row[0] for row in await chosen(Retention(jobs_bytes=1))] == [4, newest.id]


async def test_a_job_whose_key_still_counts_loses_its_log_alone(stored: None) -> None:
    """Else the same call, made again within a day, would run the recipe a second time."""
    job = await job_row(days=0.9, idempotency_key="t:order-1", log_size=10)
    for keep in (Retention(jobs_days=0.5), Retention(jobs_bytes=1)):
        assert [row[:2] for row in await chosen(keep)] == [(1, "log")]
        await ProvisionJob.filter(id=job.id).update(created_at=datetime.now(UTC) - timedelta(hours=25))
        assert [row[:2] for row in await chosen(keep)] == [(1, "job+log")]
        await ProvisionJob.filter(id=job.id).update(created_at=datetime.now(UTC))


async def test_what_was_begun_goes_even_if_nothing_is_limited_any_more(stored: None) -> None:
    begun = await job_row(log_size=10, log_pruned_at=datetime.now(UTC))
    await LogChunk.create(job_id=begun.id, start=0, first_line=1, data=b"0123456789", emitted_at=datetime.now(UTC))
    await job_row(fence=GOING, log_size=10, log_pruned_at=datetime.now(UTC))
    await job_row(log_size=10, log_pruned_at=datetime.now(UTC))
    await job_row()
    assert await chosen(Retention()) == [(1, "log", "begun before", 10), (2, "job", "begun before", JOB_BYTES)]


def by_hand(jobs: list[ProvisionJob], keep: Retention, now: datetime) -> set[tuple[int, str]]:
    """The rules once more, without a database: from the newest job down, as long as there is room."""
    went: set[tuple[int, str]] = set()
    logs_left = keep.logs_bytes if keep.logs_bytes is not None else 2**62
    jobs_left = keep.jobs_bytes if keep.jobs_bytes is not None else 2**62
    for job in sorted(jobs, key=lambda job: -job.id):
        if not job.final or job.ended_at is None:
            continue
        age = (now - job.ended_at) / timedelta(days=1)
        has_log = job.log_size > 0 and job.log_pruned_at is None
        if keep.jobs_days is not None and age > keep.jobs_days:
            went |= {(job.id, "job+log" if has_log else "job")}
            continue
        old = keep.logs_days is not None and age > keep.logs_days
        log = job.log_size if has_log and not old else 0
        keeps_log = log <= logs_left
        logs_left = logs_left - log if keeps_log else -1
        size = JOB_BYTES + job.events_size + (log if keeps_log else 0)
        jobs_left = jobs_left - size if size <= jobs_left else -1
        if jobs_left < 0:
            went |= {(job.id, "job+log" if has_log else "job")}
        elif has_log and (old or not keeps_log):
            went |= {(job.id, "log")}
    return went


@given(seed=st.integers(0, 10**6), limits=st.tuples(*[st.one_of(st.none(), st.integers(1, 40))] * 4))
@FEW
async def test_it_is_what_the_rules_say(stored: None, seed: int, limits: tuple[int | None, ...]) -> None:
    dice = random.Random(seed)  # noqa: S311 (invented jobs)
    await ProvisionJob.all().delete()
    jobs = [
        await job_row(
            days=dice.choice([0, 0.5, *range(1, 40)]),
            status=dice.choice([JobStatus.SUCCESS, JobStatus.ERROR, JobStatus.CANCELED, JobStatus.RUNNING]),
            log_size=dice.choice([0, 1, 100, 5000]),
            events_size=dice.choice([0, 700]),
            log_pruned_at=dice.choice([None, None, datetime.now(UTC)]),
        )
        for _ in range(dice.randrange(12))
    ]
    logs_days, logs_bytes, jobs_days, jobs_bytes = limits
    keep = Retention(
        logs_days, logs_bytes and logs_bytes * 300, jobs_days, jobs_bytes and jobs_bytes * (JOB_BYTES // 3)
    )
    with pytest.MonkeyPatch.context() as patch:
        # Small steps, so that a few jobs take several.
        patch.setattr(rules, "STEP", dice.choice([1, 3, 4096]))
        patch.setattr(rules, "ROWS", dice.choice([1, 2, 256]))
        found = [(row[0], row[1]) for row in await chosen(keep)]
    assert found == sorted(by_hand(jobs, keep, datetime.now(UTC)))
