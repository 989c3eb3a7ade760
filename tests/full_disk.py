"""A disk that takes no more bytes: no file of this process may grow beyond a limit."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def full_disk(file_bytes: int = 0) -> Iterator[None]:
    """Let every write beyond `file_bytes` of a file fail, until the end of the block.

    The kernel refuses it with EFBIG, like a full disk with ENOSPC; Python ignores the signal.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
