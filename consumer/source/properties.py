"""Checks the user's librdkafka properties with the client itself, before anything is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import confluent_kafka

from consumer.source.login import librdkafka_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SESSION_TIMEOUT_MS = 45_000
"""librdkafka's default of `session.timeout.ms`."""

SECRETS = frozenset(
    {
        "sasl.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
    }
)
"""Properties whose value is never shown, and never written into the file."""

_OWNED = {
    "enable.auto.commit": "owned by the daemon: it commits only settled records; remove it",
    "auto.commit.enable": "owned by the daemon: it commits only settled records; remove it",
    "enable.auto.offset.store": (
        "owned by the daemon: it stores an offset only when its records are settled; remove it"
    ),
    "auto.commit.interval.ms": "owned by the daemon: write delivery.commit_interval instead",
    "auto.offset.reset": (
        "owned by the daemon: write kafka.start_at instead (earliest, latest or a time)"
    ),
    "group.id": "owned by the daemon: write kafka.group_id instead",
    "bootstrap.servers": "owned by the daemon: write kafka.bootstrap_servers instead",
    "metadata.broker.list": "owned by the daemon: write kafka.bootstrap_servers instead",
    "test.mock.num.brokers": "replaces your brokers with built-in test brokers; remove it",
    "enable.partition.eof": (
        "owned by the daemon: it needs the ends of partitions to report lag; remove it"
    ),
}

_TEXT_ALLOWED = {
    "isolation.level": (
        frozenset({"read_committed"}),
        (
            "owned by the daemon: records of aborted transactions must not be sent; write"
            " read_committed or remove it"
        ),
    ),
    "acks": (
        frozenset({"all", "-1"}),
        "must be all: a dead letter is confirmed only when all in-sync replicas have it",
    ),
    "request.required.acks": (
        frozenset({"all", "-1"}),
        "must be all: a dead letter is confirmed only when all in-sync replicas have it",
    ),
}

_TLS_OFF = {
    "enable.ssl.certificate.verification": (
        frozenset({"false", "0", "f"}),
        "certificate verification cannot be turned off; set ssl.ca.location to the CA certificate",
    ),
    "ssl.endpoint.identification.algorithm": (
        frozenset({"none"}),
        "host name verification cannot be turned off; use a certificate with the broker's name",
    ),
}

_CALLBACKS = frozenset(
    {
        "default.topic.config",
        "default_topic_conf",
        "interceptors",
        "logger",
        "on_commit",
        "on_delivery",
        "opaque",
        "partitioner_callback",
        "plugin.library.paths",
    }
)

_STOPPER = "this.property.stops.the.client.before.it.starts"


def check(properties: Mapping[str, str]) -> list[tuple[str, str]]:
    """Find the properties that the daemon or the client rejects, without contacting a broker.

    Returns: (property, fault and next step) for each fault, without secrets.
    """
    faults: list[tuple[str, str]] = []
    sound: dict[str, str] = {}
    for name, value in librdkafka_properties(properties).items():
        fault = _refused(name, value) or _refused_alone(name, value)
        if fault is not None:
            faults.append((name, fault))
        else:
            sound[name] = value
    if sound and not faults:
        faults.extend(_refused_together(sound))
    return faults


def _refused(name: str, value: str) -> str | None:
    """Return why the daemon rejects a property, or `None`."""
    if name in _OWNED:
        return _OWNED[name]
    if name in _TEXT_ALLOWED:
        allowed, why = _TEXT_ALLOWED[name]
        return None if value.strip().lower() in allowed else why
    if name in _TLS_OFF:
        refused, why = _TLS_OFF[name]
        return why if value.strip().lower() in refused else None
    if name.endswith("_cb") or name in _CALLBACKS:
        return "callbacks and plug-ins cannot be configured: the daemon sets its own; remove it"
    return None


def _refused_alone(name: str, value: str) -> str | None:
    """Return why the client rejects a single property, or `None`.

    The client knows the names, types and ranges. A second property, which does not exist, stops it
    before it creates a client with threads and log lines.
    """
    text = _client_error({"group.id": "lint", name: value, _STOPPER: ""})
    shown = "the value" if name in SECRETS else f"`{value[:60]}`"
    if text is None or _STOPPER in text:
        return None
    if "No such configuration property" in text:
        return "no such property; see librdkafka's CONFIGURATION.md for the names"
    if bounds := re.search(r"outside allowed range (-?\d+)\.\.(-?\d+)", text):
        return f"{shown} is outside the allowed range {bounds[1]}..{bounds[2]}"
    if "must be set through" in text:
        return "callbacks and plug-ins cannot be configured: the daemon sets its own; remove it"
    return (
        f"{shown} is not a valid value of this property; see librdkafka's CONFIGURATION.md for"
        " the valid ones"
    )


def _refused_together(properties: dict[str, str]) -> list[tuple[str, str]]:
    """Return why the client rejects the properties together.

    It checks combinations and files.
    """
    quiet = {name: value for name, value in properties.items() if name != "debug"}
    text = _client_error({"group.id": "lint", **quiet, "log_level": "0"})
    if text is None:
        return []
    text = " ".join(text.removeprefix("Failed to create consumer: ").replace("`", " ").split())
    for secret in SECRETS & properties.keys():
        text = text.replace(properties[secret], "***") if properties[secret] else text
    named = max(
        (name for name in properties if name in text), key=len, default=next(iter(properties))
    )
    return [(named, f"the Kafka client rejects it: {text}")]


def _client_error(conf: dict[str, str]) -> str | None:
    """Create a consumer that contacts no broker.

    Returns: the client's error message, `None` if it has none.
    """
    try:
        consumer = confluent_kafka.Consumer(conf)
    except confluent_kafka.KafkaException as refusal:
        return str(refusal.args[0].str())
    except (TypeError, ValueError, AttributeError) as refusal:
        return f"must be set through code: {type(refusal).__name__}"
    consumer.close()
    return None
