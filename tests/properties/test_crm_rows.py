"""Partial changes become CRM rows with the newest value of each field and every record once."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumer.bulk.crm_row_buffer import CrmBulkBatch, CrmRowBuffer
from consumer.bulk.csv import CRM, CsvRows
from consumer.bulk.kept_records import kept_records
from consumer.mapping.settings import CrmTarget, FieldType, FlushSettings, ObjectSettings
from consumer.model import Assignment, Delete, Operation, PlainRecord, Target, Upsert

FIELDS = ("Key__c", "A", "B", "C")
TEXTS = st.text(st.sampled_from('ab,"\n\r é'), min_size=1, max_size=6)
Row: TypeAlias = "dict[str, str | None]"
ROWS = st.dictionaries(st.sampled_from(FIELDS[1:]), st.one_of(st.none(), TEXTS))
CHANGES = st.lists(
    st.tuples(st.sampled_from(("k1", "k2")), st.one_of(st.none(), ROWS)), max_size=12
)


def buffered(folder: str, changes: list[tuple[str, Row | None]]) -> CrmBulkBatch:
    """Add changes to a row buffer in chunks of three; a change without a row is a delete."""
    described = ObjectSettings(
        name="Contact",
        fields=dict.fromkeys(FIELDS, FieldType.TEXT),
        primary_key="Key__c",
        refresh_mode="partial",
    )
    row_buffer = CrmRowBuffer(
        Target("", "Contact"),
        CsvRows(described.fields, CRM),
        FlushSettings(),
        Path(folder),
        crm=CrmTarget(described=described, external_id="Key__c"),
        columns=FIELDS,
    )
    assignment = Assignment("t", 0, 0, 0, None)
    made: list[Upsert | Delete] = []
    for at, (key, row) in enumerate(changes):
        record = PlainRecord("t", 0, at, value=b"v")
        made.append(
            Delete(key, b"", record)
            if row is None
            else Upsert(key, msgspec.json.encode({"Key__c": key} | row), record)
        )
    for start in range(0, len(made), 3):
        row_buffer.add(made[start : start + 3], assignment, 0.0)
    bulk_batch = row_buffer.seal()
    assert isinstance(bulk_batch, CrmBulkBatch)
    return bulk_batch


@given(CHANGES)
def test_the_newest_of_each_field_is_written(changes: list[tuple[str, Row | None]]) -> None:
    """A row after a delete starts new; null is `#N/A`; a field without a change is blank."""
    folded: dict[str, dict[str, str] | None] = {}
    for key, row in changes:
        before = folded.get(key, {})
        blank = "#N/A" if before is None else ""
        texts = {
            name: "#N/A" if text is None else text
            for name, text in ({} if row is None else row).items()
        }
        folded[key] = (
            None
            if row is None
            else dict.fromkeys(FIELDS, blank) | (before or {}) | {"Key__c": key} | texts
        )
    with TemporaryDirectory() as folder:
        if not changes:
            return
        rows = buffered(folder, changes).rows
        written = {
            key: next(csv.reader([line.decode()[:-1]], strict=True))
            for piece in rows.pending(Operation.UPSERT, 10)
            for key, _, line, _ in piece
        }
        deleted = {key for piece in rows.pending(Operation.DELETE, 10) for key, _, _, _ in piece}
    assert {
        key: [row[name] for name in FIELDS] for key, row in folded.items() if row is not None
    } == written
    assert {key for key, row in folded.items() if row is None} == deleted


@given(CHANGES)
def test_every_field_of_a_rejected_row_is_in_its_dead_letters(
    changes: list[tuple[str, Row | None]],
) -> None:
    """A merged row keeps the records of all older changes whose fields it has, its own last."""
    newest: dict[str, int] = {}
    sources: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for at, (key, row) in enumerate(changes):
        newest[key] = at
        if row is None:
            sources[key].clear()
        else:
            sources[key].update(dict.fromkeys(row, at))
    with TemporaryDirectory() as folder:
        if not changes:
            return
        rows = buffered(folder, changes).rows
        kept = {
            key: [one.offset for one in kept_records(record)]
            for operation in Operation
            for piece in rows.pending(operation, 10)
            for key, _, _, record in piece
        }
    for key, offsets in kept.items():
        assert newest[key] == offsets[-1]
        assert sorted(set(offsets)) == offsets
        assert {*sources[key].values()} <= {*offsets}
