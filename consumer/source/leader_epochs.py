"""Under which leader the record before a position was written.

By it a leader knows whether its log has it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

UNKNOWN: Final = -1
"""No leader epoch: the brokers take the position as it is."""

SEEK_TRIES: Final = 5
SEEK_AGAIN_S: Final = 0.02
"""A partition that was assigned a moment ago may still be on its way to the client's main thread."""


def validate_positions(
    consumer: Consumer, places: Iterable[TopicPartition], wait: Callable[[float], object]
) -> list[tuple[TopicPartition, KafkaError]]:
    """Have the leaders say whether their logs still have the record before each position.

    Assigned just now.

    The client asks on a seek, and never when a partition is assigned. The answer comes with the
    records, as a lost offset where a log was shortened, though it may have grown again since. A
    seek waits for no broker, and drops what was fetched before it.

    Returns: what could not be asked, and why.
    """
    refused = []
    tries = SEEK_TRIES
    for place in places:
        while place.leader_epoch is not None:
            try:
                consumer.seek(place)
            except KafkaException as error:
                if tries:
                    tries -= 1
                    wait(SEEK_AGAIN_S)
                    continue
                refused.append((place, error.args[0]))
            break
    return refused


def diverged_at(error: KafkaError) -> int | None:
    """Return where a leader's log parts from the one that was read.

    As the client says it in words alone.
    """
    told = _DIVERGED_AT.search(error.str())
    return None if told is None else int(told[1])


def describe_loss(
    position: int, epoch: int, low: int | None, end: int | None, parted: int | None
) -> str:
    """Return what is seen of a log that does not go on at a position.

    And what can be done about it.
    """
    before = f"position {position}"
    if epoch != UNKNOWN:
        before += f" (leader epoch {epoch})"
    if low is None or end is None:
        return (
            f"{before}, but the partition does not hold it, and its leader did not say what it"
            f" holds. {_DECIDE}"
        )
    seen = f"{before}, but the partition holds {low} to {end}: "
    if position < low:
        return (
            f"{seen}{low - position} offsets were removed before they were read (retention,"
            f" deletion). {_DECIDE}"
        )
    if parted is not None:
        return (
            f"{seen}from offset {parted} on its records are not those that were read"
            f" ({_CAUSES}). Nothing is"
            f" skipped: stop the group and set its position back to {parted}, or to {low}"
            f" if the topic was made"
            f" again. {_TWICE}"
        )
    shorter = (
        "the log is shorter than it was"
        if position > end
        else "the log was shorter, and has grown since"
    )
    return (
        f"{seen}{shorter} ({_CAUSES}). Nothing is skipped: records below the position may"
        f" be others than those that"
        f" were read. Stop the group and set its position back to before that. {_TWICE}"
    )


_DIVERGED_AT: Final = re.compile(r"\bbroker end offset is (\d+)\b")
_CAUSES: Final = "an unclean election, or a topic that was made again"
_TWICE: Final = "What comes twice does no harm"
_DECIDE: Final = (
    "Nothing is skipped: stop the group and set its position to where it shall go on, or"
    " bring the records back"
)


class _Span(NamedTuple):
    first: int
    end: int
    epoch: int


class LeaderEpochs:
    """The leader epochs of one partition's records, as far as they were read and not committed.

    A position is vouched for only where the record before it is known. Behind a hole it is not: a
    marker there may be of a later leader, and the brokers would take a sound log for a shortened
    one.
    """

    __slots__ = ("_spans",)

    def __init__(self, position: int, epoch: int | None) -> None:
        """Begin at a position, with the epoch that was committed with it, if any."""
        self._spans: list[_Span] = []
        if epoch is not None:
            self._spans.append(_Span(position - 1, position, epoch))

    def read(self, messages: Sequence[Message]) -> None:
        """Note records that were read, in offset order.

        Epochs never fall, so mostly the two ends tell.
        """
        if messages[0].leader_epoch() == messages[-1].leader_epoch():
            self._extend(messages[0], messages[-1])
        else:
            for message in messages:
                self._extend(message, message)

    def before(self, position: int) -> int:
        """Return the epoch of the record before a position, `UNKNOWN` where that is not known."""
        return next(
            (span.epoch for span in self._spans if span.first < position <= span.end), UNKNOWN
        )

    def forget_before(self, position: int) -> None:
        """Drop what no position from here on asks for."""
        if len(self._spans) > 1:
            self._spans = [span for span in self._spans if span.end >= position]

    def _extend(self, first: Message, last: Message) -> None:
        epoch = last.leader_epoch()
        if epoch is None or epoch < 0:
            return
        begin, end = first.offset() or 0, (last.offset() or 0) + 1
        if self._spans and self._spans[-1].epoch == epoch:
            self._spans[-1] = self._spans[-1]._replace(end=end)
        else:
            self._spans.append(_Span(begin, end, epoch))
