"""Connector schema files that the tenant accepts, and the messages for others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.mapping.settings import FieldType
from consumer.sandbox.schema_file import SchemaFileError, read_objects
from consumer.sandbox.shop_files import shop_objects

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
openapi: 3.0.3
components:
  schemas:
    reading:
      type: object
      properties:
        reading_ref: {type: string}
        id: {type: string, format: email}
        kwh: {type: number}
        estimated: {type: boolean}
        day: {type: string, format: date}
        at: {type: string, format: date-time}
    bare:
      properties:
        code: {type: string}
        name: {type: string}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "connector.yaml"


def test_types_are_read(path: Path) -> None:
    """Unknown formats are text."""
    path.write_text(GOOD)
    kinds = [
        FieldType.TEXT,
        FieldType.TEXT,
        FieldType.NUMBER,
        FieldType.BOOLEAN,
        FieldType.DATE,
        FieldType.DATE_TIME,
    ]
    assert kinds == list(read_objects(path)["reading"].fields.values())


def test_the_default_key_is_id_or_the_first_field(path: Path) -> None:
    """When the options name no key."""
    path.write_text(GOOD)
    read = read_objects(path)
    assert ("id", "code") == (read["reading"].primary_key, read["bare"].primary_key)


def test_options_add_to_the_file(path: Path) -> None:
    """They are named as in the configuration."""
    path.write_text(GOOD)
    read = read_objects(
        path, {"reading": {"primary_key": "reading_ref", "refresh_mode": "partial"}}
    )
    assert ("reading_ref", "partial") == (read["reading"].primary_key, read["reading"].refresh_mode)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "connector.yaml"),
        ("openapi: 3.0.3", "expected components.schemas with at least one object"),
        ("components: {schemas: {}}", "expected components.schemas with at least one object"),
        ("components: {schemas: {a: {}}}", "a: expected properties with at least one field"),
        (
            "components: {schemas: {a: {properties: {x: {type: object}}}}}",
            "a.x: expected type string, number or boolean",
        ),
    ],
)
def test_invalid_files_are_refused(path: Path, text: str, words: str) -> None:
    """The error names the file and the place."""
    path.write_text(text)
    with pytest.raises(SchemaFileError, match=words):
        read_objects(path)


def test_a_missing_file_is_refused(path: Path) -> None:
    """The message has the error of the system."""
    with pytest.raises(SchemaFileError, match="No such file"):
        read_objects(path)


@pytest.mark.parametrize(
    "options", [{"primary_key": "nope"}, {"category": "other things"}, {"event_time": "nope"}]
)
def test_invalid_options_are_refused(path: Path, options: dict[str, str]) -> None:
    """Unknown fields, and values that are not allowed."""
    path.write_text(GOOD)
    with pytest.raises(SchemaFileError, match="reading"):
        read_objects(path, {"reading": options})


def test_the_shop_has_its_three_objects() -> None:
    """The files in the package can be read."""
    read = shop_objects()
    assert ["customers", "orders", "page_views"] == list(read)
    assert ("modified_at", "engagement") == (
        read["customers"].record_modified,
        read["page_views"].category,
    )
