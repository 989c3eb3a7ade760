"""Maps a record by the routes of the configuration to outcomes: one JSON value per change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.batching.batch import ENVELOPE_BYTES
from consumer.errors import Reason, RecordError
from consumer.mapping.settings import CRM_CONNECTOR, PLACE_KEY
from consumer.model import Filtered, Operation, Upsert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.mapping.routing import RouteTable
    from consumer.model import Record

DEAD_LETTER = "dead_letter"
_PLACE = PLACE_KEY.encode()


def outcomes(
    routes: RouteTable, record: Record, wall_ms: int, batch_bytes: int
) -> Iterator[dict[str, object]]:
    """Map one record by every route that takes it; yield the outcomes in route order.

    Shape: the members that `map` prints.
    """
    mappers = routes.mappers(record.topic())
    if not mappers:
        yield _place(record) | _dead_letter(
            RecordError(
                Reason.ROUTE_NONE, "no route has this topic; add it to the topics of a route"
            )
        )
    for mapper in mappers:
        yield from outcomes_of_route(mapper, record, wall_ms, batch_bytes)


def outcomes_of_route(
    mapper: RouteMapper, record: Record, wall_ms: int, batch_bytes: int
) -> Iterator[dict[str, object]]:
    """Map one record by one route; an invalid record becomes one dead letter and nothing else."""
    place = _place(record)
    name = mapper.target.object
    try:
        for mapped in _changes(mapper, record, wall_ms, batch_bytes):
            yield place | _outcome(mapped, name)
    except RecordError as error:
        yield place | _dead_letter(error) | {"object": name}


def _place(record: Record) -> dict[str, object]:
    return {"topic": record.topic(), "partition": record.partition(), "offset": record.offset()}


def _changes(
    mapper: RouteMapper, record: Record, wall_ms: int, batch_bytes: int
) -> tuple[Mapped, ...]:
    """Map a record.

    Raises: `RecordError`, also for a row that is too large for a request.
    """
    mapped = mapper.map(record, wall_ms)
    changes = mapped if isinstance(mapped, tuple) else (mapped,)
    # CRM rows go into the CSV file of a job, which has its own limit.
    is_bounded = mapper.target.connector != CRM_CONNECTOR
    for change in changes:
        if (
            is_bounded
            and isinstance(change, Upsert)
            and len(change.encoded) + ENVELOPE_BYTES[Operation.UPSERT] > batch_bytes
        ):
            detail = (
                f"expected a row that fits into a request of {batch_bytes:,} bytes, got a row of"
                f" {len(change.encoded):,} bytes"
            )
            raise RecordError(Reason.RECORD_SIZE, detail)
    return changes


def _outcome(mapped: Mapped, name: str) -> dict[str, object]:
    if isinstance(mapped, Filtered):
        return {"outcome": "filtered", "rule": mapped.rule}
    if isinstance(mapped, Upsert):
        # `Raw` prints the encoded row unchanged, with the digits that are sent.
        row = _shown(mapped.encoded) if _PLACE in mapped.encoded else msgspec.Raw(mapped.encoded)
        return {"outcome": "upsert", "object": name, "key": mapped.key, "record": row}
    return {"outcome": "delete", "object": name, "key": mapped.key}


def _shown(encoded: bytes) -> msgspec.Raw:
    """Return a row without the internal field that holds the record's place as its key."""
    row = msgspec.json.decode(encoded, type=dict[str, msgspec.Raw])
    row.pop(PLACE_KEY, None)
    return msgspec.Raw(msgspec.json.encode(row))


def _dead_letter(error: RecordError) -> dict[str, object]:
    field = {"field": error.field} if error.field is not None else {}
    return {"outcome": DEAD_LETTER, "reason": error.reason, **field, "detail": error.detail}
