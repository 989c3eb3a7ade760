"""Jobs as the service reports them, and the limits on jobs at given times."""

from __future__ import annotations

import pytest

from consumer.bulk.job_state import (
    ABANDONED_AFTER_S,
    HourlyJobs,
    Job,
    JobState,
    is_abandoned,
    poll_after_s,
    read_job,
    read_jobs,
)


@pytest.mark.parametrize("spelling", ["JobComplete", "jobcomplete", "JOBCOMPLETE"])
def test_states_are_compared_without_case(spelling: str) -> None:
    """The documentation itself uses different spellings."""
    job = read_job(f'{{"id":"a-1","state":"{spelling}"}}'.encode())
    assert job is not None
    assert (JobState.COMPLETE, True) == (job.state, job.state.is_over)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"id":"a"}',
        b'{"state":"Open"}',
        b'{"id":"a\\u0000","state":"Open"}',
        b'{"id":1,"state":"Open"}',
    ],
)
def test_a_body_that_is_not_a_job(body: bytes) -> None:
    """A proxy's page, a job without id, or with an unknown state."""
    assert read_job(body) is None


def test_a_list_of_either_api() -> None:
    """With the spelling of the documentation's sample too; other entries are skipped."""
    job = '{"id":"a","states":"Open","object":"o","systemModstamp":"2026-11-25T00:00:00.000+0000"}'
    for member in ("data", "records"):
        (found,) = read_jobs(f'{{"{member}":[{job},7]}}'.encode()) or []
        assert ("a", JobState.OPEN, "o") == (found.id, found.state, found.object)
    assert read_jobs(b'{"data":null}') is None


def test_api_version_and_counts_do_not_disturb() -> None:
    """The version comes as text and as a number."""
    job = read_job(b'{"id":"a","state":"JobComplete","apiVersion":1,"numberRecordsFailed":3}')
    assert job is not None
    assert 3 == job.failed_count


def test_only_an_open_job_without_changes_is_abandoned() -> None:
    """Half an hour after its last change, if it is open and its time is known."""
    late_ms = 1_000_000_000 + round(ABANDONED_AFTER_S * 1000)
    assert is_abandoned(Job("a", JobState.OPEN, changed_ms=1_000_000_000), late_ms)
    assert not is_abandoned(Job("a", JobState.OPEN, changed_ms=1_000_000_001), late_ms)
    assert not is_abandoned(Job("a", JobState.IN_PROGRESS, changed_ms=1_000_000_000), late_ms)
    assert not is_abandoned(Job("a", JobState.OPEN), late_ms)


def test_polls_become_rarer() -> None:
    """From 2 s to 15 s."""
    assert [2.0, 4.0, 8.0, 15.0, 15.0] == [poll_after_s(polls) for polls in range(5)]


def test_twenty_jobs_in_any_hour() -> None:
    """The next one waits until the first is an hour old."""
    jobs = HourlyJobs()
    for at in range(20):
        assert 0.0 == jobs.wait_s(float(at))
        jobs.begun(float(at))
        jobs.ended()
    assert 3600.0 - 20.0 == jobs.wait_s(20.0)
    assert 0.0 == jobs.wait_s(3600.0)


def test_five_jobs_at_a_time() -> None:
    """The next one waits until one has ended, however long that takes."""
    jobs = HourlyJobs()
    for _ in range(5):
        jobs.begun(0.0)
    assert jobs.wait_s(10_000.0) is None
    jobs.ended()
    assert 0.0 == jobs.wait_s(10_000.0)


def test_a_complete_job_says_how_many_rows_were_refused() -> None:
    """JobComplete does not mean that every row was accepted."""
    job = read_job(
        b'{"id":"750A","state":"JobComplete","numberRecordsProcessed":5,"numberRecordsFailed":3}'
    )
    assert job is not None
    assert "job 750A (JobComplete, 3 rows refused)" == job.named
