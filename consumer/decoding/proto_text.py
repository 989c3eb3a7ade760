"""Parses the text of `.proto` files into descriptors, as far as decoding bodies needs them.

A registry returns the text of `.proto` files, but the Protobuf library accepts only descriptors.
Packages, imports, messages, fields, maps, oneofs and enums are parsed. Options, services and
extensions do not change how a body is decoded, and are skipped. The library resolves the names of
types, because it knows all files.

Source: the language specifications of proto2, proto3 and edition 2023.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    Edition,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from typing import NoReturn

    from google.protobuf.descriptor_pb2 import EnumDescriptorProto

DEEPEST: Final = 64

_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | //[^\n]* | /\*.*?\*/ )
  | (?P<name> [A-Za-z_.][\w.]* )
  | (?P<number> [-+]?[\d.][\w.+-]* )
  | (?P<text> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
  | (?P<sign> [{}()\[\]<>=;,:/+-] )
    """,
    re.VERBOSE | re.DOTALL,
)
_SCALARS: Final = {
    name.lower().removeprefix("type_"): number for name, number in FieldDescriptorProto.Type.items()
}
_LABELS: Final = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_SKIPPED: Final = frozenset({"option", "extensions", "reserved", "extend", "service"})
_PAIRS: Final = {"{": "}", "[": "]", "(": ")", "<": ">"}


def read_proto_text(text: str, name: str) -> FileDescriptorProto:
    """Parse one file, which others import as `name`. Raises: DECODE_SCHEMA."""
    return _ProtoTextReader(_tokens(text), name).file()


def _refuse(fault: str) -> NoReturn:
    raise RecordError(Reason.DECODE_SCHEMA, f"not a Protobuf file that can be read: {fault}")


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            _refuse("expected Protobuf's language, got a character that it does not have")
        if found.lastgroup != "space":
            tokens.append(found[0])
        at = found.end()
    return tokens


class _ProtoTextReader:
    """Parses the tokens in one pass."""

    def __init__(self, tokens: list[str], name: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._file = FileDescriptorProto(name=name, syntax="proto2")

    def file(self) -> FileDescriptorProto:
        """Parse the whole file."""
        file = self._file
        while self._at < len(self._tokens):
            word = self._next()
            if word == "message":
                self._message(file.message_type.add(), 0)
            elif word == "enum":
                self._enum(file.enum_type.add())
            elif word in _SKIPPED:
                self._skip()
            elif word != ";":
                self._line(word)
                self._expect(";")
        return file

    def _line(self, word: str) -> None:
        """Parse a declaration that ends with a semicolon."""
        file = self._file
        if word in ("syntax", "edition"):
            self._expect("=")
            self._syntax(word, self._text())
        elif word == "package":
            file.package = self._next()
        elif word == "import":
            if self._peek() in ("public", "weak") and self._next() == "public":
                file.public_dependency.append(len(file.dependency))
            file.dependency.append(self._text())
        else:
            _refuse("expected a declaration, got something else")

    def _syntax(self, word: str, text: str) -> None:
        if word == "edition":
            self._file.syntax = "editions"
            try:
                self._file.edition = Edition.Value(f"EDITION_{text}")
            except ValueError:
                _refuse("expected an edition that the installed Protobuf library has, got another")
        elif text in ("proto2", "proto3"):
            self._file.syntax = text
        else:
            _refuse("expected syntax proto2 or proto3, got another")

    def _message(self, message: DescriptorProto, depth: int) -> None:
        if depth > DEEPEST:
            _refuse(f"expected at most {DEEPEST} levels of nested messages, got more")
        message.name = self._next()
        self._expect("{")
        while (word := self._next()) != "}":
            if word == "message":
                self._message(message.nested_type.add(), depth + 1)
            elif word == "enum":
                self._enum(message.enum_type.add())
            elif word == "oneof":
                self._oneof(message)
            elif word in _SKIPPED:
                self._skip()
            elif word != ";":
                self._field(message, word)
        # Last: synthetic oneofs must follow all other oneofs of the message.
        self._add_presence(message)

    def _oneof(self, message: DescriptorProto) -> None:
        index = len(message.oneof_decl)
        message.oneof_decl.add().name = self._next()
        self._expect("{")
        while (word := self._next()) != "}":
            if word == "option":
                self._skip()
            elif word != ";":
                self._field(message, word).oneof_index = index

    def _field(self, message: DescriptorProto, word: str) -> FieldDescriptorProto:
        """Parse a field, whose first word was already read."""
        label = _LABELS.get(word)
        kind = word if label is None else self._next()
        if kind == "group":
            _refuse("groups are not supported")
        if kind == "map" and self._peek() == "<":
            return self._map(message)
        field = message.field.add(label=label or FieldDescriptorProto.LABEL_OPTIONAL)
        self._rest_of_field(field, kind)
        if word == "optional" and self._file.syntax == "proto3":
            field.proto3_optional = True
        return field

    def _map(self, message: DescriptorProto) -> FieldDescriptorProto:
        """Parse a map: for the library, a repeated message with key and value."""
        self._expect("<")
        key = self._next()
        self._expect(",")
        value = self._next()
        self._expect(">")
        field = message.field.add(label=FieldDescriptorProto.LABEL_REPEATED)
        entry = message.nested_type.add()
        entry.options.map_entry = True
        for number, (name, kind) in enumerate((("key", key), ("value", value)), 1):
            part = entry.field.add(
                name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL
            )
            _set_type(part, kind)
        self._rest_of_field(field, "")
        entry.name = (
            "".join(word[:1].upper() + word[1:] for word in field.name.split("_")) + "Entry"
        )
        field.type_name = entry.name
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        return field

    def _rest_of_field(self, field: FieldDescriptorProto, kind: str) -> None:
        """Parse name and number, and skip the options."""
        if kind:
            _set_type(field, kind)
        field.name = self._next()
        self._expect("=")
        field.number = self._number()
        if self._peek() == "[":
            self._next()
            self._close("[")
        self._expect(";")

    def _add_presence(self, message: DescriptorProto) -> None:
        """Add the synthetic oneof by which the library marks an `optional` field of proto3."""
        for field in message.field:
            if field.proto3_optional:
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add().name = f"_{field.name}"

    def _enum(self, enum: EnumDescriptorProto) -> None:
        enum.name = self._next()
        self._expect("{")
        while (word := self._next()) != "}":
            # `option` may also be the name of a value.
            if word == "reserved" or (word == "option" and self._peek() != "="):
                if word == "option" and self._tokens[self._at : self._at + 3] == [
                    "allow_alias",
                    "=",
                    "true",
                ]:
                    enum.options.allow_alias = True
                self._skip()
            elif word != ";":
                self._expect("=")
                enum.value.add(name=word, number=self._number())
                if self._peek() == "[":
                    self._next()
                    self._close("[")
                self._expect(";")

    def _skip(self) -> None:
        """Skip a statement, to its semicolon or its closing brace."""
        while (word := self._next()) != ";":
            if word in _PAIRS:
                self._close(word)
                if word == "{":
                    return

    def _close(self, opening: str) -> None:
        """Skip to the sign that closes `opening`, through nested pairs."""
        open_signs = [_PAIRS[opening]]
        while open_signs:
            word = self._next()
            if word == open_signs[-1]:
                open_signs.pop()
            elif word in _PAIRS:
                open_signs.append(_PAIRS[word])

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            _refuse("expected more, got the end of the file")
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            _refuse(f"expected `{sign}`, got something else")

    def _text(self) -> str:
        """Parse a string literal; adjacent literals are one string."""
        text = ""
        while self._peek()[:1] in ('"', "'"):
            text += self._next()[1:-1]
        if not text:
            _refuse("expected a string, got something else")
        return text

    def _number(self) -> int:
        word = self._next()
        if word in ("-", "+"):
            word += self._next()
        try:
            sign, digits = (-1, word[1:]) if word.startswith("-") else (1, word.removeprefix("+"))
            octal = digits.startswith("0") and digits.isdecimal()
            return sign * int(digits, 8 if octal else 0)
        except ValueError:
            _refuse("expected a number, got something else")


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    """Set the type of a field: a scalar type, or the name of a type, which the library resolves."""
    scalar = _SCALARS.get(kind)
    if scalar is None or kind in ("message", "enum", "group"):
        field.type_name = kind
    else:
        field.type = scalar
