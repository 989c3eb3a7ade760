"""Ports on loopback for servers of tests, safe from outgoing connections."""

from __future__ import annotations

import random
import socket
from contextlib import closing
from typing import Final

# Systems give outgoing connections ports above these (32768 on Linux, 49152 elsewhere). A port
# above them could be in use by the time its server starts, seconds later.
_PORTS: Final = range(12_000, 32_000)

_given: set[int] = set()


def free_port() -> int:
    """Return a port that is free at this moment, and that was not returned before."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def listens(port: int) -> bool:
    """Return whether a server accepts connections on the port."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
