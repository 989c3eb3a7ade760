"""The `kafka` section: brokers, group, and librdkafka's properties.

Which the client itself judges.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.config.findings import Findings, did_you_mean, tried
from consumer.config.secrets import is_from_environment
from consumer.config.shape import (
    BOOTSTRAP_SERVERS,
    DRAIN_TIMEOUT,
    GROUP_ID,
    PROPERTIES,
    START_AT,
)
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
_ANSWERED = frozenset({"isolation.level", "acks", "request.required.acks"})
"""Properties that may be written when they agree with the daemon, which sets them itself."""


def kafka_settings(
    kafka: SectionValues, delivery: SectionValues, topics: tuple[str, ...], findings: Findings
) -> KafkaSettings:
    """Judge and build the section. Raises `Unread` where a fault leaves nothing to build from."""
    tried(_judge_brokers, kafka, findings)
    written = kafka[PROPERTIES] or {}
    properties = {name: _text(value) for name, value in written.items()}
    _judge_properties(kafka, properties, written, findings)
    tried(_judge_drain, kafka, delivery, properties, findings)
    return KafkaSettings(
        bootstrap_servers=",".join(kafka[BOOTSTRAP_SERVERS]),
        group_id=kafka[GROUP_ID],
        topics=topics,
        start_at=kafka[START_AT],
        properties={name: text for name, text in properties.items() if name not in _ANSWERED},
        drain_timeout_s=delivery[DRAIN_TIMEOUT],
    )


def _text(value: ScalarNode) -> str:
    """Return a property as librdkafka reads it."""
    return str(value.value).lower() if isinstance(value.value, bool) else value.text


def _judge_brokers(kafka: SectionValues, findings: Findings) -> None:
    """Refuse what is not host:port."""
    for step, broker in enumerate(kafka[BOOTSTRAP_SERVERS]):
        match = _BROKER.fullmatch(broker)
        if match is None or not 0 < int(match["port"] or 1) <= _LAST_PORT:
            place = kafka.place_of(BOOTSTRAP_SERVERS, step)
            text = "expected host:port, such as broker-1.example.com:9093"
            findings.fault(place, kafka.path_of(BOOTSTRAP_SERVERS, step), text)


def _judge_properties(
    kafka: SectionValues,
    properties: dict[str, str],
    written: Mapping[str, ScalarNode],
    findings: Findings,
) -> None:
    """Let the source room judge the properties, keep secrets out of the file.

    And warn of the unwise.
    """
    bootstrap = ",".join(tried(lambda: kafka[BOOTSTRAP_SERVERS]) or ())
    for name, text in (*check(properties), *login_faults(bootstrap, properties)):
        guess = did_you_mean(name, _FREQUENT) if text.startswith("no such property") else ""
        findings.fault(
            kafka.place_of(PROPERTIES, name), kafka.path_of(PROPERTIES, name), f"{text}{guess}"
        )
    for name in sorted(SECRETS & written.keys()):
        if not is_from_environment(written[name]):
            text = f"a secret written out; write {name}: ${{NAME}} and set that variable"
            findings.fault(kafka.place_of(PROPERTIES, name), kafka.path_of(PROPERTIES, name), text)
    protocol = librdkafka_properties(properties).get("security.protocol", "plaintext").lower()
    if not protocol.endswith("ssl"):
        place = kafka.place_of(PROPERTIES, "security.protocol")
        text = "the brokers are spoken to without TLS; write security.protocol: SSL or SASL_SSL"
        findings.warn(place, kafka.path_of(PROPERTIES, "security.protocol"), text)
    if properties.get("debug"):
        text = "the client's debug lines are many and meant for a short look; remove it afterwards"
        findings.warn(kafka.place_of(PROPERTIES, "debug"), kafka.path_of(PROPERTIES, "debug"), text)


def _judge_drain(
    kafka: SectionValues, delivery: SectionValues, properties: dict[str, str], findings: Findings
) -> None:
    """A hand-over that outlasts the session is a loss.

    The group has given the partitions away meanwhile.
    """
    session = properties.get("session.timeout.ms", str(DEFAULT_SESSION_TIMEOUT_MS))
    if properties.get("group.protocol") == "consumer" or not session.isdecimal():
        return
    drain_ms = delivery[DRAIN_TIMEOUT] * 1000
    if drain_ms >= int(session):
        text = (
            f"{drain_ms:.0f} ms is not below session.timeout.ms ({session}): the group"
            f" would give the partitions"
            " to another member while they are drained, and its records be sent twice; write less"
        )
        place = delivery.place_of(DRAIN_TIMEOUT)
        if not delivery.given(DRAIN_TIMEOUT):
            place = kafka.place_of(PROPERTIES, "session.timeout.ms")
        findings.fault(place, delivery.path_of(DRAIN_TIMEOUT), text)


_FREQUENT = (
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
