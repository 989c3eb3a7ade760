"""Opens the Kafka key on first use: a JSON object, a single JSON value, or raw text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from consumer.decoding.columns import NO_COLUMNS, Columns, SingleColumn
from consumer.decoding.connect_schema import columns_of_key
from consumer.decoding.document import JsonObject, open_member, open_object
from consumer.decoding.framings import framing_by_bytes
from consumer.decoding.opened import Digits, open_json
from consumer.decoding.wrapping import EmbeddedSchemaCache, is_wrapped
from consumer.errors import Reason, RecordError

if TYPE_CHECKING:
    from consumer.decoding.framings import Framing
    from consumer.decoding.opened import Opened, Row

NAME = "$key"
JAVA_TEXT = (
    "got the text of a Java struct or map; set the connector's `key.converter` to"
    " org.apache.kafka.connect.json.JsonConverter, or extract the column with ExtractField$Key"
)
"""What to do about a key that a StringConverter made of a struct with columns."""

_JAVA_TEXT = re.compile(r"\s*(?:Struct)?\{(?:[^\s={}\"':,]+=.*)?\}\s*", re.DOTALL).fullmatch
"""Source: `toString` of Connect's Struct, `Struct{id=10}`, and of Java's maps, `{id=10}`."""

_PAIR = ("schema", "payload")
_BINARY = frozenset({b"\0", b"\1", b"\3"})
_JAVA_NUMBERS = {2: "ShortSerializer", 4: "IntegerSerializer", 8: "LongSerializer"}
_VALUE = msgspec.json.Decoder(msgspec.Raw)
_SCHEMAS = EmbeddedSchemaCache(columns_of_key)


class KafkaKey:
    """The key of one record: `fields` of a JSON object, or the `scalar` of any other key.

    The other of the two is `None`. `is_bare` says that the key is one value without JSON's quotes,
    so it may be the body of any serializer. `is_java_text` says that the key is the text that Java
    makes of a struct or a map: it names no column.
    """

    __slots__ = ("columns", "content", "fields", "is_bare", "is_java_text", "scalar")

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.columns: Columns = NO_COLUMNS
        self.fields: JsonObject | None = None
        self.scalar: Opened = None
        self.is_bare = False
        self.is_java_text = False
        if content is None:
            return
        if content[:1] in _BINARY:
            _refuse_binary(content)
        if content.lstrip(b" \t\r\n").startswith(b"{"):
            self._open_object(content)
        else:
            self.scalar = _open_scalar(content)
            self.is_bare = not (content.startswith(b'"') and content.endswith(b'"'))
        if type(self.scalar) is str:
            self.is_java_text = _JAVA_TEXT(self.scalar) is not None

    @property
    def row(self) -> Row | None:
        """The columns of the row that the key has; `None` for a key that is one value."""
        return self.fields

    def _open_object(self, content: bytes) -> None:
        """Open a JSON object, bare or in Connect's wrapping."""
        try:
            document = open_object(content)
        except RecordError as error:
            text = content.decode(errors="replace")
            if error.reason is Reason.DECODE_SYNTAX and _JAVA_TEXT(text) is not None:
                self.scalar = text
                return
            raise RecordError(error.reason, error.detail, field=NAME) from None
        if not _is_wrapped(document):
            self.fields = document
            return
        self.columns = _SCHEMAS.columns(bytes(document.get("schema", b"null")))
        # A decimal may be an object with `scale` and `value`: it is one value, not two columns.
        if not isinstance(self.columns, SingleColumn):
            self.fields = open_member(document["payload"])
        if self.fields is None:
            self.scalar = open_json(document["payload"])


def refuse_framing(framing: Framing | None) -> None:
    """Refuse a key in a framing, where JSON or text is read. Raises: DECODE_FRAMED."""
    if framing is not None:
        advice = framing.advice_for("json")
        detail = f"expected JSON or text as Kafka key, got {framing.name}; {advice}"
        raise RecordError(Reason.DECODE_FRAMED, detail, field=NAME)


def _refuse_binary(content: bytes) -> None:
    """Refuse a key in a frame, and a number as Java's serializers write it: neither is text.

    Raises: DECODE_FRAMED, DECODE_ENCODING.
    """
    refuse_framing(framing_by_bytes(content))
    serializer = _JAVA_NUMBERS.get(len(content))
    if serializer is not None and content[0] == 0:
        detail = (
            f"expected JSON or text as Kafka key, got {len(content)} bytes of a binary number"
            f" (Java's {serializer}); let the producer write the key as text or JSON"
        )
        raise RecordError(Reason.DECODE_ENCODING, detail, field=NAME)


def _is_wrapped(document: JsonObject) -> bool:
    """Whether a key is Connect's pair around a struct or a single value, or only its payload."""
    if "schema" not in document or "payload" not in document:
        return is_wrapped(document)
    schema = open_member(document["schema"])
    if schema is None:
        return bytes(document["schema"]) == b"null" and len(document) == len(_PAIR)
    return "type" in schema


def key_text(content: bytes) -> str:
    """Return the key as text. Raises: DECODE_ENCODING when it is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        detail = f"expected UTF-8 in the Kafka key, got an invalid byte at position {error.start}"
        raise RecordError(Reason.DECODE_ENCODING, detail, field=NAME) from None


def _open_scalar(content: bytes) -> Opened:
    """Open a key that is one value: JSON, else plain text as a string serializer writes it."""
    text = key_text(content)
    try:
        raw = _VALUE.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return text
    opened = open_json(raw)
    # 12e5 is the JSON number 1200000, but it may also be a hexadecimal id. So only plain digits
    # are a number here.
    return text if isinstance(opened, Digits) and "e" in opened.lower() else opened
