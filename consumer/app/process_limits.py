"""Sets the limits of a process that holds secrets and personal data in memory."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

import structlog

MOST_DESCRIPTORS: Final = 65_536
"""Far more than brokers, tenant and the admin port need; some systems allow a billion."""

_PR_SET_DUMPABLE: Final = 4

_log = structlog.get_logger(__name__)


def limit_process() -> None:
    """Raise the limit of file descriptors as far as allowed, and forbid memory dumps.

    A crash writes no memory to a file, and other processes of this user cannot read the memory.
    Source: getrlimit(2), prctl(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors(soft, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        _log.warning(
            "process_is_dumpable",
            detail="this system does not let a process keep its memory from other processes of its"
            " user",
        )


def descriptors(soft: int, hard: int) -> int:
    """Return the soft limit to set; it is never lowered."""
    if soft == resource.RLIM_INFINITY:
        return soft
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    return max(soft, most)
