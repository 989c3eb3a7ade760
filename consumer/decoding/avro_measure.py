"""Measures an Avro body before it is decoded, so that no body takes more than its budget.

fastavro decodes a whole body in one call, with one frame of the C stack for each level and without
a limit for what it builds. A few bytes can ask for a very deep or a very large value: a record that
only contains records, an array of empty maps, a decimal of a million digits. So this module walks
over the bytes first and builds nothing.

Most bodies need no walk. The schema tells how much one byte can cost at most (`_AvroCost`), and a
body whose length times that cost is within the budget is decoded right away. The walk is for
recursive schemas, for large bodies, and for schemas with decimals inside a union.

Source: the binary encoding of the Avro specification 1.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from consumer.decoding.document import DEEPEST
from consumer.decoding.floats import LARGEST_DECIMAL_BYTES
from consumer.decoding.memory_budget import BUDGET, CONTAINER, PER_BYTE, VALUE, refuse_too_large
from consumer.decoding.varints import read_varint, signed
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from consumer.decoding.avro_schema import AvroNode

Measure: TypeAlias = "Callable[[bytes], None]"
"""Raises: DECODE_SYNTAX, DECODE_DEPTH, RECORD_SIZE, NUMBER_RANGE."""


class _AvroCost(NamedTuple):
    """What a value of a type takes: `least` bytes of the body, and costs.

    `fixed` is the most that it costs without the contents of arrays, maps and text, and
    `per_byte` the most that one byte of those contents costs.
    """

    least: int
    fixed: int
    per_byte: float


class _AvroType:
    """One type, resolved: how the walk steps over a value of it."""

    __slots__ = ("cost", "kind", "parts", "size")

    def __init__(self, kind: str, cost: int, size: int = 0) -> None:
        self.kind = kind
        self.cost = cost
        self.size = size
        self.parts: list[_AvroType] = []


def compile_measure(node: AvroNode, *, recursive: bool) -> Measure:
    """Compile the measure of a schema in which every name is defined before its use."""
    types = _TypeReader()
    root = types.read(node)
    if recursive or types.has_decimals:
        return lambda body: _walk(root, body)
    estimate = _estimate(root)
    most = (BUDGET - estimate.fixed) / max(estimate.per_byte, 1.0)

    def measure(body: bytes) -> None:
        if len(body) > most:
            _walk(root, body)

    return measure


class _TypeReader:
    """Reads a schema into nodes; a name is the node of its definition."""

    def __init__(self) -> None:
        self._named: dict[str, _AvroType] = {}
        self.has_decimals = False

    def read(self, node: AvroNode) -> _AvroType:
        """Return the node of a type."""
        if isinstance(node, list):
            found = _AvroType("union", 0)
            found.parts = [self.read(branch) for branch in node]
            return found
        if isinstance(node, str):
            return self._named.get(node) or _AvroType(node, VALUE)
        kind = node["type"]
        if kind in ("array", "map"):
            found = _AvroType(kind, CONTAINER)
            item = self.read(node["items" if kind == "array" else "values"])
            if kind == "map":
                entry = _AvroType("entry", 0)
                entry.parts = [_AvroType("string", VALUE), item]
                item = entry
            found.parts = [item]
            return found
        if kind == "record":
            names = [field["name"] for field in node["fields"]]
            found = self._named[node["name"]] = _AvroType(kind, CONTAINER + sum(map(len, names)))
            found.parts = [self.read(field["type"]) for field in node["fields"]]
            return found
        is_decimal = node.get("logicalType") == "decimal"
        self.has_decimals |= is_decimal
        if kind == "enum":
            found = self._named[node["name"]] = _AvroType(kind, VALUE, len(node["symbols"]))
        elif kind == "fixed":
            size = node["size"]
            found = _AvroType(
                "fixed_decimal" if is_decimal else kind, VALUE + PER_BYTE * size, size
            )
            self._named[node["name"]] = found
        else:
            found = _AvroType("decimal" if is_decimal else kind, VALUE)
        return found


def _estimate(node: _AvroType) -> _AvroCost:
    """Return what a value of a type that is not recursive costs."""
    parts = [_estimate(part) for part in node.parts]
    per_byte = max((part.per_byte for part in parts), default=0.0)
    if node.kind == "union":
        least = min((part.least for part in parts), default=0)
        fixed = max((part.fixed for part in parts), default=0)
        return _AvroCost(1 + least, fixed, per_byte)
    if node.kind in ("array", "map"):
        item = parts[0]
        return _AvroCost(1, node.cost, max(per_byte, item.fixed / max(item.least, 1)))
    if node.kind in ("record", "entry"):
        least = sum(part.least for part in parts)
        return _AvroCost(least, node.cost + sum(part.fixed for part in parts), per_byte)
    least = node.size if node.kind.startswith("fixed") else _LEAST.get(node.kind, 1)
    return _AvroCost(least, node.cost, PER_BYTE)


_LEAST: Final = {"null": 0, "float": 4, "double": 8}
_SIZED: Final = {"null": 0, "boolean": 1, "float": 4, "double": 8}


class _AvroBytes:
    """The bytes of a body, and how far the walk has come."""

    __slots__ = ("_at", "_content")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def number(self) -> int:
        """Read a zigzag number."""
        found = read_varint(self._content, self._at)
        if found is None:
            _refuse()
        number, self._at = found
        return signed(number)

    def skip(self, count: int) -> int:
        """Step over bytes, and return how many."""
        if not 0 <= count <= len(self._content) - self._at:
            _refuse()
        self._at += count
        return count

    def index(self, end: int) -> int:
        """Read an index below `end`."""
        found = self.number()
        if not 0 <= found < end:
            _refuse()
        return found

    def block(self) -> int:
        """Read the count of the next block of an array or map; 0 at its end."""
        count = self.number()
        if count < 0:
            self.number()  # the size of the block in bytes
        return abs(count)

    def scalar(self, node: _AvroType) -> int:
        """Step over a value without parts, and return what its bytes cost."""
        kind = node.kind
        if kind in ("int", "long"):
            self.number()
        elif kind == "enum":
            self.index(node.size)
        elif kind in ("fixed", "fixed_decimal"):
            _check_decimal(kind, self.skip(node.size))
        elif kind in ("string", "bytes", "decimal"):
            size = self.skip(self.number())
            _check_decimal(kind, size)
            return PER_BYTE * size
        else:
            self.skip(_SIZED[kind])
        return 0


def _walk(root: _AvroType, content: bytes) -> None:
    """Step over a body without building anything."""
    body = _AvroBytes(content)
    left = BUDGET
    # What is still to read, the next last: a type, its level, and how many values of it. No value
    # means that the next block of an array or map begins here.
    todo: list[tuple[_AvroType, int, int]] = [(root, 0, 1)]
    while todo:
        node, level, times = todo.pop()
        if not times:
            if count := body.block():
                todo += ((node, level, 0), (node.parts[0], level, count))
            continue
        if times > 1:
            todo.append((node, level, times - 1))
        kind = node.kind
        left -= node.cost
        if kind == "union":
            todo.append((node.parts[body.index(len(node.parts))], level, 1))
        elif kind in _CONTAINERS:
            level += kind != "entry"
            if level > DEEPEST:
                detail = f"expected at most {DEEPEST} levels of nesting, got more"
                raise RecordError(Reason.DECODE_DEPTH, detail)
            if kind in ("array", "map"):
                todo.append((node, level, 0))
            else:
                todo += ((part, level, 1) for part in reversed(node.parts))
        else:
            left -= body.scalar(node)
        if left < 0:
            refuse_too_large("an Avro")


_CONTAINERS: Final = frozenset({"record", "entry", "array", "map"})


def _check_decimal(kind: str, size: int) -> None:
    if size > LARGEST_DECIMAL_BYTES and kind.endswith("decimal"):
        detail = "expected a number within the range of a double, got one beyond it"
        raise RecordError(Reason.NUMBER_RANGE, detail)


def _refuse() -> NoReturn:
    detail = "expected a body of this Avro schema, got other bytes"
    raise RecordError(Reason.DECODE_SYNTAX, detail)
