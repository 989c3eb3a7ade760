"""The memory of Record Modified: makes it rise strictly per key, so that a newer change wins."""

from __future__ import annotations

from consumer.errors import Reason, RecordError

LARGEST_LEAD_MS = 300_000
"""The furthest that a version may be ahead of now. A row with a later version could not be deleted,
and later updates of it would lose."""

NO_LIMIT_MS = 1 << 400
"""The limit for a Record Modified that is a number and not a time."""

_KEYS_PER_GENERATION = 100_000


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
        last = self.young.get(key)
        if last is None:
            last = self.old.get(key)
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
        last = self.young.get(key)
        if last is None:
            last = self.old.get(key, deleted_ms)
        self.remember(key, max(last, deleted_ms))

    def forget(self) -> None:
        """Forget every version, because records will be read a second time.

        With the old versions kept, an older change would be raised above the later changes of its
        key that were already sent, and would win in Data 360.
        """
        self.young = {}
        self.old = {}
