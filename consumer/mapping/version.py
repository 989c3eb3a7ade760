"""Record Modified: strictly rising per key.

So that no older change of a row can win over a newer one.
"""

from __future__ import annotations

from consumer.errors import Reason, RecordError

LARGEST_LEAD_MS = 300_000
"""How far a version may lie ahead of now: a row beyond it could not be deleted and would block
later updates."""

NO_LIMIT_MS = 1 << 400
"""The limit of a Record Modified that counts something else than time."""

_KEYS_PER_GENERATION = 100_000


class VersionMemory:
    """The last version given to each key of one target, for all routes that fill it.

    Bounded: two generations of keys. A key that neither remembers was last seen at least one
    generation of other keys ago.
    """

    def __init__(self, keys_per_generation: int = _KEYS_PER_GENERATION) -> None:
        self.keys_per_generation = keys_per_generation
        self.young: dict[str, int] = {}
        self.old: dict[str, int] = {}

    def rise(self, key: str, version_ms: int, latest_ms: int) -> int:
        """Return the version to send, and remember it. As `next_version`, then `remember`."""
        version_ms = self.next_version(key, version_ms, latest_ms)
        self.remember(key, version_ms)
        return version_ms

    def next_version(self, key: str, version_ms: int, latest_ms: int) -> int:
        """Return the change's own version.

        Or one more than the last of its key when that is not later.

        Raises: TIME_RANGE when it would lie beyond `latest_ms`.
        """
        last = self.young.get(key)
        if last is None:
            last = self.old.get(key)
        if last is not None and version_ms <= last:
            version_ms = last + 1
        if version_ms > latest_ms:
            detail = (
                "Record Modified lies more than five minutes ahead of now; check the source's"
                " clock and unit"
            )
            raise RecordError(Reason.TIME_RANGE, detail)
        return version_ms

    def remember(self, key: str, version_ms: int) -> None:
        """Keep the version of a change that is sent."""
        self.young[key] = version_ms
        if len(self.young) >= self.keys_per_generation:
            self.turn()

    def turn(self) -> None:
        """Begin a new generation of keys; the one before the last is forgotten."""
        self.old = self.young
        self.young = {}

    def mark_delete(self, key: str, deleted_ms: int) -> None:
        """Keep when a row was deleted: one created again under its key must be later."""
        last = self.young.get(key)
        if last is None:
            last = self.old.get(key, deleted_ms)
        self.remember(key, max(last, deleted_ms))

    def forget(self) -> None:
        """Forget every version: records come a second time.

        Lifted over the later changes of its key that were mapped the first time, an older change
        would win over them for whoever reads them after us.
        """
        self.young = {}
        self.old = {}
