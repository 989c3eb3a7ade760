"""A route whose records are in the schema registry's wire form.

Each is made the JSON document that it stands for.

What comes out is what Connect's JSON converter would have written with its schema beside it, so
that formats and mapping are the same for every encoding. Letters and positions keep the record as
it came.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from consumer.decoding.encodings import compiled
from consumer.decoding.kafka_key import NAME as KEY
from consumer.decoding.wire_form import KEY_HEADER, VALUE_HEADER, frame_of, schema_of, shown
from consumer.errors import RecordError
from consumer.headers import headers_of
from consumer.model import Filtered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.decoding.schema_cache import SchemaCache
    from consumer.decoding.wire_form import Frame, SchemaRef
    from consumer.decoding.written_schema import Transcode
    from consumer.mapping.port import Mapped, RouteMapper
    from consumer.model import Change, Headers, Record

_COMPILED: Final = 500
_QUOTE = b'"'
_TEXT = msgspec.json.Decoder(str)


class Transcoders:
    """Schemas compiled when the first record wants them.

    One that cannot be is a fault of each of its records.
    """

    def __init__(self, shelf: SchemaCache, encoding: str | None) -> None:
        self._shelf = shelf
        self._encoding = encoding
        self._known: dict[SchemaRef, Transcode | RecordError] = {}

    def document(self, frame: Frame) -> bytes:
        """Return the JSON document in a frame. Raises: the DECODE reason."""
        known = self._known.get(frame.schema)
        if known is None:
            known = self._compiled(frame.schema)
        if isinstance(known, RecordError):
            raise RecordError(known.reason, known.detail)
        return known(frame)

    def _compiled(self, schema: SchemaRef) -> Transcode | RecordError:
        written = self._shelf.schema(schema)
        if len(self._known) >= _COMPILED:
            self._known.clear()
        made: Transcode | RecordError
        try:
            made = compiled(written, self._encoding)
        except RecordError as error:
            made = RecordError(error.reason, f"{shown(schema)}: {error.detail}")
        self._known[schema] = made
        return made


class OpenedRecord:
    """A record whose key and value are the documents that they stand for.

    Each is made when it is asked for.
    """

    __slots__ = ("_document", "_keys", "_values", "original")

    def __init__(self, original: Record, keys: Transcoders, values: Transcoders) -> None:
        self.original = original
        self._keys = keys
        self._values = values
        self._document: bytes | None = None

    def value(self) -> bytes | None:
        """Return the value's document; `None` for a tombstone. Raises: the DECODE reason."""
        if self._document is None:
            content = self.original.value()
            if content is None:
                return None
            self._document = self._values.document(
                frame_of(content, headers_of(self.original), VALUE_HEADER)
            )
        return self._document

    def key(self) -> bytes | None:
        """Return the key's document, or text as it stands.

        A key in no frame is what a plain serialiser wrote.

        Raises: the DECODE reason.
        """
        content = self.original.key()
        headers = headers_of(self.original)
        if schema_of(content, headers, KEY_HEADER) is None:
            return content
        try:
            document = self._keys.document(frame_of(content or b"", headers, KEY_HEADER))
        except RecordError as error:
            raise RecordError(error.reason, error.detail, field=KEY) from None
        return _TEXT.decode(document).encode() if document.startswith(_QUOTE) else document

    def topic(self) -> str:
        """Topic name."""
        return self.original.topic()

    def partition(self) -> int:
        """Partition number."""
        return self.original.partition()

    def offset(self) -> int:
        """Offset in the partition."""
        return self.original.offset()

    def headers(self) -> Headers | None:
        """Headers in order."""
        return headers_of(self.original)

    def timestamp(self) -> tuple[int, int]:
        """Timestamp type and milliseconds."""
        return self.original.timestamp()

    def __len__(self) -> int:
        """Bytes of the value as it came."""
        return len(self.original)


class EncodedRoute:
    """Opens records, and lets the route map them as if they had been JSON."""

    def __init__(self, mapper: RouteMapper, keys: Transcoders, values: Transcoders) -> None:
        self._mapper = mapper
        self.target, self.object = mapper.target, mapper.object
        self._keys = keys
        self._values = values

    def map_run(
        self, records: Sequence[Record], start: int, wall_ms: int, append: Callable[[Change], None]
    ) -> int:
        """Map records from `start` on as long as all are plain upserts.

        Each is opened when its turn comes.
        """
        opened = map(self._opened, islice(records, start, None))
        mapped: list[Change] = []
        reached = self._mapper.map_run(cast("Any", opened), 0, wall_ms, mapped.append)
        for change in mapped:
            append(_given_back(change))
        return start + reached

    def map(self, record: Record, wall_ms: int) -> Mapped | tuple[Mapped, ...]:
        """Turn one record into its change, or into several in order."""
        mapped = self._mapper.map(self._opened(record), wall_ms)
        if isinstance(mapped, Filtered):
            return mapped
        for part in mapped if isinstance(mapped, tuple) else (mapped,):
            if not isinstance(part, Filtered):
                _given_back(part)
        return mapped

    def _opened(self, record: Record) -> OpenedRecord:
        return OpenedRecord(record, self._keys, self._values)


def _given_back(change: Change) -> Change:
    """Let a change refer to its record as it came."""
    change.record = cast("OpenedRecord", change.record).original
    return change
