"""The table of librdkafka error codes: complete, without duplicates, and read correctly."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from consumer.dead_letter import report_codes
from consumer.dead_letter.report_codes import MEANINGS, ReportAction, advice, meaning


def test_every_code_of_the_library_has_a_meaning() -> None:
    """A code that a new version of the library adds fails this test first."""
    assert {name for name in dir(KafkaError) if isinstance(getattr(KafkaError, name), int)} == set(
        MEANINGS
    )


def test_no_code_has_two_meanings() -> None:
    """Each name is in one group."""
    names = (
        f"{report_codes._TOO_LARGE} {report_codes._HOLD} {report_codes._REBUILD}"
        f" {report_codes._FATAL_CODES}"
    ).split()
    assert len(set(names)) == len(names)


def test_an_unknown_code_is_fatal() -> None:
    """A code that is not in the table is never waited out."""
    assert ReportAction.FATAL is meaning(KafkaError(12_345))


@pytest.mark.parametrize(
    ("code", "means"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, ReportAction.TOO_LARGE),
        (KafkaError._MSG_TIMED_OUT, ReportAction.HOLD),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ReportAction.HOLD),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, ReportAction.HOLD),
        (KafkaError._FENCED, ReportAction.REBUILD),
        (KafkaError._STATE, ReportAction.FATAL),
    ],
)
def test_codes_of_real_brokers(code: int, means: ReportAction) -> None:
    """Codes recorded from real brokers lead to the expected action."""
    assert means is meaning(KafkaError(code))


def test_advice_is_only_given_for_codes_that_are_not_fatal() -> None:
    """Each next step belongs to a code of the table that is not fatal."""
    assert set() == {
        name
        for name in report_codes._ADVICE
        if MEANINGS.get(name, ReportAction.FATAL) is ReportAction.FATAL
    }


def test_every_hold_has_a_next_step() -> None:
    """Every code that causes a hold has advice for the operator."""
    assert all(advice(name) for name, means in MEANINGS.items() if means is ReportAction.HOLD)
