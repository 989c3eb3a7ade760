"""Reads an Avro schema into a schema for fastavro and the columns that it describes.

fastavro gets one schema, with all referenced types in it and without logical types. So it returns
plain bytes and integers, and the columns say how to read them, as with Connect's embedded schema.
Only inside a union of several types no column can say it; there the logical types stay, and
fastavro converts the values ("loose" below).

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
"""Connect's and Debezium's names for Avro's logical types."""

AS_TEXT: Final = {
    ("long", "local-timestamp-millis"): "local_ms",
    ("long", "local-timestamp-micros"): "local_us",
    ("long", "local-timestamp-nanos"): "local_ns",
    ("fixed", "uuid"): "uuid",
    ("fixed", "duration"): "duration",
}
"""Logical types without a column type, which become text."""

MOST_NODES: Final = 20_000
"""Most types of one schema, counted at each use: a small schema that uses its types again and again
could take all memory."""

DEEPEST: Final = 64

_CHOICE: Final = ""
"""Stands among the open types for a union, array or map: each takes a byte, and may end there."""


class ValueFix(msgspec.Struct, frozen=True):
    """The fix that a value needs after it was read, by its `kind`.

    The kinds `record`, `array` and `map` fix the parts of a value: `fields`, or `each`.
    """

    kind: str
    fields: tuple[tuple[str, ValueFix], ...] = ()
    each: ValueFix | None = None


class AvroSchema(msgspec.Struct, frozen=True):
    """A schema: `node` for fastavro, `connect` for the columns, and the `fix` of its values."""

    node: AvroNode
    connect: ConnectField
    fix: ValueFix | None
    recursive: bool


class _Type(msgspec.Struct):
    """One type of a schema. `empty` says that a value of it may take no bytes."""

    node: AvroNode
    connect: ConnectField
    fix: ValueFix | None = None
    empty: bool = False


def read_avro_schema(written: WrittenSchema) -> AvroSchema:
    """Read a schema with its references. Raises: DECODE_SCHEMA."""
    reader = _AvroSchemaReader()
    try:
        for reference in written.references:
            reader.define(json.loads(reference.text), "")
        found = reader.read(json.loads(written.text), "", 0, False)  # noqa: FBT003 - not loose
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        _refuse(f"not a valid Avro schema ({type(error).__name__})")
    return AvroSchema(found.node, found.connect, found.fix, reader.recursive)


def _refuse(text: str) -> NoReturn:
    raise RecordError(Reason.DECODE_SCHEMA, text) from None


class _AvroSchemaReader:
    """Reads types where they are used; a named type is looked up by its full name."""

    def __init__(self) -> None:
        self._named: dict[str, tuple[AvroNode, str]] = {}
        self._defined: set[str] = set()
        self._open: list[str] = []
        self._count = 0
        self.recursive = False

    def define(self, node: AvroNode, space: str) -> None:
        """Remember all named types of a schema, at any depth."""
        if isinstance(node, list):
            for branch in node:
                self.define(branch, space)
        elif isinstance(node, dict):
            if "name" in node and node["type"] in ("record", "error", "enum", "fixed"):
                _, space = self._define_one(node, space)
            for field in node.get("fields", ()):
                self.define(field["type"], space)
            for part in (node.get("items"), node.get("values"), node["type"]):
                self.define(part, space)

    def read(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001 - passed down
        """Read a type where it is used.

        `space` is the enclosing namespace. `loose` keeps logical types for fastavro.
        """
        self._count += 1
        if self._count > MOST_NODES or depth > DEEPEST:
            _refuse(
                f"expected at most {MOST_NODES} types and {DEEPEST} levels of nesting, got more"
            )
        if isinstance(node, list):
            return self._union(node, space, depth, loose)
        if isinstance(node, str):
            if node in _PRIMITIVES:
                return _Type(
                    node, ConnectField(type=_PRIMITIVES[node]), _float(node), empty=node == "null"
                )
            return self._by_name(node, space, depth, loose)
        # {"type": {...}} and {"type": "shop.Row"} only wrap another type.
        kind = node["type"]
        if isinstance(kind, list | dict) or (kind not in _PRIMITIVES and kind not in self._READERS):
            return self.read(kind, space, depth + 1, loose)
        if kind in _PRIMITIVES:
            return self._primitive(node, kind, loose)
        return self._READERS[kind](self, node, space, depth, loose)

    def _by_name(self, name: str, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        # A simple name is looked up in the enclosing namespace first, as Avro defines it.
        full = name if "." in name or not space else f"{space}.{name}"
        known = self._named.get(full) or self._named.get(name)
        if known is None:
            _refuse("it uses a type that neither it nor its references define")
        node, space = known
        full, _ = _full_name(node, space)
        # The type is being read right now: it is recursive, and no column describes it any deeper.
        if _name(full, loose) in self._open:
            if _CHOICE not in self._open[self._open.index(_name(full, loose)) :]:
                _refuse("it has a record that always contains itself, so no value of it can end")
            self.recursive = True
            return _Type(
                _name(full, loose), ConnectField(type="struct", name=full), ValueFix("any")
            )
        # Read again at each use: the columns need it every time, fastavro gets only its name.
        return self.read({**node, "name": full}, "", depth + 1, loose)

    def _named_node(self, node: AvroNode) -> AvroNode:
        """Return the definition of a type at its first use, and its name at every later one."""
        if node["name"] in self._defined:
            return node["name"]
        self._defined.add(node["name"])
        return node

    def _primitive(self, node: AvroNode, kind: str, loose: bool) -> _Type:  # noqa: FBT001
        logical = node.get("logicalType")
        if loose and logical is not None:
            return _Type(_without_notes(node), ConnectField())
        as_text = AS_TEXT.get((kind, logical))
        if as_text is not None:
            return _Type(kind, ConnectField(type="string"), ValueFix(as_text))
        return _Type(
            kind, _connect(node, kind, _PRIMITIVES[kind]), _float(kind), empty=kind == "null"
        )

    def _record(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        full, space = self._define_one(node, space)
        # Marked as open while its fields are read: a use of it in there is a recursion.
        self._open.append(_name(full, loose))
        fields = [
            (field["name"], self.read(field["type"], space, depth + 1, loose))
            for field in node["fields"]
        ]
        self._open.pop()
        fix = tuple((name, found.fix) for name, found in fields if found.fix is not None)
        plain = [{"name": name, "type": found.node} for name, found in fields]
        columns = [_field(name, found.connect) for name, found in fields]
        return _Type(
            self._named_node({"type": "record", "name": _name(full, loose), "fields": plain}),
            _connect(node, "record", "struct", fields=columns, name=full),
            ValueFix("record", fix) if fix else None,
            empty=all(found.empty for _, found in fields),
        )

    def _enum(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        del depth
        full, _ = self._define_one(node, space)
        plain = {"type": "enum", "name": _name(full, loose), "symbols": node["symbols"]}
        return _Type(self._named_node(plain), _connect(node, "enum", "string"))

    def _fixed(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        del depth
        full, _ = self._define_one(node, space)
        plain = _without_notes(node) if loose else {"type": "fixed", "size": node["size"]}
        found = self._named_node({**plain, "name": _name(full, loose)})
        as_text = AS_TEXT.get(("fixed", node.get("logicalType")))
        if not loose and as_text is not None and node["size"] == _SIZES[as_text]:
            return _Type(found, ConnectField(type="string"), ValueFix(as_text))
        return _Type(found, _connect(node, "fixed", "bytes"), empty=not node["size"])

    def _array(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        """Read an array. Items without bytes are refused: a few bytes could claim any number."""
        self._open.append(_CHOICE)
        part = self.read(node["items"], space, depth + 1, loose)
        self._open.pop()
        if part.empty:
            _refuse("it has an array whose items take no bytes, so its length has no limit")
        fix = ValueFix("array", each=part.fix) if part.fix is not None else None
        connect = _connect(node, "array", "array")
        connect.items = part.connect
        return _Type({"type": "array", "items": part.node}, connect, fix)

    def _map(self, node: AvroNode, space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        self._open.append(_CHOICE)
        part = self.read(node["values"], space, depth + 1, loose)
        self._open.pop()
        fix = ValueFix("map", each=part.fix) if part.fix is not None else None
        connect = _connect(node, "map", "map")
        connect.values = part.connect
        return _Type({"type": "map", "values": part.node}, connect, fix)

    def _union(self, branches: list[AvroNode], space: str, depth: int, loose: bool) -> _Type:  # noqa: FBT001
        several = sum(branch != "null" for branch in branches) > 1
        self._open.append(_CHOICE)
        found = [self.read(branch, space, depth + 1, loose or several) for branch in branches]
        self._open.pop()
        node = [one.node for one in found]
        # The branch is known only when a value is read: no column can describe it.
        if several:
            return _Type(node, ConnectField(), ValueFix("any"))
        whole = next((one for one in found if one.node != "null"), found[0])
        return _Type(node, whole.connect, whole.fix)

    def _define_one(self, node: AvroNode, space: str) -> tuple[str, str]:
        """Remember a named type; return its full name and the namespace inside it."""
        full, inner = _full_name(node, space)
        self._named.setdefault(full, (node, space))
        return full, inner

    _READERS: Final[dict[str, Callable[[_AvroSchemaReader, AvroNode, str, int, bool], _Type]]] = {
        "record": _record,
        "error": _record,
        "enum": _enum,
        "fixed": _fixed,
        "array": _array,
        "map": _map,
    }


_SIZES = {"uuid": 16, "duration": 12}


def _full_name(node: AvroNode, space: str) -> tuple[str, str]:
    """Return the full name of a type, and the namespace for names inside it."""
    name = node["name"]
    if "." in name:
        return name, name.rpartition(".")[0]
    space = node.get("namespace", space) or ""
    return (f"{space}.{name}" if space else name), space


def _name(full: str, loose: bool) -> str:  # noqa: FBT001
    """Return the name of a type for fastavro; a type that is used loose, too, has two names."""
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
    """Return the Connect schema of a type, by its annotations, else by Avro's logical type."""
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
