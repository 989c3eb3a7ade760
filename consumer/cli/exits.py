"""Exit codes, by which a script can tell how a command ended."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FINDINGS = 1
    WRONG_USAGE = 2
    FATAL = 70
    CREDENTIALS_REFUSED = 77
    CONFIG_FAULTS = 78


MEANINGS: Final = {
    ExitCode.OK: "Success.",
    ExitCode.FINDINGS: (
        "Findings: a replay that was stopped or had dead letters, a ledger whose totals do not"
        " match, no daemon at the admin port, warnings under `lint --deny-warnings`, dead letters"
        " in `map`, a mapping test that failed, a demo that was not verified; or the command cannot"
        " do what was asked as things are."
    ),
    ExitCode.WRONG_USAGE: "Wrong usage: an unknown option, or an invalid value of an option.",
    ExitCode.FATAL: (
        "Internal error: an invariant is broken, or the Kafka client cannot continue. Settled"
        " records are committed."
    ),
    ExitCode.CREDENTIALS_REFUSED: (
        "Credentials refused where a command cannot continue without them. The daemon does not end"
        " for this: it holds."
    ),
    ExitCode.CONFIG_FAULTS: "Faults of the configuration; all of them are listed.",
}
"""For the documentation."""
