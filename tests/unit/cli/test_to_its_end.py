"""`to_its_end`: the result or the exception of a coroutine that contains a daemon."""

from __future__ import annotations

import pytest

from consumer.cli.run import to_its_end
from consumer.errors import CredentialsRefused, Fatal


async def ends(error: Exception | None) -> int:
    """Stand in for a daemon."""
    if error is not None:
        raise error
    return 7


def test_the_result_is_returned() -> None:
    """The verb prints it."""
    assert 7 == to_its_end(ends(None))


def test_an_error_of_the_package_keeps_its_type() -> None:
    """Its type decides the exit code."""
    with pytest.raises(CredentialsRefused, match="no"):
        to_its_end(ends(CredentialsRefused("no")))


def test_an_unexpected_error_is_fatal() -> None:
    """The message has only its type, because its text may hold a value of a record."""
    with pytest.raises(Fatal, match=r"^ZeroDivisionError, see the log$"):
        to_its_end(ends(ZeroDivisionError("4711")))


def test_every_error_of_a_group_is_named() -> None:
    """The daemon's tasks run in groups, and `ExceptionGroup` says nothing."""
    inner = ExceptionGroup("tasks", [ZeroDivisionError("4711"), KeyError("4711")])
    with pytest.raises(Fatal, match=r"^ZeroDivisionError and KeyError and OSError, see the log$"):
        to_its_end(ends(ExceptionGroup("all", [inner, OSError(), KeyError()])))
