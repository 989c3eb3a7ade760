"""Whatever stands in a row, Python's csv reader reads back what was written."""

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
def test_a_file_comes_back(rows: list[tuple[object, ...]]) -> None:
    """All records, all values, in order.

    Null and empty text look alike to this reader, and only they.
    """
    writer = CsvRows(FIELDS, INGESTION)
    text = (writer.header + b"".join(writer.lines(map(encode, rows)))).decode()
    expected = [[*FIELDS], *([as_text(value) for value in row] for row in rows)]
    assert expected == [*csv.reader(StringIO(text, newline=""), strict=True)]


@given(ROWS)
def test_crm_says_null_as_na(rows: list[tuple[object, ...]]) -> None:
    """Nothing in a full row is blank: that would leave what the CRM has."""
    writer = CsvRows(FIELDS, CRM)
    wanted = [row for row in rows if "#N/A" not in row]
    text = b"".join(writer.lines(map(encode, wanted))).decode()
    expected = [[as_text(value) or "#N/A" for value in row] for row in wanted]
    assert expected == [*csv.reader(StringIO(text, newline=""), strict=True)]
