"""Every error, by what the code that catches it must do.

```
ConsumerError
├── RecordError         error in one record    send only that record to the dead-letter topic
├── Transient           temporary error        retry with backoff, as long as it takes
├── Hold                external cause         drop nothing, commit nothing past it, pause, probe
├── ConfigFaults        errors in the file     print all of them, exit 78, before anything is read
├── CredentialsRefused  final login refusal    only where a verb must end: exit 77
├── Refusal             request not possible   print the reason and the next step, exit 1
└── Fatal               internal error         commit what is settled, stop, exit 70
```

The external cause of a hold is configuration, access, or an unavailable service.

Inside a package errors are raised; between packages verdicts and outcomes are values. Library
exceptions are translated once, by the code that calls the library.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(StrEnum):
    """The reason why one record cannot be sent.

    The closed list of dead-letter reasons, also a metric label.
    """

    DECODE_EMPTY = "DECODE_EMPTY"
    DECODE_ENCODING = "DECODE_ENCODING"
    DECODE_SYNTAX = "DECODE_SYNTAX"
    DECODE_NOT_OBJECT = "DECODE_NOT_OBJECT"
    DECODE_DEPTH = "DECODE_DEPTH"
    DECODE_FRAMED = "DECODE_FRAMED"
    DECODE_SCHEMA = "DECODE_SCHEMA"
    NUMBER_RANGE = "NUMBER_RANGE"
    ENVELOPE_SHAPE = "ENVELOPE_SHAPE"
    ENVELOPE_OP = "ENVELOPE_OP"
    ENVELOPE_TRUNCATE = "ENVELOPE_TRUNCATE"
    ENVELOPE_UNAVAILABLE = "ENVELOPE_UNAVAILABLE"
    TOMBSTONE_UNMAPPED = "TOMBSTONE_UNMAPPED"
    KEY_MISSING = "KEY_MISSING"
    KEY_EMPTY = "KEY_EMPTY"
    KEY_TYPE = "KEY_TYPE"
    KEY_SIZE = "KEY_SIZE"
    KEY_CONTROL_CHARS = "KEY_CONTROL_CHARS"
    FIELD_MISSING = "FIELD_MISSING"
    FIELD_NULL = "FIELD_NULL"
    FIELD_TYPE = "FIELD_TYPE"
    FIELD_FORMAT = "FIELD_FORMAT"
    FIELD_RANGE = "FIELD_RANGE"
    FIELD_ENUM = "FIELD_ENUM"
    FIELD_CHARS = "FIELD_CHARS"
    TIME_FORMAT = "TIME_FORMAT"
    TIME_ZONE = "TIME_ZONE"
    TIME_RANGE = "TIME_RANGE"
    VERSION_MISSING = "VERSION_MISSING"
    ROUTE_NONE = "ROUTE_NONE"
    RECORD_SIZE = "RECORD_SIZE"
    SINK_REJECTED = "SINK_REJECTED"
    SINK_TOO_LARGE = "SINK_TOO_LARGE"
    MAP_CUSTOM = "MAP_CUSTOM"
    DELETE_UNWANTED = "DELETE_UNWANTED"


class HoldReason(StrEnum):
    """The reason why records wait although nothing is wrong with them.

    The closed list, also a metric label.
    """

    AUTH = "AUTH"
    CONFIG = "CONFIG"
    RATE = "RATE"
    SINK = "SINK"
    MASS_REJECT = "MASS_REJECT"
    DEAD_LETTER = "DEAD_LETTER"
    BROKER = "BROKER"
    OFFSET_LOST = "OFFSET_LOST"
    SPOOL = "SPOOL"


class ConsumerError(Exception):
    """The base class of all errors of this package; it is never raised itself."""


class RecordError(ConsumerError):
    """One record cannot be sent: it goes to the dead-letter topic; its neighbours are unaffected.

    `detail` says what was expected and what kind of value was found, never the value itself.
    `field` is the target field, or the source path where no target field is involved.
    """

    def __init__(self, reason: Reason, detail: str = "", *, field: str | None = None) -> None:
        super().__init__(f"{reason}{f' in {field}' if field else ''}: {detail}")
        self.reason = reason
        self.detail = detail
        self.field = field


class Transient(ConsumerError):  # noqa: N818 - the name is the reaction
    """A temporary error: a retry can succeed.

    `after_s` is the shortest wait that the other side requested, if it did.
    """

    def __init__(self, detail: str, *, after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.after_s = after_s


class Hold(ConsumerError):  # noqa: N818 - the name is the reaction
    """An external cause stops delivery: everything waits until a probe finds the cause gone.

    The cause is configuration, access, or an unavailable service. `reason` names the hold.
    """

    def __init__(self, reason: HoldReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class CredentialsRefused(ConsumerError):  # noqa: N818 - the name is the fact
    """The login was refused and no retry can help, so the verb has to end (exit 77)."""


class Refusal(ConsumerError):  # noqa: N818 - the name is the reaction
    """The request is not possible now; the text has the reason, the place and the next step."""


class Fatal(ConsumerError):  # noqa: N818 - the name is the reaction
    """An internal invariant is broken, or the client cannot continue: stop, exit 70."""


class ConfigFaults(ConsumerError):  # noqa: N818 - many at once
    """Every error in the configuration, found in one pass.

    Each line is `file:line:column: path: text`.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def leaves_of(error: BaseException) -> list[BaseException]:
    """Return the errors of a group, and of the groups inside it; of any other error, itself.

    The tasks of the daemon run in groups, whose own type and place say nothing.
    """
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in leaves_of(inner)]
