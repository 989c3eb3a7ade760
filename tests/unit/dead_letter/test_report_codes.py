"""The table of the client's codes: complete, without repeats, and read as meant."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from consumer.dead_letter import report_codes
from consumer.dead_letter.report_codes import MEANINGS, ReportAction, advice, meaning


def test_every_code_of_the_library_has_a_meaning() -> None:
    """A code that a new version of the library brings is named here before it is met in a night."""
    assert {name for name in dir(KafkaError) if isinstance(getattr(KafkaError, name), int)} == set(
        MEANINGS
    )


def test_no_code_has_two_meanings() -> None:
    """Each name stands in one group."""
    names = (
        f"{report_codes._TOO_LARGE} {report_codes._HOLD} {report_codes._REBUILD}"
        f" {report_codes._OURS}"
    ).split()
    assert len(set(names)) == len(names)


def test_an_unknown_code_is_ours() -> None:
    """What the table does not know is never taken for something a wait would mend."""
    assert ReportAction.OURS is meaning(KafkaError(12_345))


@pytest.mark.parametrize(
    ("code", "means"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, ReportAction.TOO_LARGE),
        (KafkaError._MSG_TIMED_OUT, ReportAction.HOLD),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ReportAction.HOLD),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, ReportAction.HOLD),
        (KafkaError._FENCED, ReportAction.REBUILD),
        (KafkaError._STATE, ReportAction.OURS),
    ],
)
def test_the_codes_met_in_practice(code: int, means: ReportAction) -> None:
    """The codes that real brokers were seen to answer with mean what the sender does about them."""
    assert means is meaning(KafkaError(code))


def test_advice_is_only_given_for_what_holds() -> None:
    """Each next step belongs to a code that is in the table and is not fatal."""
    assert set() == {
        name
        for name in report_codes._ADVICE
        if MEANINGS.get(name, ReportAction.OURS) is ReportAction.OURS
    }


def test_every_hold_has_a_next_step() -> None:
    """No code leaves the operator without something to do."""
    assert all(advice(name) for name, means in MEANINGS.items() if means is ReportAction.HOLD)
