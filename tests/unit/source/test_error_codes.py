"""The table of the Kafka client's error codes."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from consumer.source import error_codes
from consumer.source.error_codes import ERROR_CLASSES, ErrorClass, class_of, detail_of


def _client_codes() -> dict[str, int]:
    """Return every code that the installed client knows, with its name."""
    return {
        name: value
        for name in dir(KafkaError)
        if name.lstrip("_").isupper() and isinstance(value := getattr(KafkaError, name), int)
    }


def _names() -> list[str]:
    rows = [getattr(error_codes, f"_{expected.name}") for expected in ErrorClass]
    return [name for row in rows for name in row.split()]


def test_every_code_of_the_client_is_decided() -> None:
    """A newer client with a new code turns this red until the code is added to the table."""
    assert [] == sorted(name for name, code in _client_codes().items() if code not in ERROR_CLASSES)


def test_no_code_is_decided_twice() -> None:
    """With two rows for one code, the order would decide."""
    names = _names()
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(KafkaError._PARTITION_EOF, ErrorClass.IGNORED, id="end-of-partition"),
        pytest.param(KafkaError._MAX_POLL_EXCEEDED, ErrorClass.REJOIN, id="left-the-group"),
        pytest.param(KafkaError._TRANSPORT, ErrorClass.TRANSIENT, id="one-connection"),
        pytest.param(
            KafkaError.UNKNOWN_TOPIC_OR_PART, ErrorClass.MISSING_TOPIC, id="no-such-topic"
        ),
        pytest.param(KafkaError._ALL_BROKERS_DOWN, ErrorClass.BROKER, id="all-connections"),
        pytest.param(KafkaError._AUTHENTICATION, ErrorClass.AUTH, id="password"),
        pytest.param(KafkaError._SSL, ErrorClass.AUTH, id="certificate"),
        pytest.param(KafkaError.TOPIC_AUTHORIZATION_FAILED, ErrorClass.AUTH, id="topic-acl"),
        pytest.param(KafkaError.GROUP_AUTHORIZATION_FAILED, ErrorClass.AUTH, id="group-acl"),
        pytest.param(KafkaError._AUTO_OFFSET_RESET, ErrorClass.OFFSET_LOST, id="retention"),
        pytest.param(KafkaError.FENCED_INSTANCE_ID, ErrorClass.FATAL, id="static-member-taken"),
    ],
)
def test_the_class_of_a_code(code: int, expected: ErrorClass) -> None:
    """The codes that operators see most."""
    assert expected is class_of(KafkaError(code))


def test_an_unknown_code_is_fatal() -> None:
    """A code that was not decided stops the daemon."""
    assert ErrorClass.FATAL is class_of(KafkaError(31999))


@pytest.mark.holds("I9")
def test_what_the_client_calls_fatal_is_fatal() -> None:
    """The client's own flag overrides the table."""
    assert ErrorClass.FATAL is class_of(KafkaError(KafkaError._TRANSPORT, "x", True))  # noqa: FBT003 - its signature


def test_the_detail_names_the_code_and_the_next_step() -> None:
    """An operator reads what happened and what to do."""
    detail = detail_of(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    assert detail.startswith(
        "GROUP_AUTHORIZATION_FAILED: grant this user READ on the consumer group"
    )


def test_the_detail_is_bounded() -> None:
    """The client's message may contain text of a peer, and may be long."""
    assert len(detail_of(KafkaError(KafkaError._FAIL, "x" * 10_000))) < 400
