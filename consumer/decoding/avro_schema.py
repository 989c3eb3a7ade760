"""Avro schemas read: what the reader of bodies needs, and what the columns mean.

As Connect's schema says it.

The reader gets a schema in one piece, with the types of other files in it and without logical
types: it hands over bytes and integers as they stand, and the columns say what they mean, as with
Connect's embedded schema. Only where no column can say it, inside a union of several types, logical
types are left to the reader ("loose" below).

Source: the Avro specification 1.12, and how Confluent's Avro converter names Connect's types.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from consumer.decoding.connect_schema import ConnectField
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from consumer.decoding.written_schema import WrittenSchema

AvroNode: TypeAlias = Any
"""A schema as JSON gives it: a name, a list of branches, or a mapping."""

_PRIMITIVES: Final = {
    "null": "",
    "boolean": "boolean",
    "int": "int32",
    "long": "int64",
    "float": "float",
    "double": "double",
    "bytes": "bytes",
    "string": "string",
}
_CONNECT = "org.apache.kafka.connect.data."
_TIME = "io.debezium.time."
_MEANINGS: Final = {
    ("bytes", "decimal"): _CONNECT + "Decimal",
    ("fixed", "decimal"): _CONNECT + "Decimal",
    ("int", "date"): _CONNECT + "Date",
    ("int", "time-millis"): _CONNECT + "Time",
    ("long", "time-micros"): _TIME + "MicroTime",
    ("long", "timestamp-millis"): _CONNECT + "Timestamp",
    ("long", "timestamp-micros"): _TIME + "MicroTimestamp",
    ("long", "timestamp-nanos"): _TIME + "NanoTimestamp",
}
"""Avro's logical types by Connect's names for the same."""

WRITTEN_OUT: Final = {
    ("long", "local-timestamp-millis"): "local_ms",
    ("long", "local-timestamp-micros"): "local_us",
    ("long", "local-timestamp-nanos"): "local_ns",
    ("fixed", "uuid"): "uuid",
    ("fixed", "duration"): "duration",
}
"""Logical types that no column can mean, which become text."""

MOST_NODES: Final = 20_000
"""Types of one schema, each counted wherever it is used: a schema that uses types over and over can
be a bomb."""

DEEPEST: Final = 64


class ValueFix(msgspec.Struct, frozen=True):
    """What has to be done to a value after it was read.

    `kind` names it, or its parts have to be mended.
    """

    kind: str
    fields: tuple[tuple[str, ValueFix], ...] = ()
    each: ValueFix | None = None


class AvroSchema(msgspec.Struct, frozen=True):
    """A schema taken in: for the reader, for the columns.

    And what is to be mended of what was read.
    """

    node: AvroNode
    connect: ConnectField
    mended: ValueFix | None
    recursive: bool


class _Type(msgspec.Struct):
    """One type taken in. `empty` says that a value of it may take no bytes."""

    node: AvroNode
    connect: ConnectField
    mended: ValueFix | None = None
    empty: bool = False


def read_avro_schema(written: WrittenSchema) -> AvroSchema:
    """Read a schema with those it refers to. Raises: DECODE_SCHEMA."""
    reader = _AvroSchemaReader()
    try:
        for reference in written.references:
            reader.know(json.loads(reference.text), "")
        found = reader.take(json.loads(written.text), "", 0, False)  # noqa: FBT003 - see there
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        _refuse(f"it is no Avro schema ({type(error).__name__})")
    return AvroSchema(found.node, found.connect, found.mended, reader.recursive)


def _refuse(text: str) -> NoReturn:
    raise RecordError(Reason.DECODE_SCHEMA, text) from None


class _AvroSchemaReader:
    """Takes in types by name and by place."""

    def __init__(self) -> None:
        self._named: dict[str, tuple[AvroNode, str]] = {}
        self._defined: set[str] = set()
        self._open: list[str] = []
        self._count = 0
        self.recursive = False

    def know(self, node: AvroNode, space: str) -> None:
        """Remember the named types in a schema, wherever they are defined in it."""
        if isinstance(node, list):
            for branch in node:
                self.know(branch, space)
        elif isinstance(node, dict):
            if "name" in node and node["type"] in ("record", "error", "enum", "fixed"):
                _, space = self._know_one(node, space)
            for field in node.get("fields", ()):
                self.know(field["type"], space)
            for part in (node.get("items"), node.get("values"), node["type"]):
                self.know(part, space)

    def take(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001 - handed down
        """Take in a type where it is used."""
        self._count += 1
        if self._count > MOST_NODES or depth > DEEPEST:
            _refuse(f"it has more than {MOST_NODES} types, or is nested deeper than {DEEPEST}")
        if isinstance(node, list):
            return self._union(node, space, depth, loose)
        if isinstance(node, str):
            if node in _PRIMITIVES:
                return _Type(
                    node, ConnectField(type=_PRIMITIVES[node]), _float(node), empty=node == "null"
                )
            return self._by_name(node, space, depth, loose)
        kind = node["type"]
        if isinstance(kind, list | dict) or (kind not in _PRIMITIVES and kind not in self._TAKERS):
            return self.take(kind, space, depth + 1, loose)
        if kind in _PRIMITIVES:
            return self._primitive(node, kind, loose)
        return self._TAKERS[kind](self, node, space, depth, loose)

    def _by_name(self, name: str, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        full = name if "." in name or not space else f"{space}.{name}"
        known = self._named.get(full) or self._named.get(name)
        if known is None:
            _refuse("it uses a type that is defined nowhere")
        node, space = known
        full, _ = _full_name(node, space)
        if _name(full, loose) in self._open:
            self.recursive = True
            return _Type(
                _name(full, loose), ConnectField(type="struct", name=full), ValueFix("any")
            )
        return self.take({**node, "name": full}, "", depth + 1, loose)

    def _named_node(self, node: AvroNode) -> AvroNode:
        """Define a type the first time it is used, and call it by name afterwards."""
        if node["name"] in self._defined:
            return node["name"]
        self._defined.add(node["name"])
        return node

    def _primitive(self, node: AvroNode, kind: str, loose: bool) -> _Type:  # noqa: FBT001
        logical = node.get("logicalType")
        if loose and logical is not None:
            return _Type(_without_notes(node), ConnectField())
        written_out = WRITTEN_OUT.get((kind, logical))
        if written_out is not None:
            return _Type(kind, ConnectField(type="string"), ValueFix(written_out))
        return _Type(
            kind, _connect(node, kind, _PRIMITIVES[kind]), _float(kind), empty=kind == "null"
        )

    def _record(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        full, space = self._know_one(node, space)
        self._open.append(_name(full, loose))
        fields = [
            (field["name"], self.take(field["type"], space, depth + 1, loose))
            for field in node["fields"]
        ]
        self._open.pop()
        mended = tuple((name, found.mended) for name, found in fields if found.mended is not None)
        plain = [{"name": name, "type": found.node} for name, found in fields]
        columns = [_field(name, found.connect) for name, found in fields]
        return _Type(
            self._named_node({"type": "record", "name": _name(full, loose), "fields": plain}),
            _connect(node, "record", "struct", fields=columns, name=full),
            ValueFix("record", mended) if mended else None,
            empty=all(found.empty for _, found in fields),
        )

    def _enum(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        del depth
        full, _ = self._know_one(node, space)
        plain = {"type": "enum", "name": _name(full, loose), "symbols": node["symbols"]}
        return _Type(self._named_node(plain), _connect(node, "enum", "string"))

    def _fixed(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        del depth
        full, _ = self._know_one(node, space)
        plain = _without_notes(node) if loose else {"type": "fixed", "size": node["size"]}
        found = self._named_node({**plain, "name": _name(full, loose)})
        written_out = WRITTEN_OUT.get(("fixed", node.get("logicalType")))
        if not loose and written_out is not None and node["size"] == _SIZES[written_out]:
            return _Type(found, ConnectField(type="string"), ValueFix(written_out))
        return _Type(found, _connect(node, "fixed", "bytes"), empty=not node["size"])

    def _array(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        """Take in an array; of parts without bytes a few bytes could claim any number."""
        part = self.take(node["items"], space, depth + 1, loose)
        if part.empty:
            _refuse("it has an array of values that take no bytes")
        mended = ValueFix("array", each=part.mended) if part.mended is not None else None
        return _Type(
            {"type": "array", "items": part.node}, _connect(node, "array", "array"), mended
        )

    def _map(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        part = self.take(node["values"], space, depth + 1, loose)
        mended = ValueFix("map", each=part.mended) if part.mended is not None else None
        return _Type({"type": "map", "values": part.node}, _connect(node, "map", "map"), mended)

    def _union(self, branches: list[AvroNode], space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        several = sum(branch != "null" for branch in branches) > 1
        found = [self.take(branch, space, depth + 1, loose or several) for branch in branches]
        node = [one.node for one in found]
        if several:
            return _Type(node, ConnectField(), ValueFix("any"))
        whole = next((one for one in found if one.node != "null"), found[0])
        return _Type(node, whole.connect, whole.mended)

    def _know_one(self, node: AvroNode, space: str) -> tuple[str, str]:
        """Remember a named type; returns its full name and the name space inside of it."""
        full, inner = _full_name(node, space)
        self._named.setdefault(full, (node, space))
        return full, inner

    _TAKERS: Final[dict[str, Callable[[_AvroSchemaReader, AvroNode, str, int, bool], _Type]]] = {
        "record": _record,
        "error": _record,
        "enum": _enum,
        "fixed": _fixed,
        "array": _array,
        "map": _map,
    }


_SIZES = {"uuid": 16, "duration": 12}


def _full_name(node: AvroNode, space: str) -> tuple[str, str]:
    """Return a type's full name, and the name space for names inside of it."""
    name = node["name"]
    if "." in name:
        return name, name.rpartition(".")[0]
    space = node.get("namespace", space) or ""
    return (f"{space}.{name}" if space else name), space


def _name(full: str, loose: bool) -> str:  # noqa: FBT001
    """Return what the reader calls a type.

    The same one is two types where it is used in both ways.
    """
    return f"{full}_loose" if loose else full


def _without_notes(node: AvroNode) -> AvroNode:
    return {key: node[key] for key in node if not key.startswith("connect.")}


def _float(kind: str) -> ValueFix | None:
    return ValueFix(kind) if kind in ("float", "double") else None


def _connect(
    node: AvroNode,
    kind: str,
    connect_type: str,
    *,
    fields: list[ConnectField] | None = None,
    name: str | None = None,
) -> ConnectField:
    """Say in Connect's words what a type is.

    By its own annotations, else by Avro's logical type.
    """
    meaning = node.get("connect.name") or _MEANINGS.get((kind, node.get("logicalType"))) or name
    parameters = {key: str(value) for key, value in (node.get("connect.parameters") or {}).items()}
    if meaning == _CONNECT + "Decimal":
        parameters.setdefault("scale", str(node.get("scale", 0)))
    return ConnectField(
        type=node.get("connect.type") or connect_type,
        name=meaning,
        parameters=parameters or None,
        fields=fields,
    )


def _field(name: str, connect: ConnectField) -> ConnectField:
    return msgspec.structs.replace(connect, field=name)
