"""Decodes records in the schema registry's wire format to JSON before the route maps them.

The JSON is what Connect's JsonConverter writes for the same record, so formats and field rules work
the same for every encoding. Dead letters and offsets keep the original record.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from consumer.decoding.document import check_size
from consumer.decoding.encodings import compiled
from consumer.decoding.filtered import FILTERED
from consumer.decoding.kafka_key import NAME as KEY
from consumer.decoding.schema_ids import KEY_HEADER, VALUE_HEADER, shown
from consumer.decoding.ticdc_frames import control_rule
from consumer.errors import RecordError
from consumer.headers import headers_of
from consumer.model import Filtered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.decoding.schema_cache import SchemaCache
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.decoding.wire_form import Frame
    from consumer.decoding.written_schema import Transcode
    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.model import Change, Headers, Record

_CACHED_SCHEMAS: Final = 500
_QUOTE = b'"'
_TEXT = msgspec.json.Decoder(str)


class Transcoders:
    """Compiles a schema to a transcoder when its first record arrives, and caches it.

    A schema that does not compile is cached as its fault, which every record of it then raises.
    """

    def __init__(self, schemas: SchemaCache, encoding: str | None) -> None:
        self._schemas = schemas
        self.wire = schemas.wire
        self._encoding = encoding
        self._cache: dict[SchemaRef, Transcode | RecordError] = {}

    def document(self, frame: Frame) -> bytes:
        """Return the JSON document of a frame. Raises: a DECODE reason."""
        transcode = self._cache.get(frame.schema)
        if transcode is None:
            transcode = self._compiled(frame.schema)
        if isinstance(transcode, RecordError):
            # A new exception each time: one that is raised again keeps its old traceback alive.
            raise RecordError(transcode.reason, transcode.detail)
        return transcode(frame)

    def _compiled(self, schema: SchemaRef) -> Transcode | RecordError:
        written = self._schemas.schema(schema)
        if len(self._cache) >= _CACHED_SCHEMAS:
            self._cache.clear()
        made: Transcode | RecordError
        try:
            made = compiled(written, self._encoding)
        except RecordError as error:
            made = RecordError(error.reason, f"{shown(schema)}: {error.detail}")
        self._cache[schema] = made
        return made


class OpenedRecord:
    """A record with its key and value decoded to JSON, each on first use."""

    __slots__ = ("_document", "_keys", "_values", "original")

    def __init__(self, original: Record, keys: Transcoders, values: Transcoders) -> None:
        self.original = original
        self._keys = keys
        self._values = values
        self._document: bytes | None = None

    def value(self) -> bytes | None:
        """Return the value as JSON; `None` for a tombstone. Raises: a DECODE reason."""
        if self._document is None:
            content = self.original.value()
            if content is None:
                return None
            check_size(content)
            self._document = self._values.document(
                self._values.wire.frame_of(content, headers_of(self.original), VALUE_HEADER)
            )
        return self._document

    def key(self) -> bytes | None:
        """Return the key as JSON, or its plain text for a string.

        A key that is not in the wire format was written by a plain serializer and is returned as it
        is. Raises: a DECODE reason.
        """
        content = self.original.key()
        headers = headers_of(self.original)
        # Keys are often plain strings while values are framed.
        wire = self._keys.wire
        if wire.schema_of(content, headers, KEY_HEADER) is None:
            return content
        try:
            document = self._keys.document(wire.frame_of(content or b"", headers, KEY_HEADER))
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=KEY) from None
        return _TEXT.decode(document).encode() if document.startswith(_QUOTE) else document

    def topic(self) -> str:
        """Return the topic."""
        return self.original.topic()

    def partition(self) -> int:
        """Return the partition."""
        return self.original.partition()

    def offset(self) -> int:
        """Return the offset in the partition."""
        return self.original.offset()

    def headers(self) -> Headers | None:
        """Return the headers in order, without those that name the schemas of key and value."""
        return [
            one for one in headers_of(self.original) if one[0] not in {KEY_HEADER, VALUE_HEADER}
        ]

    def timestamp(self) -> tuple[int, int]:
        """Return the timestamp type and milliseconds."""
        return self.original.timestamp()

    def __len__(self) -> int:
        """Return the size of the original value in bytes."""
        return len(self.original)


class EncodedRoute:
    """Decodes records to JSON and passes them to the mapper of a JSON route."""

    def __init__(self, mapper: RouteMapper, keys: Transcoders, values: Transcoders) -> None:
        self._mapper = mapper
        self.target, self.object = mapper.target, mapper.object
        self._keys = keys
        self._values = values

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map records from index `start` while each one is a plain upsert.

        Return the index of the first record that was not mapped. Each record is decoded only when
        the mapper reaches it.
        """
        # Lazy: the run ends at the first record that is not a plain upsert, and no record after
        # it is decoded. The mapper iterates once, from 0, so an iterator is enough.
        opened = map(self._opened, islice(records, start, None))
        mapped: list[Change] = []
        reached = self._mapper.map_run(cast("Any", opened), 0, wall_ms, mapped.append)
        for change in mapped:
            append(_with_original_record(change))
        return start + reached

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Map one record to its change, or to several changes in order.

        Raises: `RecordError`, but not for TiCDC's control records, which are filtered.
        """
        try:
            mapped = self._mapper.map(self._opened(record), wall_ms)
        except RecordError:
            rule = control_rule(record)
            if rule is None:
                raise
            return FILTERED[rule]
        if isinstance(mapped, Filtered):
            return mapped
        for part in mapped if isinstance(mapped, tuple) else (mapped,):
            if not isinstance(part, Filtered):
                _with_original_record(part)
        return mapped

    def _opened(self, record: Record) -> OpenedRecord:
        return OpenedRecord(record, self._keys, self._values)


def _with_original_record(change: Change) -> Change:
    """Replace the decoded record of a change by the original one, for dead letters and offsets."""
    change.record = cast("OpenedRecord", change.record).original
    return change
