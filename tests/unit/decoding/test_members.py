"""Members of an envelope: each detail names the expected kind and the kind that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.decoding.document import open_object
from consumer.decoding.members import row_of, row_or_null, text_of
from consumer.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("read", "member", "detail"),
    [
        pytest.param(text_of, "", "expected text, got nothing", id="missing"),
        pytest.param(text_of, '"m":null', "expected text, got null", id="null"),
        pytest.param(text_of, '"m":17', "expected text, got a number", id="number"),
        pytest.param(row_of, '"m":"secret"', "expected an object or null, got text", id="text"),
        pytest.param(row_of, '"m":null', "expected an object, got null", id="null-row"),
        pytest.param(row_of, "", "expected an object, got nothing", id="no-row"),
        pytest.param(row_or_null, '"m":[]', "expected an object or null, got an array", id="array"),
        pytest.param(
            row_or_null, '"m":true', "expected an object or null, got a boolean", id="boolean"
        ),
    ],
)
def test_detail_names_both_kinds(
    read: Callable[[object, str], object], member: str, detail: str
) -> None:
    """It never shows the value."""
    with pytest.raises(RecordError) as raised:
        read(open_object(f"{{{member}}}".encode()), "m")
    assert (detail, "m") == (raised.value.detail, raised.value.field)
