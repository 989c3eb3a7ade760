"""Encoded rows to lines of CSV.

RFC 4180, every field of the schema in its order, null told apart from empty text.

A row comes as the mapping encoded it for streaming, so that both ways send the same values digit
for digit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from consumer.errors import Reason, RecordError
from consumer.mapping.settings import FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_UNQUOTED_TYPES: Final = frozenset({FieldType.NUMBER, FieldType.BOOLEAN})
"""Types whose JSON text is also their CSV text."""

_SPECIAL: Final = re.compile('[,"\r\n]')
_QUOTE: Final = '"'
_NOTHING: Final = msgspec.Raw(b"")
_JSON_WORDS: Final = {"null": None, "": msgspec.UNSET}
_LIMITS_CHECKED_FROM_CHARS: Final = 100_000
"""Below it no limit of a value or a record can be passed."""


class CsvForm(msgspec.Struct, frozen=True):
    """What one API takes CSV to mean. `None` in `reserved` and in the limits is none.

    `null`, `empty` and `absent` are written for null, for empty text and for a field that the row
    does not have. `reserved` is a text that the API would read as null.
    """

    null: str
    empty: str
    absent: str
    reserved: str | None = None
    longest_field_chars: int | None = None
    longest_record_chars: int | None = None


INGESTION: Final = CsvForm(null="", empty='""', absent="")
"""Bulk Ingestion API: an empty value is null. Quotes around nothing say that text was there, to who
reads them."""

CRM: Final = CsvForm(
    null="#N/A",
    empty="#N/A",
    absent="",
    reserved="#N/A",
    longest_field_chars=131_072,
    longest_record_chars=400_000,
)
"""CRM Bulk API 2.0: blank means unchanged, so null and the empty text (which a CRM field cannot
hold) are `#N/A`.

Source: Bulk API 2.0 developer guide, "Valid CSV Record Rows" and "Bulk API 2.0 Limits"."""


class CsvRows:
    """Writes the rows of one object."""

    def __init__(self, fields: Mapping[str, FieldType], form: CsvForm) -> None:
        self._form = form
        # Fields are numbered: a field of a schema may have a name that no attribute can have.
        members = [
            (f"f{at}", msgspec.Raw, msgspec.field(default=_NOTHING, name=name))
            if kind in _UNQUOTED_TYPES
            else (
                f"f{at}",
                str | msgspec.UnsetType | None,
                msgspec.field(default=msgspec.UNSET, name=name),
            )
            for at, (name, kind) in enumerate(fields.items())
        ]
        row: Any = msgspec.defstruct("Row", members, gc=False)
        self._names = [*fields]
        self._decode = msgspec.json.Decoder(row).decode
        self._raw_places = [at for at, kind in enumerate(fields.values()) if kind in _UNQUOTED_TYPES]
        self._commas = len(fields) - 1
        self._single_column = len(fields) == 1
        self._has_reserved = form.reserved is not None
        self.header = f"{','.join([_quoted(name) for name in fields])}\n".encode()

    def lines(self, encoded: Iterable[bytes]) -> list[bytes]:
        """Return a line per row, line end included.

        Raises: as `line`, for the first row that it must.
        """
        return [self.line(row) for row in encoded]

    def line(self, encoded: bytes) -> bytes:
        """Return the line of one row, line end included.

        Raises: FIELD_CHARS for what CSV or the API cannot say, FIELD_RANGE for a value over the
        API's limit, RECORD_SIZE for a row over it.
        """
        values: list[Any] = [*msgspec.structs.astuple(self._decode(encoded))]
        for at in self._raw_places:
            text = str(values[at], "ascii")
            values[at] = _JSON_WORDS.get(text, text)
        try:
            joined = ",".join(values)
            blank = ",," in joined or joined[-1:] == "," or joined[:1] == ","
        except (
            TypeError
        ):  # a null, or a field that is not there: rare enough not to be looked for beforehand
            null, absent = self._form.null, self._form.absent
            joined = ",".join(
                [
                    null if value is None else absent if value is msgspec.UNSET else value
                    for value in values
                ]
            )
            blank = "" in values
        if (
            blank
            or joined.count(",") != self._commas
            or len(joined) > _LIMITS_CHECKED_FROM_CHARS
            or '"' in joined
            or "\n" in joined
            or "\r" in joined
            or "\0" in joined
            or self._single_column
            or (self._has_reserved and self._form.reserved in values)
        ):
            joined = ",".join([self._quoted_value(at, value) for at, value in enumerate(values)])
            longest = self._form.longest_record_chars
            if longest is not None and len(joined) > longest:
                detail = f"at most {longest} characters in a CSV record wanted, {len(joined)} found"
                raise RecordError(Reason.RECORD_SIZE, detail)
        return f"{joined}\n".encode()

    def _quoted_value(self, at: int, value: str | msgspec.UnsetType | None) -> str:
        """Return one value as it stands in the line, judged and quoted where that is needed."""
        form = self._form
        if value is None or isinstance(value, msgspec.UnsetType):
            stand_in = form.null if value is None else form.absent
            # A line of nothing at all would be no record.
            return stand_in or ('""' if self._single_column else "")
        if not value:
            return form.empty
        if "\0" in value:
            raise RecordError(
                Reason.FIELD_CHARS, "text without NUL wanted, NUL found", field=self._names[at]
            )
        if value == form.reserved:
            detail = f"any text but {form.reserved} wanted: the API reads that as null"
            raise RecordError(Reason.FIELD_CHARS, detail, field=self._names[at])
        if form.longest_field_chars is not None and len(value) > form.longest_field_chars:
            detail = f"at most {form.longest_field_chars} characters wanted, {len(value)} found"
            raise RecordError(Reason.FIELD_RANGE, detail, field=self._names[at])
        return _quoted(value)


def csv_line(values: Sequence[str]) -> bytes:
    """Return the line of values as they are, line end included."""
    return f"{','.join([_quoted(value) for value in values])}\n".encode()


def delete_line(key: str, deleted_at: str | None) -> bytes:
    """Return the line of a delete.

    The key, then a date-time where the stream has a Record Modified.

    There is no header line before it. Source: Ingestion API, "Upload Job Data".
    """
    return f"{_quoted(key)}{'' if deleted_at is None else f',{deleted_at}'}\n".encode()


def _quoted(value: str) -> str:
    """Put quotes around a value where RFC 4180 wants them."""
    if _SPECIAL.search(value):
        return f'"{value.replace(_QUOTE, _QUOTE * 2)}"'
    return value
