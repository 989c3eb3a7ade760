"""Measures a Protobuf body before it is decoded, so that no body takes more than its budget.

A message that is empty takes two bytes of the body, and becomes an object with a member for each
field of its type: a few kilobytes can become gigabytes. The type tells how much one byte can cost
at most; a body whose length times that cost is within the budget is decoded right away. For any
other body this module walks over the bytes and adds up the costs.

Source: the encoding guide of Protocol Buffers.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor import FieldDescriptor

from consumer.decoding.memory_budget import BUDGET, CONTAINER, PER_BYTE, VALUE, refuse_too_large
from consumer.decoding.varints import read_varint
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from google.protobuf.descriptor import Descriptor

    FieldsOf = Callable[[Descriptor], Sequence[FieldDescriptor]]

_VARINT, _EIGHT, _SIZED, _GROUP, _GROUP_END, _FOUR = range(6)
_LEAST_MESSAGE: Final = 2
"""A tag and a length."""

_CONTINUED: Final = bytes(range(0x80, 0x100))
"""The bytes of a number that is not over."""

_FIXED_SIZES: Final = {
    FieldDescriptor.TYPE_DOUBLE: 8,
    FieldDescriptor.TYPE_FIXED64: 8,
    FieldDescriptor.TYPE_SFIXED64: 8,
    FieldDescriptor.TYPE_FLOAT: 4,
    FieldDescriptor.TYPE_FIXED32: 4,
    FieldDescriptor.TYPE_SFIXED32: 4,
}
_FIXED_STEPS: Final = {_EIGHT: 8, _FOUR: 4}
_TEXTS: Final = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES})
_DEEPEST: Final = 100
"""The decoder refuses a body that is nested deeper."""


class _MessageType:
    """A message type: what an object of it costs, and its fields by number."""

    __slots__ = ("cost", "fields")

    def __init__(self, cost: int) -> None:
        self.cost = cost
        self.fields: dict[int, _MessageType | int] = {}
        """The type of a message; 0 for text; for numbers the size of one, 1 if that varies."""


def compile_measure(
    descriptor: Descriptor, fields_of: FieldsOf = attrgetter("fields")
) -> Callable[[bytes], None]:
    """Compile the measure of a message type. It raises RECORD_SIZE and DECODE_SYNTAX.

    `fields_of` returns all fields of a message type, with those of its extensions.
    """
    known: dict[str, _MessageType] = {}
    root = _read(descriptor, fields_of, known)
    per_byte = max(VALUE, *(kind.cost / _LEAST_MESSAGE for kind in known.values()))
    longest = (BUDGET - root.cost) / per_byte

    def measure(body: bytes) -> None:
        if len(body) > longest:
            _Walk(root, body).run()

    return measure


def _read(
    descriptor: Descriptor, fields_of: FieldsOf, known: dict[str, _MessageType]
) -> _MessageType:
    found = known.get(descriptor.full_name)
    if found is not None:
        return found
    # Every field is a member of the object, set or not.
    fields = fields_of(descriptor)
    names = (field.full_name if field.is_extension else field.name for field in fields)
    cost = CONTAINER + sum(VALUE + len(name) for name in names)
    found = known[descriptor.full_name] = _MessageType(cost)
    for field in fields:
        if field.message_type is not None:
            found.fields[field.number] = _read(field.message_type, fields_of, known)
        else:
            size = 0 if field.type in _TEXTS else _FIXED_SIZES.get(field.type, 1)
            found.fields[field.number] = size
    return found


class _OpenMessage:
    """A message that the walk is inside of; `group` is the field number if it ends with a tag."""

    __slots__ = ("end", "group", "kind")

    def __init__(self, kind: _MessageType, end: int, group: int | None = None) -> None:
        self.kind = kind
        self.end = end
        self.group = group


_NO_MESSAGE: Final = _MessageType(CONTAINER)
"""A group that the type does not have."""


class _Walk:
    """Steps over a body without building anything."""

    def __init__(self, root: _MessageType, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._cost = root.cost
        self._open = [_OpenMessage(root, len(content))]

    def run(self) -> None:
        """Step to the end. Raises: RECORD_SIZE, DECODE_DEPTH, DECODE_SYNTAX."""
        while self._open:
            inside = self._open[-1]
            if self._at < inside.end:
                self._field(inside)
            elif self._at > inside.end or inside.group is not None:
                _refuse()
            else:
                self._open.pop()
            if self._cost > BUDGET:
                refuse_too_large("a Protobuf")
            if len(self._open) > _DEEPEST:
                detail = f"expected at most {_DEEPEST} levels of nesting, got more"
                raise RecordError(Reason.DECODE_DEPTH, detail)

    def _field(self, inside: _OpenMessage) -> None:
        tag = self._number()
        number, wire_type = tag >> 3, tag & 7
        known = inside.kind.fields.get(number)
        self._cost += VALUE
        if wire_type == _VARINT:
            self._number()
        elif wire_type in _FIXED_STEPS:
            self._at += _FIXED_STEPS[wire_type]
        elif wire_type == _SIZED:
            self._sized(inside, known)
        elif wire_type == _GROUP:
            kind = known if isinstance(known, _MessageType) else _NO_MESSAGE
            self._enter(_OpenMessage(kind, inside.end, number))
        elif wire_type == _GROUP_END and inside.group == number:
            self._open.pop()
        else:
            _refuse()

    def _sized(self, inside: _OpenMessage, known: _MessageType | int | None) -> None:
        size = self._number()
        end = self._at + size
        if end > inside.end:
            _refuse()
        if isinstance(known, _MessageType):
            self._enter(_OpenMessage(known, end))
        else:
            self._cost += _cost_of_bytes(self._content[self._at : end], known)
            self._at = end

    def _enter(self, message: _OpenMessage) -> None:
        self._cost += message.kind.cost
        self._open.append(message)

    def _number(self) -> int:
        found = read_varint(self._content, self._at)
        if found is None:
            _refuse()
        number, self._at = found
        return number


def _cost_of_bytes(content: bytes, size: int | None) -> int:
    """Return the cost of text, of a field that the type does not have, or of packed numbers."""
    if not size:
        return PER_BYTE * len(content)
    count = len(content) // size if size > 1 else len(content.translate(None, _CONTINUED))
    return count * VALUE // 2


def _refuse() -> NoReturn:
    detail = "expected a body of this Protobuf message, got other bytes"
    raise RecordError(Reason.DECODE_SYNTAX, detail)
