"""Turn a record at fault into the letter that is produced for it.

Its own bytes first, then why it is here.

Added headers follow the record's own, so that the part which is ours starts at the last
`__connect.errors.topic` and the original can be cut out again exactly.
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
"""The longest text of an added header: an answer of the service may be long."""

REFERENCE_KEEPS_BYTES: Final = 32_768
"""A reference keeps the key, and keeps the original headers, while each is within this: it has to
fit."""

REPLAYS_DIGITS: Final = 9
"""A count with more digits was not written by us, and is read as none."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RecordFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a record.

    `detail` says what was wanted and what kind of thing was found, never a value.

    `attempts` counts requests that held the record, 1 when it was never sent. `first_failed_at_ms`
    is UTC.
    """

    reason: Reason
    detail: str = ""
    field: str | None = None
    object: str | None = None
    http_status: int | None = None
    attempts: int = 1
    first_failed_at_ms: int


class DeadLetterContext(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same in every letter of a run.

    `connector_name` is absent when every route is `crm_bulk`.

    `task_id` tells one deployment from another: the consumer group.
    """

    connector_name: str | None
    task_id: str | None
    config_sha256: str
    version: str


def letter(record: Record, fault: RecordFault, context: DeadLetterContext) -> DeadLetter:
    """Return the full copy: key, value and headers byte for byte, our headers after them."""
    original = tuple(headers_of(record))
    return DeadLetter(
        key=record.key(),
        value=record.value(),
        headers=(*original, *_added(record, fault, context, original)),
    )


def reference(record: Record, fault: RecordFault, context: DeadLetterContext) -> DeadLetter:
    """Return the form without the value, for a record whose full copy the topic does not take.

    Key and original headers stay while they are small enough not to be the cause themselves.
    """
    original = tuple(headers_of(record))
    key = record.key()
    kept = original if _headers_bytes(original) <= REFERENCE_KEEPS_BYTES else ()
    return DeadLetter(
        key=key if key is None or len(key) <= REFERENCE_KEEPS_BYTES else None,
        value=None,
        headers=(*kept, *_added(record, fault, context, original), (REFERENCE, b"true")),
    )


def original_headers(headers: Headers) -> Headers:
    """Return the headers that a letter's record came with.

    All of them when none was added by us.
    """
    start = next(
        (at for at in reversed(range(len(headers))) if headers[at][0] == FIRST_ADDED), len(headers)
    )
    return tuple(headers[:start])


def replayed_headers(headers: Headers) -> Headers:
    """Return the headers with which a letter's record goes back to its topic.

    Its own, and `datacloud.replays`.

    The count says how many replays of the record have failed so far: 0 on its first way back.
    """
    own = tuple(header for header in original_headers(headers) if header[0] != REPLAYS)
    return (*own, (REPLAYS, str(failed_replays(headers) or 0).encode()))


def failed_replays(headers: Headers) -> int | None:
    """Return how many replays failed as the last `datacloud.replays` tells.

    `None` when there is none.
    """
    carried = next((value for name, value in reversed(headers) if name == REPLAYS), None)
    if carried is None:
        return None
    return int(carried) if carried.isdigit() and len(carried) <= REPLAYS_DIGITS else 0


def _added(
    record: Record, fault: RecordFault, context: DeadLetterContext, original: Headers
) -> tuple[tuple[str, bytes], ...]:
    replays = failed_replays(original)
    stage, class_name, exception_class = _whereabouts(fault.reason)
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


def _whereabouts(reason: Reason) -> tuple[str, str, str]:
    """Return Connect's stage, the room that found the fault, and the class that carried it.

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
    return text.encode("utf-8", "backslashreplace")


def _rfc3339(wall_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=wall_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _headers_bytes(headers: Headers) -> int:
    return sum(
        len(name.encode("utf-8", "backslashreplace")) + len(value or b"") for name, value in headers
    )
