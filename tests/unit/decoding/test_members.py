"""Members of an envelope: each detail names the expected kind and the kind that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from consumer.decoding.document import open_object
from consumer.decoding.members import clock_ms, row_of, row_or_null, text_of
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


@pytest.mark.parametrize("zone", [None, "Europe/Zurich", "America/Denver"])
@pytest.mark.parametrize(
    "text", ["1970-01-01 00:00:00", "1970-01-01T00:00:00.000000", "1970-01-01T00:00:00Z"]
)
def test_the_epoch_in_text_is_not_a_time(text: str, zone: str | None) -> None:
    """A source that does not know the time writes 0, in its own zone."""
    written = msgspec.Raw(f'"{text}"'.encode())
    assert clock_ms(written, None if zone is None else ZoneInfo(zone)) is None


def test_a_clock_in_text_is_read_in_its_zone() -> None:
    """A minute after the epoch is a time."""
    written = msgspec.Raw(b'"1970-01-01 00:01:00"')
    assert 60_000 == clock_ms(written)
    assert -3_540_000 == clock_ms(written, ZoneInfo("Europe/Zurich"))
