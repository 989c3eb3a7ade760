"""One object's lane: its batcher, its fuse, and its hold with the probes that end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.backoff import probe_interval_s
from consumer.errors import HoldReason

if TYPE_CHECKING:
    from consumer.batching.batch import Batch
    from consumer.batching.batcher import Batcher
    from consumer.dead_letter.fuse import Fuse
    from consumer.delivery.verdicts import HoldLane


class Lane:
    """The state of one lane. While held it sends one batch at a time as a probe."""

    __slots__ = ("_probes", "batcher", "fuse", "held", "primary_key", "probe", "probe_due_s")

    def __init__(self, batcher: Batcher, fuse: Fuse, primary_key: str) -> None:
        self.batcher = batcher
        self.fuse = fuse
        self.primary_key = primary_key
        self.held: HoldLane | None = None
        self.probe_due_s = 0.0
        self.probe: Batch | None = None
        self._probes = 0

    def may_start(self, now_s: float) -> bool:
        """Tell whether a ready batch may be sent now."""
        if not self.batcher.ready:
            return False
        return self.held is None or (now_s >= self.probe_due_s and self.probe is None)

    def probes_newest(self, now_s: float) -> bool:
        """Tell whether the next batch probes a mass rejection.

        The probe is the newest batch, which is the likeliest to be good.
        """
        held = self.held
        return (
            held is not None and held.reason is HoldReason.MASS_REJECT and now_s >= self.probe_due_s
        )

    def take(self, now_s: float) -> Batch:
        """Remove and return the next batch: the oldest, or the newest to probe a mass rejection.

        After a mass rejection the rejected batches are at the front.
        """
        ready = self.batcher.ready
        batch = ready.pop() if self.probes_newest(now_s) else ready.popleft()
        return self.batcher.fitted(batch)

    def hold(self, hold: HoldLane, batch: Batch, now_s: float) -> None:
        """Begin a hold because of this batch, or extend it when the batch was its probe."""
        if self.held is not None and self.probe is not batch:
            return  # sent before the hold began; only a probe may extend it
        # The first probe comes after the shortest interval, each further one later.
        self._probes = 0 if self.held is None else self._probes + 1
        self.held = hold
        self.probe_due_s = now_s + probe_interval_s(self._probes)

    def release_on_answer(self) -> HoldLane | None:
        """End a hold because the service judged the rows of a batch; return the hold.

        A rejection shows that the set-up works. It does not end a MASS_REJECT hold, which needs an
        acceptance: see `release_on_acceptance`.
        """
        if self.held is None or self.held.reason is HoldReason.MASS_REJECT:
            return None
        return self._release()

    def release_on_acceptance(self) -> HoldLane | None:
        """End any hold because the service accepted a batch; return the hold."""
        if self.held is not None and self.held.reason is HoldReason.MASS_REJECT:
            self.fuse.reset()
        return self._release()

    def release_when_empty(self) -> HoldLane | None:
        """End a hold because no batch is left to probe with; return the hold.

        The next batch will show whether the cause is gone.
        """
        return self._release()

    def _release(self) -> HoldLane | None:
        held, self.held, self._probes = self.held, None, 0
        return held
