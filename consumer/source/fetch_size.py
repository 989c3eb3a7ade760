"""The number of records that one `consume` takes: fewer if they are large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized

MOST_RECORDS: Final = 500
"""With many small records, 1,000 at once were not faster and took 9 MB more."""

CHUNK_BYTES: Final = 1_000_000
"""Bytes that are taken before the loop can pause the partition: several chunks are on their way
to it, and each becomes rows of the same size. 500 records of 190 KB at once exceeded every limit
by 95 MB."""

_FIRST_RECORDS: Final = 10
"""Before the first records were seen."""


class FetchSize:
    """Adapts the number of records to their size."""

    def __init__(self) -> None:
        self.records = _FIRST_RECORDS

    def observe(self, messages: Sequence[Sized]) -> None:
        """Set the number for the next `consume` from the records just taken."""
        mean_bytes = sum(map(len, messages)) / len(messages)
        self.records = max(1, min(MOST_RECORDS, int(CHUNK_BYTES / max(mean_bytes, 1.0))))
