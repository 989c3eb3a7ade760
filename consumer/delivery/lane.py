"""One object's way out: its batcher, its fuse, and whether it is held."""

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
    """While a lane is held one batch at a time goes out as a probe, at rising intervals."""

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
        """Tell whether a ready batch may go out now."""
        if not self.batcher.ready:
            return False
        return self.held is None or (now_s >= self.probe_due_s and self.probe is None)

    def probes_newest(self, now_s: float) -> bool:
        """Tell whether a mass rejection is about to be probed.

        The newest is the likeliest to be good.
        """
        held = self.held
        return (
            held is not None and held.reason is HoldReason.MASS_REJECT and now_s >= self.probe_due_s
        )

    def take(self, now_s: float) -> Batch:
        """Take out the batch that goes next.

        In turn, but after a mass rejection what was refused stands first.
        """
        ready = self.batcher.ready
        return ready.pop() if self.probes_newest(now_s) else ready.popleft()

    def hold(self, hold: HoldLane, batch: Batch, now_s: float) -> None:
        """Begin a hold that this batch ran into.

        Or go on with it after a probe that found it lasting.
        """
        if self.held is not None and self.probe is not batch:
            return  # an answer to what was sent before the hold began
        self._probes = 0 if self.held is None else self._probes + 1
        self.held = hold
        self.probe_due_s = now_s + probe_interval_s(self._probes)

    def release_on_answer(self) -> HoldLane | None:
        """The service took a batch for what it is: whatever held the lane is over.

        Returns what that was.

        A mass rejection is not over by a further rejection: see `release_on_acceptance`.
        """
        if self.held is None or self.held.reason is HoldReason.MASS_REJECT:
            return None
        return self._release()

    def release_on_acceptance(self) -> HoldLane | None:
        """The service accepted a batch: nothing holds the lane any more. Returns what did."""
        if self.held is not None and self.held.reason is HoldReason.MASS_REJECT:
            self.fuse.mend()
        return self._release()

    def release_when_empty(self) -> HoldLane | None:
        """Nothing is left to send: the next batch will show whether the cause is gone.

        Returns what held.
        """
        return self._release()

    def _release(self) -> HoldLane | None:
        held, self.held, self._probes = self.held, None, 0
        return held
