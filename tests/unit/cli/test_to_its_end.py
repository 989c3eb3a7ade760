"""The top of the daemon: what comes out of it is an exit code of the table."""

from __future__ import annotations

import pytest

from consumer.cli.run import to_its_end
from consumer.errors import CredentialsRefused, Fatal


async def ends(error: Exception | None) -> int:
    """Stand in for a daemon."""
    if error is not None:
        raise error
    return 7


def test_what_it_returns_is_returned() -> None:
    """A verb with a daemon in it has a result."""
    assert 7 == to_its_end(ends(None))


def test_an_error_by_name_keeps_its_name() -> None:
    """It has its own exit code."""
    with pytest.raises(CredentialsRefused, match="no"):
        to_its_end(ends(CredentialsRefused("no")))


def test_an_error_that_nothing_foresaw_is_fatal() -> None:
    """By its type alone: its text may hold a value."""
    with pytest.raises(Fatal, match=r"^ZeroDivisionError, see the log$"):
        to_its_end(ends(ZeroDivisionError("4711")))
