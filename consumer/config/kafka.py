"""Check and build the `kafka` section: brokers, group and librdkafka properties."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.config.file_keys import (
    BOOTSTRAP_SERVERS,
    DRAIN_TIMEOUT,
    GROUP_ID,
    PROPERTIES,
    START_AT,
)
from consumer.config.findings import Findings, did_you_mean, tried
from consumer.config.secrets import is_from_environment
from consumer.source.login import librdkafka_properties, login_faults
from consumer.source.properties import DEFAULT_SESSION_TIMEOUT_MS, SECRETS, check
from consumer.source.settings import KafkaSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.config.keys import SectionValues
    from consumer.config.tree import ScalarNode

_BROKER = re.compile(
    r"((PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)://)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?"
)
_LAST_PORT = 65535
_SET_BY_DAEMON = frozenset({"isolation.level", "acks", "request.required.acks"})
"""Properties that the daemon sets itself; they may be in the file with the same value."""


def kafka_settings(
    kafka: SectionValues, delivery: SectionValues, topics: tuple[str, ...], findings: Findings
) -> KafkaSettings:
    """Check and build the section.

    Raises: `Unread` when a fault leaves nothing to build from.
    """
    tried(_check_brokers, kafka, findings)
    written = kafka[PROPERTIES] or {}
    properties = {name: _text(value) for name, value in written.items()}
    _check_properties(kafka, properties, written, findings)
    tried(_check_drain, kafka, delivery, properties, findings)
    return KafkaSettings(
        bootstrap_servers=",".join(kafka[BOOTSTRAP_SERVERS]),
        group_id=kafka[GROUP_ID],
        topics=topics,
        start_at=kafka[START_AT],
        properties={name: text for name, text in properties.items() if name not in _SET_BY_DAEMON},
        drain_timeout_s=delivery[DRAIN_TIMEOUT],
    )


def _text(value: ScalarNode) -> str:
    """Return the text of a property for librdkafka, whose booleans are lower case."""
    return str(value.value).lower() if isinstance(value.value, bool) else value.text


def _check_brokers(kafka: SectionValues, findings: Findings) -> None:
    """Refuse a broker that is not host:port."""
    for step, broker in enumerate(kafka[BOOTSTRAP_SERVERS]):
        match = _BROKER.fullmatch(broker)
        if match is None or not 0 < int(match["port"] or 1) <= _LAST_PORT:
            place = kafka.place_of(BOOTSTRAP_SERVERS, step)
            text = "expected host:port, such as broker-1.example.com:9093"
            findings.fault(place, kafka.path_of(BOOTSTRAP_SERVERS, step), text)


def _check_properties(
    kafka: SectionValues,
    properties: dict[str, str],
    written: Mapping[str, ScalarNode],
    findings: Findings,
) -> None:
    """Check the properties by librdkafka's rules, refuse secrets as text, and warn of risks."""
    bootstrap = ",".join(tried(lambda: kafka[BOOTSTRAP_SERVERS]) or ())
    for name, text in (*check(properties), *login_faults(bootstrap, properties)):
        guess = (
            did_you_mean(name, _COMMON_PROPERTIES) if text.startswith("no such property") else ""
        )
        findings.fault(
            kafka.place_of(PROPERTIES, name), kafka.path_of(PROPERTIES, name), f"{text}{guess}"
        )
    # A secret in the file would end up in a repository or a ConfigMap.
    for name in sorted(SECRETS & written.keys()):
        if not is_from_environment(written[name]):
            text = (
                f"a secret must not be written as text; write {name}: ${{NAME}} and set that"
                " environment variable"
            )
            findings.fault(kafka.place_of(PROPERTIES, name), kafka.path_of(PROPERTIES, name), text)
    protocol = librdkafka_properties(properties).get("security.protocol", "plaintext").lower()
    if not protocol.endswith("ssl"):
        place = kafka.place_of(PROPERTIES, "security.protocol")
        text = (
            "the connection to the brokers is not encrypted; write security.protocol: SSL or"
            " SASL_SSL"
        )
        findings.warn(place, kafka.path_of(PROPERTIES, "security.protocol"), text)
    if properties.get("debug"):
        text = "debug makes the Kafka client log a lot; remove it when you are done"
        findings.warn(kafka.place_of(PROPERTIES, "debug"), kafka.path_of(PROPERTIES, "debug"), text)


def _check_drain(
    kafka: SectionValues, delivery: SectionValues, properties: dict[str, str], findings: Findings
) -> None:
    """Refuse a drain that can last longer than the session.

    The group coordinator would have assigned the partitions to another member by then.
    """
    session = properties.get("session.timeout.ms", str(DEFAULT_SESSION_TIMEOUT_MS))
    # With the new group protocol (KIP-848) the broker sets the session timeout.
    if properties.get("group.protocol") == "consumer" or not session.isdecimal():
        return
    drain_ms = delivery[DRAIN_TIMEOUT] * 1000
    if drain_ms >= int(session):
        text = (
            f"{drain_ms:.0f} ms is not below session.timeout.ms ({session} ms): the group would"
            " assign the partitions to another member during the drain, and records would be sent"
            " twice; write a shorter drain_timeout or a longer session.timeout.ms"
        )
        place = delivery.place_of(DRAIN_TIMEOUT)
        if not delivery.given(DRAIN_TIMEOUT):
            place = kafka.place_of(PROPERTIES, "session.timeout.ms")
        findings.fault(place, delivery.path_of(DRAIN_TIMEOUT), text)


_COMMON_PROPERTIES = (
    "client.id",
    "client.rack",
    "debug",
    "fetch.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.instance.id",
    "heartbeat.interval.ms",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.keepalive.enable",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
)
