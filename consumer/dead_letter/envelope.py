"""Builds the forms of a dead letter, and reads the original headers back.

Our headers follow the record's own. They start at the last `__connect.errors.topic`, so the
original headers can be restored exactly.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consumer.dead_letter.port import DeadLetter
from consumer.errors import Reason
from consumer.headers import headers_of

if TYPE_CHECKING:
    from consumer.model import Headers, Record

CONNECT: Final = "__connect.errors."
OURS: Final = "datacloud."
FIRST_ADDED: Final = CONNECT + "topic"
REPLAYS: Final = OURS + "replays"
REFERENCE: Final = OURS + "reference"

TEXT_CHARACTERS: Final = 512
"""Longest text of an added header: an error message of the service may be long."""

REFERENCE_KEEPS_BYTES: Final = 32_768
"""A reference keeps the key, and the original headers, only up to this size each: it has to fit."""

REPLAYS_DIGITS: Final = 9
"""A count with more digits was not written by this program, and is read as 0."""

_MINIMAL: Final = frozenset(
    {FIRST_ADDED, CONNECT + "partition", CONNECT + "offset", OURS + "reason", REPLAYS}
)
"""The headers of the smallest form. The count of replays is there only after a replay."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RecordFault(msgspec.Struct, frozen=True, kw_only=True):
    """The fault of one record.

    `detail` says what was expected and what kind of value was found, never the value itself.
    `attempts` counts the requests that contained the record; it is 1 when the record was never
    sent. `first_failed_at_ms` is UTC.
    """

    reason: Reason
    detail: str = ""
    field: str | None = None
    object: str | None = None
    http_status: int | None = None
    attempts: int = 1
    first_failed_at_ms: int


class DeadLetterContext(msgspec.Struct, frozen=True, kw_only=True):
    """The header values that are the same in every dead letter of a run.

    `connector_name` is absent when every route is `crm_bulk`. `task_id` is the consumer group.
    """

    connector_name: str | None
    task_id: str | None
    config_sha256: str
    version: str


def full_copy(record: Record, fault: RecordFault, context: DeadLetterContext) -> DeadLetter:
    """Return the full copy: key, value and headers byte for byte, then our headers."""
    original = tuple(headers_of(record))
    return DeadLetter(
        key=record.key(),
        value=record.value(),
        headers=(*original, *_added(record, fault, context, original)),
    )


def reference(record: Record, fault: RecordFault, context: DeadLetterContext) -> DeadLetter:
    """Return the form without a value, for a record whose full copy is too large for the topic.

    The key and the original headers stay if each is at most `REFERENCE_KEEPS_BYTES`.
    """
    original = tuple(headers_of(record))
    key = record.key()
    kept = original if _headers_bytes(original) <= REFERENCE_KEEPS_BYTES else ()
    return DeadLetter(
        key=key if key is None or len(key) <= REFERENCE_KEEPS_BYTES else None,
        value=None,
        headers=(*kept, *_added(record, fault, context, original), (REFERENCE, b"true")),
    )


def minimal(record: Record, fault: RecordFault, context: DeadLetterContext) -> DeadLetter:
    """Return the smallest form, for a topic that is too small even for the reference.

    It has no key and no value, and only the headers that find the record again, with the reason.
    """
    original = tuple(headers_of(record))
    added = _added(record, fault, context, original)
    return DeadLetter(
        key=None,
        value=None,
        headers=(*(each for each in added if each[0] in _MINIMAL), (REFERENCE, b"true")),
    )


def forms(
    record: Record, fault: RecordFault, context: DeadLetterContext
) -> tuple[DeadLetter, DeadLetter, DeadLetter]:
    """Return all forms of a dead letter, from the full copy to the smallest one."""
    return (
        full_copy(record, fault, context),
        reference(record, fault, context),
        minimal(record, fault, context),
    )


def original_headers(headers: Headers) -> Headers:
    """Return the headers that the record of a dead letter came with.

    Returns all headers when the record is not a dead letter.
    """
    # The last one counts: a dead letter that was dead-lettered again has two blocks of our headers.
    start = next(
        (at for at in reversed(range(len(headers))) if headers[at][0] == FIRST_ADDED), len(headers)
    )
    return tuple(headers[:start])


def failed_replays(headers: Headers) -> int | None:
    """Return the failed replays that the last `datacloud.replays` counts; `None` without one."""
    carried = next((value for name, value in reversed(headers) if name == REPLAYS), None)
    if carried is None:
        return None
    return int(carried) if carried.isdigit() and len(carried) <= REPLAYS_DIGITS else 0


def _added(
    record: Record, fault: RecordFault, context: DeadLetterContext, original: Headers
) -> tuple[tuple[str, bytes], ...]:
    # A record with this header was replayed, and now has failed once more.
    replays = failed_replays(original)
    stage, class_name, exception_class = _stage_of(fault.reason)
    texts: tuple[tuple[str, object], ...] = (
        (FIRST_ADDED, record.topic()),
        (CONNECT + "partition", record.partition()),
        (CONNECT + "offset", record.offset()),
        (CONNECT + "connector.name", context.connector_name),
        (CONNECT + "task.id", context.task_id),
        (CONNECT + "stage", stage),
        (CONNECT + "class.name", class_name),
        (CONNECT + "exception.class.name", exception_class),
        (CONNECT + "exception.message", _message(fault)),
        (OURS + "reason", fault.reason),
        (OURS + "detail", fault.detail or None),
        (OURS + "field", fault.field),
        (OURS + "object", fault.object),
        (OURS + "http.status", fault.http_status),
        (OURS + "attempts", fault.attempts),
        (OURS + "first.failed.at", _rfc3339(fault.first_failed_at_ms)),
        (OURS + "config.sha256", context.config_sha256),
        (OURS + "version", context.version),
        (REPLAYS, None if replays is None else replays + 1),
    )
    return tuple((name, _text(value)) for name, value in texts if value is not None)


def _stage_of(reason: Reason) -> tuple[str, str, str]:
    """Return Connect's stage, the package that found the fault, and the class of the error.

    Source: the stage names are those of Kafka Connect's `Stage` enumeration (KIP-298).
    """
    if reason in {Reason.SINK_REJECTED, Reason.SINK_TOO_LARGE}:
        return "TASK_PUT", "consumer.delivery", "consumer.model.Reject"
    if reason.startswith("DECODE_"):
        return "VALUE_CONVERTER", "consumer.decoding", "consumer.errors.RecordError"
    return "TRANSFORMATION", "consumer.mapping", "consumer.errors.RecordError"


def _message(fault: RecordFault) -> str:
    place = f" in {fault.field}" if fault.field else ""
    return f"{fault.reason}{place}: {fault.detail}" if fault.detail else f"{fault.reason}{place}"


def _text(value: object) -> bytes:
    text = str(value)
    if len(text) > TEXT_CHARACTERS:
        text = text[: TEXT_CHARACTERS - 1] + "…"
    # A detail may hold a lone surrogate, which UTF-8 cannot encode: it is written as its escape.
    return text.encode("utf-8", "backslashreplace")


def _rfc3339(wall_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=wall_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _headers_bytes(headers: Headers) -> int:
    return sum(
        len(name.encode("utf-8", "backslashreplace")) + len(value or b"") for name, value in headers
    )
