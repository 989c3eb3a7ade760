"""`docs/log-events.md` shows the log events as they are declared."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from consumer.admin.events import EVENTS
from tests.unit.docs.log_events import PAGE
from tests.unit.docs.tables import text_of
from tests.unit.docs.test_format_pages import blocks

TEXT = text_of(PAGE)
BY_NAME = {event.name: event for event in EVENTS}
ADDED = {"event", "level", "timestamp", "repeated", "exception", "at", "logger"}
"""Fields that the set-up of the log adds to an event."""


@pytest.mark.parametrize("line", "".join(blocks(TEXT, "json")).splitlines())
def test_an_example_line_is_as_declared(line: str) -> None:
    """Its level and fields are those of its event."""
    shown: dict[str, Any] = json.loads(line)
    event = BY_NAME[shown["event"]]
    assert (event.level, set()) == (shown["level"], {*shown} - ADDED - {*event.fields})


def test_events_in_the_text_exist() -> None:
    """An event that a task of the page names is declared."""
    prose = re.sub(r"```.*?```|^\|.*?$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    events = {name for name in re.findall(r"`(\w+)`", prose) if "_" in name}
    fields = {name for event in EVENTS for name in event.fields}
    assert set() == events - {*BY_NAME} - fields - {"NO_COLOR"}
