"""Ends programs that a test started: by a signal, and by force if that fails."""

from __future__ import annotations

import signal
import subprocess
from typing import Final

_PATIENCE_S: Final = 30.0


def end(running: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End a program by a signal; returns when it is gone."""
    running.send_signal(how)
    try:
        running.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
