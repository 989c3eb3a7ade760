"""Writes encoded rows as CSV lines (RFC 4180) in the field order of the schema.

The input is the JSON row that the mapping encodes for streaming, so that both destinations send the
same values digit for digit. Null and empty text stay distinct.
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
"""A shorter line cannot exceed any limit of a value or a record."""


class CsvForm(msgspec.Struct, frozen=True):
    """How one API reads CSV.

    `null`, `empty` and `absent` are written for null, for empty text, and for a field that the row
    does not have. `reserved` is a text that the API would read as null. A limit of `None` means
    none.
    """

    null: str
    empty: str
    absent: str
    reserved: str | None = None
    longest_field_chars: int | None = None
    longest_record_chars: int | None = None


INGESTION: Final = CsvForm(null="", empty='""', absent="")
"""Bulk Ingestion API: an empty value is null. `""` marks an empty text for readers that tell them
apart."""

CRM: Final = CsvForm(
    null="#N/A",
    empty="#N/A",
    absent="",
    reserved="#N/A",
    longest_field_chars=131_072,
    longest_record_chars=400_000,
)
"""CRM Bulk API 2.0: blank leaves a field unchanged, so null and the empty text (which a CRM field
cannot hold) are `#N/A`. Source: Bulk API 2.0 developer guide, "Valid CSV Record Rows" and "Bulk API
2.0 Limits"."""


class CsvRows:
    """Writes the rows of one object."""

    def __init__(self, fields: Mapping[str, FieldType], form: CsvForm) -> None:
        self._form = form
        # Numbered attributes: a schema field may have a name that is not a valid attribute name.
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
        self._raw_places = [
            at for at, kind in enumerate(fields.values()) if kind in _UNQUOTED_TYPES
        ]
        self._commas = len(fields) - 1
        self._single_column = len(fields) == 1
        self._has_reserved = form.reserved is not None
        self.header = f"{','.join([_quoted(name) for name in fields])}\n".encode()

    def lines(self, encoded: Iterable[bytes]) -> list[bytes]:
        """Return a line per row, line end included.

        Raises: as `line`, for the first row that fails.
        """
        return [self.line(row) for row in encoded]

    def line(self, encoded: bytes) -> bytes:
        """Return the line of one row, line end included.

        Raises: FIELD_CHARS for a text that CSV or the API cannot carry, FIELD_RANGE for a value
        over the API's limit, RECORD_SIZE for a row over it.
        """
        values: list[Any] = [*msgspec.structs.astuple(self._decode(encoded))]
        # Numbers and booleans stay raw JSON text: no parsing, and no change of a digit.
        for at in self._raw_places:
            text = str(values[at], "ascii")
            # `null` and an absent member are the only raw texts that are not a value.
            values[at] = _JSON_WORDS.get(text, text)
        try:
            joined = ",".join(values)
            blank = ",," in joined or joined[-1:] == "," or joined[:1] == ","
        except TypeError:  # a null or an absent field: joining fails, which is cheaper than a check
            null, absent = self._form.null, self._form.absent
            joined = ",".join(
                [
                    null if value is None else absent if value is msgspec.UNSET else value
                    for value in values
                ]
            )
            blank = "" in values
        # Slow path: a special character, an empty value, or a line near a limit. Only then is each
        # value checked and quoted.
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
                detail = (
                    f"expected at most {longest} characters in the CSV record, got {len(joined)}"
                )
                raise RecordError(Reason.RECORD_SIZE, detail)
        return f"{joined}\n".encode()

    def _quoted_value(self, at: int, value: str | msgspec.UnsetType | None) -> str:
        """Return one value as it stands in the line: checked, and quoted where needed."""
        form = self._form
        if value is None or isinstance(value, msgspec.UnsetType):
            placeholder = form.null if value is None else form.absent
            # An empty line is not a CSV record.
            return placeholder or ('""' if self._single_column else "")
        if not value:
            return form.empty
        if "\0" in value:
            raise RecordError(
                Reason.FIELD_CHARS,
                ("expected text without NUL characters, got NUL"),
                field=self._names[at],
            )
        if value == form.reserved:
            detail = f"expected any text but {form.reserved}, which the API reads as null"
            raise RecordError(Reason.FIELD_CHARS, detail, field=self._names[at])
        if form.longest_field_chars is not None and len(value) > form.longest_field_chars:
            detail = f"expected at most {form.longest_field_chars} characters, got {len(value)}"
            raise RecordError(Reason.FIELD_RANGE, detail, field=self._names[at])
        return _quoted(value)


def csv_line(values: Sequence[str]) -> bytes:
    """Return the values as one CSV line, line end included."""
    return f"{','.join([_quoted(value) for value in values])}\n".encode()


def delete_line(key: str, deleted_at: str | None) -> bytes:
    """Return the line of a delete: the key, and the time if the stream has a Record Modified.

    A file of deletes has no header. Source: Ingestion API, "Upload Job Data".
    """
    return f"{_quoted(key)}{'' if deleted_at is None else f',{deleted_at}'}\n".encode()


def _quoted(value: str) -> str:
    """Quote a value where RFC 4180 requires it."""
    if _SPECIAL.search(value):
        return f'"{value.replace(_QUOTE, _QUOTE * 2)}"'
    return value
