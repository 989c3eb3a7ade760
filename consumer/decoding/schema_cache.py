"""Caches schemas of the registry, and remembers which ones the registry does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumer.decoding.schema_ids import shown
from consumer.decoding.wire_formats import WIRE_FORMATS
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.decoding.schema_ids import SchemaRef
    from consumer.decoding.wire_formats import RegistryType
    from consumer.decoding.written_schema import WrittenSchema

MOST_SCHEMAS: Final = 2_000
MOST_CHARACTERS: Final = 64 * 1024 * 1024
UNKNOWN_S: Final = 60.0
"""Seconds before the registry is asked again for a schema that it does not have."""


class SchemaCache:
    """A bounded number of schemas, of which the oldest is dropped first.

    The engine puts schemas in; every framed record reads its schema here. `wire` is the frame in
    which records of this registry name their schema.
    """

    def __init__(self, registry: RegistryType = "confluent") -> None:
        self.wire = WIRE_FORMATS[registry]
        self._schemas: dict[SchemaRef, WrittenSchema] = {}
        self._unknown_until_s: dict[SchemaRef, float] = {}
        self._characters = 0

    def lacks(self, schema: SchemaRef, now_s: float) -> bool:
        """Whether a schema must be fetched from the registry."""
        if schema in self._schemas:
            return False
        return self._unknown_until_s.get(schema, now_s) <= now_s

    def put(self, schema: SchemaRef, written: WrittenSchema | None, now_s: float) -> None:
        """Keep an answer of the registry; `None` says that it does not have the schema."""
        if written is None:
            self._unknown_until_s.pop(schema, None)
            self._unknown_until_s[schema] = now_s + UNKNOWN_S
            while len(self._unknown_until_s) > MOST_SCHEMAS:
                del self._unknown_until_s[next(iter(self._unknown_until_s))]
            return
        self._unknown_until_s.pop(schema, None)
        self._drop(schema)
        self._schemas[schema] = written
        self._characters += written.size
        while len(self._schemas) > MOST_SCHEMAS or (
            self._characters > MOST_CHARACTERS and len(self._schemas) > 1
        ):
            self._drop(next(iter(self._schemas)))

    def schema(self, schema: SchemaRef) -> WrittenSchema:
        """Return a schema. Raises: DECODE_SCHEMA when it is not in the cache."""
        written = self._schemas.get(schema)
        if written is None:
            text = (
                "not found in the schema registry"
                if schema in self._unknown_until_s
                else "not loaded from the schema registry"
            )
            raise RecordError(Reason.DECODE_SCHEMA, f"{shown(schema)}: {text}")
        return written

    def _drop(self, schema: SchemaRef) -> None:
        gone = self._schemas.pop(schema, None)
        if gone is not None:
            self._characters -= gone.size
