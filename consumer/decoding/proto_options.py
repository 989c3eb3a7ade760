"""Reads the options of `.proto` files that change how a body is decoded; skips all others.

Since edition 2023 the meaning of a body depends on features: whether a field has presence, whether
a message is delimited, whether an enum is closed, whether text is UTF-8. They are set on a file, a
message, a field, a oneof or an enum, and hold for everything inside. The library applies them, so
they are only read here. A feature that is not known could change the meaning of a body: its file
is refused.

Source: the reference of feature settings for editions in Protobuf's documentation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import Edition, FeatureSet

from consumer.decoding.proto_tokens import refuse

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import (
        EnumOptions,
        EnumValueOptions,
        ExtensionRangeOptions,
        FieldOptions,
        FileDescriptorProto,
        FileOptions,
        MessageOptions,
        OneofOptions,
    )

    from consumer.decoding.proto_tokens import ProtoTokens

    ProtoOptions = (
        FileOptions
        | MessageOptions
        | FieldOptions
        | OneofOptions
        | EnumOptions
        | EnumValueOptions
        | ExtensionRangeOptions
    )

_EDITIONS: Final = ("2023", "2024")
_SHOWN_EDITION: Final = re.compile(r"\w{1,20}", re.ASCII)
_FEATURES: Final = "features"
_KEPT: Final = frozenset({"allow_alias", "message_set_wire_format", "packed"})
"""Options of yes or no that the library needs."""

_HONOURED: Final = frozenset(
    {
        "field_presence",
        "enum_type",
        "repeated_field_encoding",
        "utf8_validation",
        "message_encoding",
        "json_format",
    }
)
_WITHOUT_EFFECT: Final = frozenset({"enforce_naming_style", "default_symbol_visibility"})
"""Features of edition 2024 that protoc checks; a body has the same meaning with and without."""


def set_edition(file: FileDescriptorProto, edition: str) -> None:
    """Set the edition of a file. Raises: DECODE_SCHEMA for one that this program does not know."""
    name = f"EDITION_{edition}"
    if edition not in _EDITIONS:
        got = edition if _SHOWN_EDITION.fullmatch(edition) else "another"
        refuse(f"expected edition {' or '.join(_EDITIONS)}, got {got}")
    if name not in Edition.keys():  # noqa: SIM118 - an enum type is not a mapping
        refuse(f"edition {edition} needs a newer Protobuf library; upgrade protobuf")
    file.syntax = "editions"
    file.edition = Edition.Value(name)


def check_edition(file: FileDescriptorProto) -> None:
    """Check the edition of a file that is a descriptor already. Raises: DECODE_SCHEMA."""
    if file.syntax == "editions":
        known = {number: name for name, number in Edition.items()}
        set_edition(file, known.get(file.edition, str(file.edition)).removeprefix("EDITION_"))


class OptionReader:
    """Reads the options of one file into its descriptors."""

    def __init__(self, tokens: ProtoTokens, file: FileDescriptorProto) -> None:
        self._tokens = tokens
        self._file = file

    def statement(self, options: ProtoOptions) -> None:
        """Read one option of a statement, after the word `option`."""
        self._option(options)
        self._tokens.expect(";")

    def bracketed(self, options: ProtoOptions) -> None:
        """Read the options in brackets behind a field or a value, if there are any."""
        tokens = self._tokens
        if not tokens.take("["):
            return
        while not tokens.take("]"):
            self._option(options)
            if tokens.peek() != "]":
                tokens.expect(",")

    def _option(self, options: ProtoOptions) -> None:
        tokens = self._tokens
        name = self._name()
        tokens.expect("=")
        first, _, rest = name.partition(".")
        if first == _FEATURES:
            self._require_edition()
            self._feature(options.features, rest) if rest else self._features(options.features)
        elif name in _KEPT and name in options.DESCRIPTOR.fields_by_name:
            setattr(options, name, tokens.next() == "true")
        else:
            tokens.skip_value()

    def _name(self) -> str:
        """Read the name of an option; the part of an extension stays in parentheses."""
        tokens = self._tokens
        name = ""
        while tokens.peek() not in ("=", ""):
            name += tokens.next()
        return name

    def _features(self, features: FeatureSet) -> None:
        """Read features that are written together: `{field_presence: IMPLICIT}`."""
        tokens = self._tokens
        tokens.expect("{")
        while not tokens.take("}"):
            name = tokens.next()
            if name == "[":  # of one programming language
                while not tokens.take("]"):
                    tokens.next()
                tokens.take(":")
                tokens.skip_value()
            else:
                tokens.expect(":")
                self._feature(features, name)
            if tokens.peek() in (",", ";"):
                tokens.next()

    def _feature(self, features: FeatureSet, name: str) -> None:
        """Read one feature. Those of programming languages do not change a body."""
        if name.startswith("(") or name in _WITHOUT_EFFECT:
            self._tokens.skip_value()
            return
        if name not in _HONOURED:
            refuse(
                "expected a feature of edition 2023 or 2024, got"
                f" {f'features.{name}' if _SHOWN_EDITION.fullmatch(name) else 'another'}"
            )
        kind = FeatureSet.DESCRIPTOR.fields_by_name[name].enum_type
        choices = {one.name: one.number for one in (kind.values if kind else ()) if one.number}
        value = self._tokens.next()
        if value not in choices:
            refuse(f"expected {' or '.join(choices)} for features.{name}, got another value")
        setattr(features, name, choices[value])

    def _require_edition(self) -> None:
        if self._file.syntax != "editions":
            refuse(f"features need an edition, got syntax {self._file.syntax}")
