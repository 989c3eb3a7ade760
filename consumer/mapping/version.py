"""Every version (Record Modified) that is not the change's own time is computed here.

The daemon raises versions with `VersionMemory`, which makes them rise strictly per key, so that a
newer change wins. A replay that lifts versions computes the one to exceed with `lift_base_ms`.

Why a lifted row exceeds every version that the daemon can have given it:

1. Let c1..cn be the times of the changes of a key in log order. With everything remembered, the
   daemon gives change n the version v(n) = max(c(n), v(n-1) + 1), which is the largest of
   c(i) + (n - i). So ties raise it by the number of changes with one clock value: Maxwell's clock
   has seconds, Debezium's clock is the same in a whole transaction. A clock that steps back raises
   it further.
2. v(n) never falls when earlier changes are added. So the version computed from the first record of
   the log, with nothing forgotten, is at least the one of a daemon that started later, restarted,
   lost the partition, or forgot the key among many others.
3. A delete sets the memory to at most max(v, c), less than it would be as an upsert. Counting it as
   one keeps the bound.
4. The cap refuses a version beyond `LARGEST_LEAD_MS` ahead of now; it never lowers one. What was
   sent before the lift is at most the lead ahead of an earlier now. So the base is capped one
   below the lead ahead of the present now, and the lifted version is not refused.
5. An earlier lifted replay of the same row used the same v(n). `LIFT_SHARE` adds time that passed
   since: the later replay is higher by at least 1 ms per second between the two.

A lifted row must lose against the next change of the row. That change is at least
`1 / LIFT_SHARE` of the row's age later than the row, unless the source repeats or steps back its
clock; the replay sends such changes that it reads itself.

Not covered, and reported as unknown: changes that retention or compaction removed from the log;
topics of the same object that the replay does not read; keys in several partitions, whose order in
the daemon is not known; an earlier mapping that read the version from elsewhere.
"""

from __future__ import annotations

from consumer.errors import Reason, RecordError

LARGEST_LEAD_MS = 300_000
"""The furthest that a version may be ahead of now. A row with a later version could not be deleted,
and later updates of it would lose."""

NO_LIMIT_MS = 1 << 400
"""The limit for a Record Modified that is a number and not a time."""

_KEYS_PER_GENERATION = 100_000

LIFT_SHARE = 1_000
"""A lifted version is higher by one thousandth of the row's age: 1 ms per second."""


def lift_base_ms(given_ms: int, wall_ms: int) -> int:
    """Return the version that a lifted row must exceed.

    `given_ms` is the highest version that the daemon can have given the row. The result is higher,
    unless that is as far ahead of now as is allowed.
    """
    age_ms = max(0, wall_ms - given_ms)
    return min(given_ms + age_ms // LIFT_SHARE, wall_ms + LARGEST_LEAD_MS - 1)


class VersionMemory:
    """The last version given to each key of one object, shared by all routes that fill it.

    Memory is bounded by two generations of keys, `young` and `old`. A key is forgotten only after
    at least one whole generation of other keys.
    """

    def __init__(self, keys_per_generation: int = _KEYS_PER_GENERATION) -> None:
        self.keys_per_generation = keys_per_generation
        self.young: dict[str, int] = {}
        self.old: dict[str, int] = {}

    def assign(self, key: str, version_ms: int, latest_ms: int) -> int:
        """Return the version to send, and remember it."""
        version_ms = self.next_version(key, version_ms, latest_ms)
        self.remember(key, version_ms)
        return version_ms

    def next_version(self, key: str, version_ms: int, latest_ms: int) -> int:
        """Return the change's version, or the key's last version plus 1 if that is higher.

        Raises: TIME_RANGE when the result is beyond `latest_ms`.
        """
        last = self.last(key)
        # On a tie or a step back: 1 ms later than the last version, so that the newer change wins.
        if last is not None and version_ms <= last:
            version_ms = last + 1
        if version_ms > latest_ms:
            detail = (
                "expected a Record Modified at most five minutes ahead of now, got a later one;"
                " check the source's clock and the rule's `unit`"
            )
            raise RecordError(Reason.TIME_RANGE, detail)
        return version_ms

    def last(self, key: str) -> int | None:
        """Return the last version of a key; `None` if it is not remembered."""
        last = self.young.get(key)
        return self.old.get(key) if last is None else last

    def remember(self, key: str, version_ms: int) -> None:
        """Store the version of a change that is sent."""
        self.young[key] = version_ms
        if len(self.young) >= self.keys_per_generation:
            self.start_generation()

    def start_generation(self) -> None:
        """Start a new generation of keys and forget the old one."""
        self.old = self.young
        self.young = {}

    def mark_delete(self, key: str, deleted_ms: int) -> None:
        """Store the time of a delete: a row created again under the key must be later."""
        last = self.last(key)
        self.remember(key, deleted_ms if last is None else max(last, deleted_ms))

    def forget(self) -> None:
        """Forget every version, because records will be read a second time.

        With the old versions kept, an older change would be raised above the later changes of its
        key that were already sent, and would win in Data 360.
        """
        self.young = {}
        self.old = {}
