"""The table of public change streams in `docs/testing.md`, from the outcomes that were reviewed."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.golden.corpora import expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.golden.corpora import SourceOutcome

BEGIN: Final = "<!-- corpora -->\n"
END: Final = "<!-- end of corpora -->\n"
_NAMED: Final = re.compile(r"look like (.+?);")
_HEADER: Final = ("source", "`config init`", "primary key", "`map`")


def with_corpora(page: str) -> str:
    """Return a page with the table as it is now; the rest of the page stays."""
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    return before + BEGIN + _table() + END + after


def _table() -> str:
    rows = [_HEADER, ("---",) * len(_HEADER), *map(_row, expected().values())]
    return "".join(f"| {' | '.join(row)} |\n".replace("| --- ", "|---") for row in rows).replace(
        "--- |", "---|"
    )


def _row(outcome: SourceOutcome) -> tuple[str, ...]:
    """Return the cells of a source."""
    if outcome.refused:
        return outcome.source, _reason(outcome.refused), "", ""
    formats = "<br>".join(f"{route.format} → {route.object}" for route in outcome.routes)
    keys = "<br>".join(f"`{route.key}` ({route.why})" for route in outcome.routes)
    counts = Counter(_kinds(outcome))
    return (
        outcome.source,
        formats,
        keys,
        ", ".join(f"{count} {one}" for one, count in counts.items()),
    )


def _reason(text: str) -> str:
    """Return why no file was written: the system that is named, or the message up to its advice."""
    named = _NAMED.search(text)
    if named is not None:
        return f"names {named[1]}"
    return "says: " + re.sub(r"^topic `[^`]+`:? ", "", text).partition(";")[0].replace("|", "\\|")


def _kinds(outcome: SourceOutcome) -> Iterator[str]:
    """Yield the kind of each outcome of `map`."""
    for line in outcome.map:
        one = json.loads(bytes(line))
        rule = one.get("rule") or one.get("reason")
        yield f"{one['outcome'].replace('_', ' ')} {rule}" if rule else one["outcome"]
