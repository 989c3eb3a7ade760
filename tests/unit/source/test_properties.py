"""User's librdkafka properties that the daemon or the Kafka client rejects."""

from __future__ import annotations

import pytest

from consumer.source.properties import check


def test_no_properties_have_no_fault() -> None:
    """An empty section is the usual case."""
    assert [] == check({})


def test_ordinary_properties_pass() -> None:
    """Timeouts, sizes and strategies are the user's choice."""
    assert [] == check(
        {
            "session.timeout.ms": "30000",
            "fetch.queue.backoff.ms": "5",
            "partition.assignment.strategy": "cooperative-sticky",
            "security.protocol": "SSL",
            "compression.type": "zstd",
        }
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        pytest.param("enable.auto.commit", "true", "owned by the daemon", id="I28"),
        pytest.param(
            "enable.auto.commit", "false", "owned by the daemon", id="I28-even-when-it-agrees"
        ),
        pytest.param("enable.auto.offset.store", "true", "owned by the daemon", id="I29"),
        pytest.param("auto.offset.reset", "latest", "kafka.start_at", id="I30"),
        pytest.param(
            "ssl.endpoint.identification.algorithm",
            "none",
            "host name verification cannot be turned off",
            id="I33",
        ),
        pytest.param(
            "enable.ssl.certificate.verification",
            "false",
            "certificate verification cannot be turned off",
            id="tls-off",
        ),
        pytest.param("foo.bar", "1", "no such property", id="I34"),
        pytest.param("acks", "1", "must be all", id="I42"),
        pytest.param("isolation.level", "read_uncommitted", "read_committed", id="isolation"),
        pytest.param("group.id", "x", "kafka.group_id", id="group"),
        pytest.param("bootstrap.servers", "x:1", "kafka.bootstrap_servers", id="brokers"),
        pytest.param("test.mock.num.brokers", "1", "built-in test brokers", id="mock"),
        pytest.param("error_cb", "x", "callbacks", id="callback"),
        pytest.param("rebalance_cb", "x", "callbacks", id="callback-of-the-library"),
        pytest.param("logger", "x", "callbacks", id="logger"),
        pytest.param(
            "session.timeout.ms", "abc", "not a valid value of this property", id="not-a-number"
        ),
        pytest.param(
            "session.timeout.ms", "999999999", "outside the allowed range 1..3600000", id="range"
        ),
        pytest.param("debug", "everything", "not a valid value of this property", id="debug-word"),
    ],
)
def test_a_rejected_property_says_why(name: str, value: str, words: str) -> None:
    """Each fault names the property and what to write."""
    [(seen, message)] = check({name: value})
    assert (name, True) == (seen, words in message), message


@pytest.mark.parametrize(
    ("name", "value"), [("isolation.level", "read_committed"), ("acks", "all")]
)
def test_the_value_that_the_daemon_uses_is_allowed(name: str, value: str) -> None:
    """A property with the daemon's own value is not a fault."""
    assert [] == check({name: value})


def test_every_fault_is_found_at_once() -> None:
    """Three mistakes give three faults, in file order."""
    found = check({"foo.bar": "1", "session.timeout.ms": "soon", "group.id": "x"})
    assert ["foo.bar", "session.timeout.ms", "group.id"] == [name for name, _ in found]


def test_a_rejected_combination_has_the_clients_message() -> None:
    """The fault names one of the properties."""
    [(name, message)] = check({"session.timeout.ms": "45000", "max.poll.interval.ms": "1000"})
    assert name in {"session.timeout.ms", "max.poll.interval.ms"}
    assert "must be >=" in message


def test_a_missing_certificate_file_is_found() -> None:
    """The client reads the files that the properties name."""
    [(name, _)] = check({"security.protocol": "ssl", "ssl.ca.location": "/no/such/authority.pem"})
    assert name == "ssl.ca.location"


def test_a_secret_is_never_repeated() -> None:
    """A key that is not PEM is named, not shown."""
    [(_, message)] = check({"security.protocol": "ssl", "ssl.key.pem": "c2VjcmV0"})
    assert "c2VjcmV0" not in message


def test_debug_prints_no_client_logs(capfd: pytest.CaptureFixture[str]) -> None:
    """I36: checking `debug: all` prints no log line of the client."""
    assert [] == check({"debug": "all"})
    assert capfd.readouterr().err == ""
