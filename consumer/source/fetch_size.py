"""How many records the consumer thread takes at once: few where they are large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized

MOST_RECORDS: Final = 500
"""In a flood of small records 1,000 at once were no faster and took 9 MB more."""

CHUNK_BYTES: Final = 1_000_000
"""What is taken before the loop can say that it has enough: several chunks are on their way to it,
and each becomes rows of the same size. 500 records of 190 KB at once were 95 MB beyond any bound.
"""

_FIRST_RECORDS: Final = 10
"""Before any was seen."""


class FetchSize:
    """Follows the size of the records."""

    def __init__(self) -> None:
        self.records = _FIRST_RECORDS

    def observe(self, messages: Sequence[Sized]) -> None:
        """Learn from what was taken how many to take next."""
        mean_bytes = sum(map(len, messages)) / len(messages)
        self.records = max(1, min(MOST_RECORDS, int(CHUNK_BYTES / max(mean_bytes, 1.0))))
