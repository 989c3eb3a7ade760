"""Decodes JSON Schema bodies: JSON, typed by the Connect annotations of its schema.

Nothing is validated against that schema. A row is checked against the connector's schema and the
field rules.

Source: the annotations of Confluent's JSON Schema converter (`title`, `connect.type`,
`connect.parameters`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from consumer.decoding.columns import LogicalType
from consumer.decoding.connect_schema import ConnectField, meaning_of
from consumer.decoding.document import open_object
from consumer.decoding.wrapping import wrapping_around
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.decoding.wire_form import Frame
    from consumer.decoding.written_schema import Transcode, WrittenSchema

MOST_NODES: Final = 20_000
DEEPEST: Final = 64

_TYPES: Final = {"integer": "int64", "number": "double", "object": "struct"}


def compile_json_schema(written: WrittenSchema) -> Transcode:
    """Compile the decoder of one schema. Raises: DECODE_SCHEMA."""
    try:
        documents = {one.name: json.loads(one.text) for one in written.references}
        connect = _JsonSchemaReader(documents).read(json.loads(written.text), 0)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise RecordError(
            Reason.DECODE_SCHEMA, f"not a valid JSON Schema ({type(error).__name__})"
        ) from None
    # Without an annotation that types a column, the body is the document.
    if not any(meaning_of(field) is not LogicalType.PLAIN for field in _all(connect)):
        return lambda frame: frame.body
    before, after = wrapping_around(connect)

    def transcode(frame: Frame) -> bytes:
        # Checked before it is wrapped: a fault must be reported for the body, not for the pair.
        open_object(frame.body)
        return before + frame.body + after

    return transcode


def _all(connect: ConnectField) -> Iterator[ConnectField]:
    yield connect
    for field in (*(connect.fields or ()), *([connect.items] if connect.items is not None else [])):
        yield from _all(field)


class _JsonSchemaReader:
    """Reads the properties of a schema, through references and alternatives."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self._documents = documents
        self._root: Any = None
        self._count = 0

    def read(self, node: Any, depth: int, name: str = "") -> ConnectField:  # noqa: ANN401 - JSON
        """Read one schema. A part that is nested too deep or is recursive stays untyped."""
        self._root = node if self._root is None else self._root
        self._count += 1
        root_before = self._root
        node = self._resolved(node)
        if not isinstance(node, dict) or self._count > MOST_NODES or depth > DEEPEST:
            self._root = root_before
            return ConnectField(field=name)
        properties = node.get("properties")
        fields = None
        if isinstance(properties, dict):
            fields = [self.read(part, depth + 1, field) for field, part in properties.items()]
        items = node.get("items")
        each = self.read(items, depth + 1) if isinstance(items, dict) else None
        self._root = root_before
        kind = str(node.get("type", ""))
        return ConnectField(
            type=node.get("connect.type") or _TYPES.get(kind, kind),
            field=name,
            name=node.get("title"),
            parameters={
                key: str(value) for key, value in (node.get("connect.parameters") or {}).items()
            }
            or None,
            fields=fields,
            items=each,
        )

    def _resolved(self, node: Any) -> Any:  # noqa: ANN401 - JSON
        """Follow references, and the only alternative beside null.

        A reference inside another document is resolved from the root of that document.
        """
        for _ in range(DEEPEST):
            if not isinstance(node, dict):
                break
            choices = [
                one
                for one in node.get("oneOf") or node.get("anyOf") or ()
                if one != {"type": "null"}
            ]
            reference = node.get("$ref")
            if isinstance(reference, str):
                node = self._at(reference)
            elif len(choices) == 1:
                node = choices[0]
            else:
                break
        return node

    def _at(self, reference: str) -> Any:  # noqa: ANN401 - JSON
        """Return the target of a reference; `None` when the registry did not send it."""
        document, _, pointer = reference.partition("#")
        if document:
            self._root = self._documents.get(document)
        node = self._root
        for step in pointer.strip("/").split("/") if pointer.strip("/") else ():
            node = (
                node.get(step.replace("~1", "/").replace("~0", "~"))
                if isinstance(node, dict)
                else None
            )
        return node
