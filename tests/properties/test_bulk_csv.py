"""Python's csv reader reads back what the CSV writer wrote, for any row."""

from __future__ import annotations

import csv
from io import StringIO

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumer.bulk.csv import CRM, INGESTION, CsvRows
from consumer.mapping.settings import FieldType

TEXTS = st.none() | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)
NUMBERS = (
    st.none()
    | st.integers()
    | st.sampled_from(["1.50", "1E+400", "-0", "12345678901234567890123.1"])
)
AWKWARD = st.none() | st.text('",\r\n a#N/', max_size=6)
ROWS = st.lists(
    st.tuples(TEXTS | AWKWARD, NUMBERS, st.none() | st.booleans(), AWKWARD), min_size=1, max_size=6
)
FIELDS = {"a": FieldType.TEXT, "b": FieldType.NUMBER, "c": FieldType.BOOLEAN, "d-é": FieldType.DATE}


def encode(row: tuple[object, ...]) -> bytes:
    values = [
        msgspec.Raw(value.encode()) if at == 1 and isinstance(value, str) else value
        for at, value in enumerate(row)
    ]
    return msgspec.json.encode(dict(zip(FIELDS, values, strict=True)))


def as_text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@given(ROWS)
def test_a_file_is_read_back(rows: list[tuple[object, ...]]) -> None:
    """All records and values come back in order.

    The reader cannot distinguish null from empty text; it can distinguish all other values.
    """
    writer = CsvRows(FIELDS, INGESTION)
    text = (writer.header + b"".join(writer.lines(map(encode, rows)))).decode()
    expected = [[*FIELDS], *([as_text(value) for value in row] for row in rows)]
    assert expected == [*csv.reader(StringIO(text, newline=""), strict=True)]


@given(ROWS)
def test_crm_writes_null_as_na(rows: list[tuple[object, ...]]) -> None:
    """No value of a full row is blank: a blank would leave the CRM's value unchanged."""
    writer = CsvRows(FIELDS, CRM)
    without_na = [row for row in rows if "#N/A" not in row]
    text = b"".join(writer.lines(map(encode, without_na))).decode()
    expected = [[as_text(value) or "#N/A" for value in row] for row in without_na]
    assert expected == [*csv.reader(StringIO(text, newline=""), strict=True)]
