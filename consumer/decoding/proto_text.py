"""Parses the text of `.proto` files into descriptors, as far as decoding bodies needs them.

A registry returns the text of `.proto` files, but the Protobuf library accepts only descriptors.
Packages, imports, messages, fields, groups, maps, oneofs, enums, extensions and features are
parsed. Services and all other options do not change how a body is decoded, and are skipped. The
library resolves the names of types, because it knows all files.

Source: the language specifications of proto2, proto3, edition 2023 and edition 2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from consumer.decoding.proto_options import OptionReader, set_edition
from consumer.decoding.proto_tokens import ProtoTokens, refuse

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto

DEEPEST: Final = 64

_SCALARS: Final = {
    name.lower().removeprefix("type_"): number for name, number in FieldDescriptorProto.Type.items()
}
_LABELS: Final = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_SKIPPED: Final = frozenset({"reserved", "service"})
_VISIBILITY: Final = ("export", "local")
_DECLARED: Final = ("message", "enum")
_AFTER_LARGEST: Final = 2**29
"""Number after the largest field number, which `max` means."""


def read_proto_text(text: str, name: str) -> FileDescriptorProto:
    """Parse one file, which others import as `name`. Raises: DECODE_SCHEMA."""
    return _ProtoTextReader(ProtoTokens(text), name).file()


class _Scope:
    """A file or a message: what both of them declare goes here."""

    def __init__(self, element: FileDescriptorProto | DescriptorProto) -> None:
        self.nested = (
            element.message_type
            if isinstance(element, FileDescriptorProto)
            else element.nested_type
        )
        self.enums = element.enum_type
        self.extensions = element.extension
        self.options = element.options


class _ProtoTextReader:
    """Parses the tokens in one pass."""

    def __init__(self, tokens: ProtoTokens, name: str) -> None:
        self._tokens = tokens
        self._file = FileDescriptorProto(name=name, syntax="proto2")
        self._options = OptionReader(tokens, self._file)

    def file(self) -> FileDescriptorProto:
        """Parse the whole file."""
        tokens, scope = self._tokens, _Scope(self._file)
        while tokens.has_more:
            word = tokens.next()
            if not self._declaration(word, scope, 0):
                self._line(word)
                tokens.expect(";")
        return self._file

    def _declaration(self, word: str, scope: _Scope, depth: int) -> bool:
        """Parse what files and messages both declare; return whether the word begins such."""
        tokens = self._tokens
        if word in _VISIBILITY and tokens.peek() in _DECLARED:
            word = tokens.next()
        if word == "message":
            message = scope.nested.add(name=tokens.next())
            self._body(message, depth)
        elif word == "enum":
            self._enum(scope.enums.add())
        elif word == "option":
            self._options.statement(scope.options)
        elif word == "extend":
            self._extend(scope, depth)
        elif word in _SKIPPED:
            tokens.skip()
        else:
            return word == ";"
        return True

    def _line(self, word: str) -> None:
        """Parse a declaration that ends with a semicolon."""
        file, tokens = self._file, self._tokens
        if word in ("syntax", "edition"):
            tokens.expect("=")
            self._syntax(word, tokens.text())
        elif word == "package":
            file.package = tokens.next()
        elif word == "import":
            if tokens.take("option"):  # a file with nothing but options, which are skipped
                tokens.text()
                return
            if tokens.peek() in ("public", "weak") and tokens.next() == "public":
                file.public_dependency.append(len(file.dependency))
            file.dependency.append(tokens.text())
        else:
            refuse("expected a declaration, got something else")

    def _syntax(self, word: str, text: str) -> None:
        if word == "edition":
            set_edition(self._file, text)
        elif text in ("proto2", "proto3"):
            self._file.syntax = text
        else:
            refuse("expected syntax proto2 or proto3, got another")

    def _body(self, message: DescriptorProto, depth: int) -> None:
        """Parse what is between the braces of a message or a group."""
        tokens, scope = self._tokens, _Scope(message)
        if depth > DEEPEST:
            refuse(f"expected at most {DEEPEST} levels of nested messages, got more")
        tokens.expect("{")
        while not tokens.take("}"):
            word = tokens.next()
            if word == "oneof":
                self._oneof(message, scope, depth)
            elif word == "extensions":
                self._extensions(message)
            elif not self._declaration(word, scope, depth + 1):
                self._field(message.field.add(), scope, word, depth)
        # Last: synthetic oneofs must follow all other oneofs of the message.
        self._add_presence(message)

    def _oneof(self, message: DescriptorProto, scope: _Scope, depth: int) -> None:
        tokens = self._tokens
        index = len(message.oneof_decl)
        oneof = message.oneof_decl.add(name=tokens.next())
        tokens.expect("{")
        while not tokens.take("}"):
            word = tokens.next()
            if word == "option":
                self._options.statement(oneof.options)
            elif word != ";":
                self._field(message.field.add(oneof_index=index), scope, word, depth)

    def _extend(self, scope: _Scope, depth: int) -> None:
        """Parse fields that extend another message.

        Options are never part of a body, and proto3 extends nothing else.
        """
        tokens = self._tokens
        extendee = tokens.next()
        name = extendee.removeprefix(".")
        is_option = name.startswith("google.protobuf.") and name.endswith("Options")
        if is_option or self._file.syntax == "proto3":
            tokens.skip()
            return
        tokens.expect("{")
        while not tokens.take("}"):
            word = tokens.next()
            if word != ";":
                self._field(scope.extensions.add(extendee=extendee), scope, word, depth)

    def _extensions(self, message: DescriptorProto) -> None:
        """Parse the ranges of numbers that extensions may have."""
        tokens = self._tokens
        if self._file.syntax == "proto3":
            tokens.skip()
            return
        while True:
            start = tokens.number()
            end = start + 1
            if tokens.take("to"):
                end = _AFTER_LARGEST if tokens.take("max") else tokens.number() + 1
            found = message.extension_range.add(start=start, end=end)
            if not tokens.take(","):
                break
        self._options.bracketed(found.options)
        tokens.expect(";")

    def _field(self, field: FieldDescriptorProto, scope: _Scope, word: str, depth: int) -> None:
        """Parse a field, whose first word was already read."""
        tokens = self._tokens
        label = _LABELS.get(word)
        kind = word if label is None else tokens.next()
        field.label = label or FieldDescriptorProto.LABEL_OPTIONAL
        if kind == "group":
            self._group(field, scope, depth)
        elif kind == "map" and tokens.peek() == "<":
            self._map(field, scope)
        else:
            _set_type(field, kind)
            self._rest_of_field(field)
            tokens.expect(";")
            if word == "optional" and self._file.syntax == "proto3":
                field.proto3_optional = True

    def _group(self, field: FieldDescriptorProto, scope: _Scope, depth: int) -> None:
        """Parse a group of proto2: a delimited field, and its message type beside it."""
        if self._file.syntax != "proto2":
            refuse(f"groups are only allowed in proto2, got one in {self._file.syntax}")
        self._rest_of_field(field)
        message = scope.nested.add(name=field.name)
        field.type_name = field.name
        field.name = field.name.lower()
        field.type = FieldDescriptorProto.TYPE_GROUP
        self._body(message, depth + 1)

    def _map(self, field: FieldDescriptorProto, scope: _Scope) -> None:
        """Parse a map: for the library, a repeated message with key and value."""
        tokens = self._tokens
        tokens.expect("<")
        key = tokens.next()
        tokens.expect(",")
        value = tokens.next()
        tokens.expect(">")
        entry = scope.nested.add()
        entry.options.map_entry = True
        for number, (name, kind) in enumerate((("key", key), ("value", value)), 1):
            part = entry.field.add(
                name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL
            )
            _set_type(part, kind)
        self._rest_of_field(field)
        tokens.expect(";")
        entry.name = (
            "".join(word[:1].upper() + word[1:] for word in field.name.split("_")) + "Entry"
        )
        # The features of a map hold for its texts and its enums too.
        if field.options.HasField("features"):
            for part in entry.field:
                part.options.features.CopyFrom(field.options.features)
        field.label = FieldDescriptorProto.LABEL_REPEATED
        field.type_name = entry.name
        field.type = FieldDescriptorProto.TYPE_MESSAGE

    def _rest_of_field(self, field: FieldDescriptorProto) -> None:
        """Parse name, number and options."""
        tokens = self._tokens
        field.name = tokens.next()
        tokens.expect("=")
        field.number = tokens.number()
        self._options.bracketed(field.options)

    def _add_presence(self, message: DescriptorProto) -> None:
        """Add the synthetic oneof by which the library marks an `optional` field of proto3."""
        for field in message.field:
            if field.proto3_optional:
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add().name = f"_{field.name}"

    def _enum(self, enum: EnumDescriptorProto) -> None:
        tokens = self._tokens
        enum.name = tokens.next()
        tokens.expect("{")
        while not tokens.take("}"):
            word = tokens.next()
            # `option` may also be the name of a value.
            if word == "option" and tokens.peek() != "=":
                self._options.statement(enum.options)
            elif word == "reserved":
                tokens.skip()
            elif word != ";":
                tokens.expect("=")
                value = enum.value.add(name=word, number=tokens.number())
                self._options.bracketed(value.options)
                tokens.expect(";")


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    """Set the type of a field: a scalar type, or the name of a type, which the library resolves."""
    scalar = _SCALARS.get(kind)
    if scalar is None or kind in ("message", "enum", "group"):
        field.type_name = kind
    else:
        field.type = scalar
