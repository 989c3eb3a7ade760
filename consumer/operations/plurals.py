"""Counts as a person reads them: `1 record`, `2 records`, `3,000 records`."""

from __future__ import annotations


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun; every noun here forms its plural with an s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
