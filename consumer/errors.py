"""Every error, sorted by what the catcher must do.

```
ConsumerError
├── RecordError        the record's fault    that record alone to the dead-letter topic, with its reason
├── Transient          the moment's fault    try again with backoff, for as long as it takes
├── Hold               the set-up's fault    drop nothing, commit nothing past it, pause, name it, probe
├── ConfigFaults       the file's faults     print them all and exit 78, before anything is read
├── CredentialsRefused the set-up's, final   only where a verb must end: exit 77
├── Refusal            the wish's            a verb cannot do it as things stand: say what to do, exit 1
└── Fatal              ours                  commit what is settled, stop, exit 70
```

Inside a room errors are raised; between rooms verdicts and outcomes are values. Library exceptions
are translated once, at the edge that calls the library.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(StrEnum):
    """Why one record cannot be placed.

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
    """Why records wait although nothing is wrong with them.

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


class ConsumerError(Exception):
    """The root: nothing raises it itself."""


class RecordError(ConsumerError):
    """One record's own fault; it goes to the dead-letter topic and its neighbours never notice.

    `detail` says what was wanted and what kind of thing was found, never the value. `field` is the
    target field, or the source path where there is no target.
    """

    def __init__(self, reason: Reason, detail: str = "", *, field: str | None = None) -> None:
        super().__init__(f"{reason}{f' in {field}' if field else ''}: {detail}")
        self.reason = reason
        self.detail = detail
        self.field = field


class Transient(ConsumerError):  # noqa: N818 - named for what it is, not for being an error
    """The moment's fault. `after_s` is a floor the other side asked for, when it did."""

    def __init__(self, detail: str, *, after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.after_s = after_s


class Hold(ConsumerError):  # noqa: N818 - named for what it is, not for being an error
    """The set-up's fault: everything waits, named by `reason`.

    Until a probe finds the cause gone.
    """

    def __init__(self, reason: HoldReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class CredentialsRefused(ConsumerError):  # noqa: N818 - the fact, as the operator reads it
    """The login was refused for good while a verb could not go on without it (exit 77)."""


class Refusal(ConsumerError):  # noqa: N818 - named for what it is, not for being an error
    """What was asked for cannot be done as things stand: what was seen, where, and what to do."""


class Fatal(ConsumerError):  # noqa: N818 - named for what it is, not for being an error
    """An invariant of ours is broken, or the client cannot go on: stop, exit 70."""


class ConfigFaults(ConsumerError):  # noqa: N818 - many at once
    """Every fault of the configuration, found together.

    Each line is `file:line:column: path: text`.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
