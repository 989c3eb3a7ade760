"""CSV lines, read back with the csv module of Python."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from consumer.bulk.csv import CRM, INGESTION, CsvRows, delete_line
from consumer.errors import Reason, RecordError
from consumer.mapping.settings import FieldType

FIELDS = {
    "id": FieldType.TEXT,
    "balance": FieldType.NUMBER,
    "active": FieldType.BOOLEAN,
    "note": FieldType.TEXT,
}


def read(line: bytes) -> list[str]:
    (values,) = csv.reader(StringIO(line.decode(), newline=""), strict=True)
    return values


def test_a_row_in_the_order_of_the_schema() -> None:
    """Members may come in any order; numbers and booleans keep their digits."""
    line = CsvRows(FIELDS, INGESTION).line(b'{"note":"x","active":true,"balance":12.50,"id":"7"}')
    assert b"7,12.50,true,x\n" == line


def test_the_header_names_every_field() -> None:
    """Also the fields that this row does not have."""
    assert b"id,balance,active,note\n" == CsvRows(FIELDS, INGESTION).header


@pytest.mark.parametrize(
    "text",
    [
        'say "x"',
        "a,b",
        "a\nb",
        "a\r\nb",
        '"',
        ",",
        ' "',
        "\r",
        "a\tb",
        "\N{SNOWMAN}",
        "x" * 131_072,
    ],
)
def test_text_comes_back_as_it_was(text: str) -> None:
    """With quotes, line ends and delimiters inside a value."""
    escaped = (
        text.replace('"', r"\"").replace("\n", r"\n").replace("\r", r"\r").replace("\t", r"\t")
    )
    line = CsvRows(FIELDS, INGESTION).line(
        f'{{"id":"7","balance":1,"active":null,"note":"{escaped}"}}'.encode()
    )
    assert ["7", "1", "", text] == read(line)


def test_null_and_empty_text_differ() -> None:
    """Null is empty; an empty text is a pair of quotes."""
    rows = CsvRows(FIELDS, INGESTION)
    assert b'7,,,""\n' == rows.line(b'{"id":"7","balance":null,"active":null,"note":""}')
    assert b"7,,,\n" == rows.line(b'{"id":"7","balance":null,"active":null,"note":null}')


def test_a_single_field_is_never_a_blank_line() -> None:
    """A blank line is not a CSV record."""
    assert b'""\n' == CsvRows({"id": FieldType.TEXT}, INGESTION).line(b'{"id":null}')


def test_crm_null_and_blank() -> None:
    """Null and empty text are #N/A; an absent field is blank, which means unchanged."""
    assert b"7,#N/A,,#N/A\n" == CsvRows(FIELDS, CRM).line(b'{"id":"7","balance":null,"note":""}')


@pytest.mark.parametrize(
    ("form", "text", "reason"),
    [
        (INGESTION, r"a\u0000b", Reason.FIELD_CHARS),
        (CRM, "#N/A", Reason.FIELD_CHARS),
        (CRM, "x" * 131_073, Reason.FIELD_RANGE),
    ],
)
def test_a_value_that_csv_cannot_carry_is_at_fault(form: object, text: str, reason: Reason) -> None:
    """NUL, the CRM's own text for null, and a value over the limit.

    The error names the field, never the value.
    """
    with pytest.raises(RecordError) as caught:
        CsvRows(FIELDS, form).line(  # type: ignore[arg-type]  # one of the two forms
            f'{{"id":"7","balance":1,"active":true,"note":"{text}"}}'.encode()
        )
    assert (reason, "note") == (caught.value.reason, caught.value.field)


def test_a_record_over_the_crm_limit() -> None:
    """Each value is within the limit, all of them together are not."""
    fields = {f"f{at}": FieldType.TEXT for at in range(4)}
    row = "{" + ",".join(f'"f{at}":"{"x" * 131_000}"' for at in range(4)) + "}"
    with pytest.raises(RecordError) as caught:
        CsvRows(fields, CRM).line(row.encode())
    assert Reason.RECORD_SIZE is caught.value.reason


def test_a_delete_has_no_header_and_its_time_second() -> None:
    """Only the key where the stream has no Record Modified."""
    assert b'"a,b",2026-11-25T00:00:00.000Z\n' == delete_line("a,b", "2026-11-25T00:00:00.000Z")
    assert b"7\n" == delete_line("7", None)
