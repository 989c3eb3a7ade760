"""The text of a schema in the registry, with the schemas that it refers to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from consumer.decoding.wire_form import Frame
from consumer.decoding.wire_formats import RegistryType

Transcode: TypeAlias = Callable[[Frame], bytes]
"""Decodes a frame to a JSON document. Raises: `RecordError` with the DECODE reason."""


class Reference(msgspec.Struct, frozen=True):
    """A schema that another one refers to, by `name`: of a type, of a file, or a URI."""

    name: str
    text: str


class WrittenSchema(msgspec.Struct, frozen=True):
    """The text of a schema. Each of the `references` comes after those that it needs itself.

    `kind` is the registry's schema type: AVRO, PROTOBUF, JSON, or an unknown one. `indexes` is the
    type of registry whose serializer wrote the bytes before a Protobuf body.
    """

    kind: str
    text: str
    references: tuple[Reference, ...] = ()
    indexes: RegistryType = "confluent"

    @property
    def size(self) -> int:
        """Characters of all texts."""
        return len(self.text) + sum(len(one.text) for one in self.references)
