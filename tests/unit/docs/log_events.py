"""The tables of `docs/log-events.md`: every log event and every field, from the declarations."""

from __future__ import annotations

from typing import Final

from consumer.admin.events import EVENTS, FIELDS
from tests.unit.docs.tables import ROOT

PAGE: Final = "docs/log-events.md"
BEGIN: Final = "<!-- {name}: make docs -->\n"
END: Final = "<!-- end of {name} -->\n"


def tables() -> dict[str, str]:
    """Return each generated table by its name in the page."""
    events = "".join(
        f"| `{event.name}` | {event.level} | {_names(event.fields)} | {event.meaning} |\n"
        for event in EVENTS
    )
    fields = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in sorted(FIELDS.items()))
    return {
        "events": f"| event | level | fields | meaning |\n|---|---|---|---|\n{events}",
        "fields": f"| field | meaning |\n|---|---|\n{fields}",
    }


def _names(fields: tuple[str, ...]) -> str:
    return " ".join(f"`{name}`" for name in fields)


def log_events_page() -> str:
    """Return the page with its tables as they are now; the rest of the page stays."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    for name, table in tables().items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        before, _, rest = page.partition(begin)
        page = before + begin + table + end + rest.partition(end)[2]
    return page
