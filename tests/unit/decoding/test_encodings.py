"""A schema whose library is not installed names the extra; another missing module is a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.decoding import encodings
from consumer.decoding.encodings import compiled
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable


def missing(name: str) -> Callable[[str], object]:
    """Return an import that fails because a module does not exist."""

    def import_module(_module: str) -> object:
        raise ModuleNotFoundError(name=name)

    return import_module


@pytest.mark.parametrize(
    ("kind", "module", "extra"),
    [
        ("AVRO", "fastavro", "avro"),
        ("PROTOBUF", "google", "protobuf"),
        ("PROTOBUF", "google.protobuf", "protobuf"),
    ],
)
def test_a_missing_library_names_its_extra(
    kind: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record waits in the dead-letter topic for the extra."""
    monkeypatch.setattr(encodings, "import_module", missing(module))
    with pytest.raises(RecordError) as caught:
        compiled(WrittenSchema(kind, ""), None)
    assert (
        f"DECODE_SCHEMA: the library for {kind} is not installed; pip install"
        f" datacloud-consumer[{extra}]" == str(caught.value)
    )


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("AVRO", "fastavro_extras"),
        ("AVRO", "consumer.decoding.floats"),
        ("PROTOBUF", "goo"),
        ("PROTOBUF", "google.protobuf.later"),
        ("JSON", "json"),
    ],
)
def test_another_missing_module_is_not_the_extra(
    kind: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error of this program, and must not be reported as a missing extra."""
    monkeypatch.setattr(encodings, "import_module", missing(module))
    with pytest.raises(ModuleNotFoundError):
        compiled(WrittenSchema(kind, ""), None)
