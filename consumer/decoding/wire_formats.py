"""The frames that are read, by the type of the schema registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec

from consumer.decoding import glue_form, wire_form
from consumer.decoding.schema_ids import SchemaRef
from consumer.decoding.wire_form import Frame
from consumer.model import Headers

RegistryType: TypeAlias = Literal["confluent", "glue"]


class WireFormat(msgspec.Struct, frozen=True):
    """How the keys and values of one type of registry are framed.

    `frame_of` splits a key or value, and raises DECODE_EMPTY and DECODE_FRAMED. `schema_of` returns
    its schema, `None` for other bytes. Both take the content, the headers and the name of the
    header that may hold the schema's id.
    """

    frame_of: Callable[[bytes, Headers, str], Frame]
    schema_of: Callable[[bytes | None, Headers, str], SchemaRef | None]


WIRE_FORMATS: Final[dict[RegistryType, WireFormat]] = {
    "confluent": WireFormat(wire_form.frame_of, wire_form.schema_of),
    "glue": WireFormat(glue_form.frame_of, glue_form.schema_of),
}
