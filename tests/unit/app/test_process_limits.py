"""The limits of a process that holds secrets, seen from inside such a process."""

from __future__ import annotations

import subprocess
import sys
from resource import RLIM_INFINITY

import pytest

from consumer.app.process_limits import MOST_DESCRIPTORS, descriptors

SHOWN = """
import asyncio, ctypes, resource
from consumer.cli.run import to_its_end

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024))

async def shown():
    return (
        resource.getrlimit(resource.RLIMIT_NOFILE),
        resource.getrlimit(resource.RLIMIT_CORE),
        ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    )

print(to_its_end(shown()))
"""
"""3 is PR_GET_DUMPABLE."""


def limits() -> str:
    ended = subprocess.run(
        [sys.executable, "-c", SHOWN],
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.strip()


def test_the_descriptors_are_raised_and_no_memory_is_dumped() -> None:
    """A thousand connections of others must not be all that the system gives us."""
    assert "((1024, 1024), (0, 0), 0)" == limits()


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        pytest.param(1_024, 4_096, 4_096, id="raised"),
        pytest.param(4_096, 4_096, 4_096, id="as-it-is"),
        pytest.param(70_000, 80_000, 70_000, id="never-lowered"),
        pytest.param(1_024, 100_000, MOST_DESCRIPTORS, id="bounded"),
        pytest.param(1_024, RLIM_INFINITY, MOST_DESCRIPTORS, id="without-bound"),
        pytest.param(RLIM_INFINITY, RLIM_INFINITY, RLIM_INFINITY, id="unlimited"),
    ],
)
def test_the_limit_of_descriptors(soft: int, hard: int, expected: int) -> None:
    """Never lower than before, and never so high that a walk over all of them takes time."""
    assert expected == descriptors(soft, hard)
