"""Exit codes of the command, so that a script can tell the causes apart."""

from __future__ import annotations

from typing import Final

FINE: Final = 0
FINDINGS: Final = 1
WRONG_USAGE: Final = 2
FATAL: Final = 70
CREDENTIALS_REFUSED: Final = 77
CONFIG_FAULTS: Final = 78
