"""Pages that are written from the code: `python -m tests.unit.docs.generated` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.golden.corpora_page import with_corpora
from tests.unit.docs import cli_page, file_map, holders, log_events
from tests.unit.docs.tables import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES: Final[dict[str, Callable[[], str]]] = {
    cli_page.PAGE: cli_page.cli_page,
    file_map.PAGE: file_map.file_map_page,
    holders.PAGE: lambda: with_corpora(holders.testing_page()),
    log_events.PAGE: log_events.log_events_page,
}
"""Each page with the function that returns its text."""

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")
