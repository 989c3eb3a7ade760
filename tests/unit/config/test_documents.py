"""JSON Schema and reference that are written from the table of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from consumer.config.documents import json_schema, reference
from consumer.config.file_keys import FILE
from consumer.config.keys import Section

ROOT = Path(__file__).parents[3]


def test_the_committed_reference_is_the_generated_one() -> None:
    """Run `python -m consumer config reference > docs/configuration.md` after changing a key."""
    assert reference() == (ROOT / "docs" / "configuration.md").read_text("utf-8")


def test_the_reference_opens_with_the_smallest_example() -> None:
    """The example of the page is config/minimal.yaml without its comment."""
    _, _, example = (ROOT / "config" / "minimal.yaml").read_text("utf-8").partition("\n")
    assert f"```yaml\n{example}```\n" in reference()


def test_every_section_is_in_the_json_schema() -> None:
    """An editor completes known sections and marks unknown ones."""
    schema = cast("dict[str, Any]", json_schema())
    assert list(FILE.keys) == list(schema["properties"])
    assert schema["additionalProperties"] is False


def test_required_keys_are_in_the_json_schema() -> None:
    """An editor marks missing keys."""
    schema = cast("dict[str, Any]", json_schema())
    assert ["bootstrap_servers", "group_id"] == schema["properties"]["kafka"]["required"]


def test_every_key_has_a_help_sentence() -> None:
    """The help of every key ends with a period."""
    assert [] == [key.name for key in _all(FILE) if not key.doc.endswith(".")]


def _all(section: Section) -> list[Any]:
    """List the keys of a section and of all sections below it."""
    keys: list[Any] = []
    for key in section.keys.values():
        kind: Any = getattr(key.kind, "kind", key.kind)
        keys += [key, *(_all(kind) if isinstance(kind, Section) else [])]
    return keys
