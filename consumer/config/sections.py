"""Check and build the small sections: delivery, dead_letter, admin and log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from consumer.admin.settings import AdminSettings, LogSettings
from consumer.config.file_keys import (
    BATCH_BYTES,
    BUFFER_BYTES,
    COMMIT_INTERVAL,
    CONFLATE,
    DEAD_LETTER_TOPIC,
    DRAIN_TIMEOUT,
    FUSE,
    FUSE_CONSECUTIVE,
    FUSE_RATIO,
    HOST_NAMES,
    IN_FLIGHT,
    LEVEL,
    LINGER,
    LISTEN,
    LOG_FORMAT,
    ON_FAULT,
    REQUESTS_PER_SECOND,
    SPOOL_DIR,
    TIMEOUT,
)
from consumer.config.findings import Findings, tried
from consumer.dead_letter.settings import DeadLetterSettings, FuseSettings
from consumer.delivery.settings import DeliverySettings

if TYPE_CHECKING:
    from consumer.config.keys import SectionValues

_LISTEN = re.compile(r"(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>\d{1,5})")
_LAST_PORT = 65535


def delivery_settings(delivery: SectionValues, findings: Findings) -> DeliverySettings:
    """Check and build the `delivery` section."""
    tried(_check_timeout, delivery, findings)
    return DeliverySettings(
        batch_bytes=delivery[BATCH_BYTES],
        linger_s=delivery[LINGER],
        in_flight=delivery[IN_FLIGHT],
        requests_per_second=delivery[REQUESTS_PER_SECOND],
        timeout_s=delivery[TIMEOUT],
        drain_timeout_s=delivery[DRAIN_TIMEOUT],
        buffer_bytes=delivery[BUFFER_BYTES],
        conflate=delivery[CONFLATE],
        commit_interval_s=delivery[COMMIT_INTERVAL],
        spool_dir=delivery[SPOOL_DIR],
    )


def _check_timeout(delivery: SectionValues, findings: Findings) -> None:
    """Refuse a request timeout that is not below the drain timeout.

    Such a request would be cancelled at every revocation, and its records sent twice.
    """
    timeout_s, drain_s = delivery[TIMEOUT], delivery[DRAIN_TIMEOUT]
    if timeout_s >= drain_s:
        text = (
            f"{timeout_s:g}s is not below drain_timeout ({drain_s:g}s): the drain would end before"
            " the request, and its records would be sent twice; write a shorter timeout or a"
            " longer drain_timeout"
        )
        findings.fault(delivery.place_of(TIMEOUT), delivery.path_of(TIMEOUT), text)


def dead_letter_settings(dead_letter: SectionValues) -> DeadLetterSettings:
    """Build the `dead_letter` section."""
    fuse = dead_letter[FUSE]
    return DeadLetterSettings(
        topic=dead_letter[DEAD_LETTER_TOPIC],
        on_fault=dead_letter[ON_FAULT],
        fuse=FuseSettings(consecutive=fuse[FUSE_CONSECUTIVE], ratio=fuse[FUSE_RATIO]),
    )


def admin_settings(admin: SectionValues, findings: Findings) -> AdminSettings:
    """Build the `admin` section."""
    listen = admin[LISTEN]
    # `off` is text in YAML 1.2, not a boolean.
    if listen == "off":
        return AdminSettings(host=None)
    at = admin_at(listen)
    if at is None:
        text = "expected host:port, such as 127.0.0.1:8080, or off"
        raise findings.fault(admin.place_of(LISTEN), admin.path_of(LISTEN), text)
    names = tuple(name.lower() for name in admin[HOST_NAMES] or ())
    return msgspec.structs.replace(at, host_names=names)


def admin_at(text: str) -> AdminSettings | None:
    """Read the address of an admin port; `None` when the text is not host:port."""
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > _LAST_PORT:
        return None
    return AdminSettings(host=match["six"] or match["host"], port=int(match["port"]))


def log_settings(log: SectionValues) -> LogSettings:
    """Build the `log` section."""
    return LogSettings(level=log[LEVEL], format=log[LOG_FORMAT])
