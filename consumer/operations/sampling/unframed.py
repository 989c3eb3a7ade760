"""Decodes sampled records with schema registry framing to JSON, with schemas of the registry."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from consumer.clock import SystemClock
from consumer.decoding.encodings import ENCODINGS
from consumer.decoding.schema_cache import SchemaCache
from consumer.decoding.schema_ids import KEY_HEADER, VALUE_HEADER
from consumer.engine.schema_wait import schemas_of
from consumer.errors import Hold, RecordError, Transient
from consumer.headers import headers_of
from consumer.mapping.encoded import OpenedRecord, Transcoders
from consumer.mapping.settings import EncodingName
from consumer.model import PlainRecord
from consumer.operations.sampling.sampler import NoSample
from consumer.registry.registries import registry_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.model import Record
    from consumer.registry.settings import AnyRegistry

_BY_KIND: dict[str, EncodingName] = {
    encoding.kind: name
    for name in ("avro", "protobuf", "json_schema")
    for encoding in (ENCODINGS[name],)
}


class UnframedSample(msgspec.Struct, frozen=True):
    """The records as JSON, with counts of the values by encoding and of the failures by reason."""

    records: tuple[PlainRecord, ...]
    encodings: dict[EncodingName, int]
    refused: dict[str, int]


def schemas_in(records: Sequence[Record], registry: AnyRegistry) -> SchemaCache:
    """Ask the registry once for every schema that the records name.

    Raises: `NoSample` if it does not answer or refuses.
    """
    try:
        return asyncio.run(_fetched(records, registry))
    except (Hold, Transient) as error:
        message = f"request to the schema registry at {registry.address} failed: {error.detail}"
        raise NoSample(message) from None


async def _fetched(records: Sequence[Record], registry: AnyRegistry) -> SchemaCache:
    cache = SchemaCache(registry.type)
    client = registry_client(registry, SystemClock())
    try:
        for schema in dict.fromkeys(
            one for record in records for one in schemas_of(record, cache.wire)
        ):
            cache.put(schema, await client.schema(schema), 0.0)
    finally:
        await client.close()
    return cache


def unframed(records: Sequence[Record], schemas: SchemaCache) -> UnframedSample:
    """Decode every record to JSON.

    A key that does not decode becomes `None`: a route may not need it.
    """
    transcoders = Transcoders(schemas, None)
    opened: list[PlainRecord] = []
    encodings: Counter[EncodingName] = Counter()
    refused: Counter[str] = Counter()
    for record in records:
        one = OpenedRecord(record, transcoders, transcoders)
        try:
            value = one.value()
        except RecordError as error:
            refused[f"{error.reason} ({error.detail})"] += 1
            continue
        schema = schemas.wire.schema_of(record.value() or b"", headers_of(record), VALUE_HEADER)
        if schema is not None:
            encodings[_BY_KIND[schemas.schema(schema).kind]] += 1
        opened.append(_plain(one, value))
    return UnframedSample(tuple(opened), dict(encodings.most_common()), dict(refused.most_common()))


def _plain(opened: OpenedRecord, value: bytes | None) -> PlainRecord:
    """Return a record as it would be without a registry: JSON and no schema headers."""
    try:
        key = opened.key()
    except RecordError:
        key = None
    return PlainRecord(
        opened.topic(),
        opened.partition(),
        opened.offset(),
        key=key,
        value=value,
        headers=[
            one for one in headers_of(opened.original) if one[0] not in {KEY_HEADER, VALUE_HEADER}
        ],
        timestamp_ms=opened.timestamp()[1],
    )
