"""A schema as the registry has it, with the schemas that it refers to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from consumer.decoding.wire_form import Frame

Transcode: TypeAlias = Callable[[Frame], bytes]
"""From bytes in their frame to the JSON document that they are. Raises: `RecordError` with the
DECODE reason."""


class Reference(msgspec.Struct, frozen=True):
    """A schema that another refers to.

    `name` is what it is called there: a type, a file or an address.
    """

    name: str
    text: str


class WrittenSchema(msgspec.Struct, frozen=True):
    """A schema's text. `references` stand in an order in which each comes after those that it needs itself.

    `kind` is the registry's word for what it is written in: AVRO, PROTOBUF, JSON, or one that we do not know.
    """

    kind: str
    text: str
    references: tuple[Reference, ...] = ()

    @property
    def size(self) -> int:
        """Characters of all texts."""
        return len(self.text) + sum(len(one.text) for one in self.references)
