"""Remembers under which leader epoch the record before a position was written.

With the epoch a leader can check whether its log still has that record (KIP-320).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

UNKNOWN: Final = -1
"""No leader epoch: the brokers accept the position without a check."""

SEEK_TRIES: Final = 5
SEEK_AGAIN_S: Final = 0.02
"""A partition that was just assigned may not have reached the client's main thread yet."""


def validate_positions(
    consumer: Consumer, positions: Iterable[TopicPartition], wait: Callable[[float], object]
) -> list[tuple[TopicPartition, KafkaError]]:
    """Have the leaders check whether their logs have the record before each position.

    The positions were assigned just before. The client sends this check for a seek, but never for
    an assignment. The result comes with the records: a lost offset if the log was truncated, even
    if it has grown again since. A seek waits for no broker, and drops records fetched before it.

    Returns: the positions that could not be checked, and the error of each.
    """
    refused = []
    tries = SEEK_TRIES
    for target in positions:
        # Without an epoch there is nothing to check. A seek fails while the client still processes
        # the assignment: try again, a few times over all positions together.
        while target.leader_epoch is not None:
            try:
                consumer.seek(target)
            except KafkaException as error:
                if tries:
                    tries -= 1
                    wait(SEEK_AGAIN_S)
                    continue
                refused.append((target, error.args[0]))
            break
    return refused


def diverged_at(error: KafkaError) -> int | None:
    """Return the offset from which a leader's log differs from what was read, if it is known.

    The client reports it only inside the text of its message.
    """
    found = _DIVERGED_AT.search(error.str())
    return None if found is None else int(found[1])


def describe_loss(
    position: int, epoch: int, low: int | None, end: int | None, diverged: int | None
) -> str:
    """Return a description of a position that cannot be read any more, with the next step.

    `low` and `end` are the offsets that the partition holds; `diverged` is from `diverged_at`.
    """
    where = f"position {position}"
    if epoch != UNKNOWN:
        where += f" (leader epoch {epoch})"
    if low is None or end is None:
        return (
            f"{where} is not in the partition any more, and its leader did not report which"
            f" offsets it has. {_DECIDE}"
        )
    seen = f"{where} cannot be read; the partition has offsets {low} to {end}: "
    if position < low:
        count = low - position
        removed = "1 offset was" if count == 1 else f"{count} offsets were"
        return (
            f"{seen}{removed} removed before being read (retention or deleted records). {_DECIDE}"
        )
    if diverged is not None:
        return (
            f"{seen}from offset {diverged} on, its records are not the ones that were read"
            f" ({_CAUSES}). Nothing is skipped: stop the group and reset its position to"
            f" {diverged}, or to {low} if the topic was recreated. {_TWICE}"
        )
    change = "was truncated" if position > end else "was truncated, and has grown since"
    return (
        f"{seen}the log {change} ({_CAUSES}). Nothing is skipped: records below the position may"
        " differ from the ones that were read. Stop the group and reset its position to an offset"
        f" before the difference. {_TWICE}"
    )


_DIVERGED_AT: Final = re.compile(r"\bbroker end offset is (\d+)\b")
_CAUSES: Final = "an unclean leader election, or a recreated topic"
_TWICE: Final = "Sending records twice does no harm"
_DECIDE: Final = (
    "Nothing is skipped: stop the group and reset its position to where reading is to continue, or"
    " restore the records"
)


class _Span(NamedTuple):
    first: int
    end: int
    epoch: int


class LeaderEpochs:
    """The leader epochs of one partition's records that were read and are not committed.

    An epoch is given only for a position whose previous record is known. After a hole it is not: a
    transaction marker in the hole may be of a later leader, and the brokers would report an intact
    log as truncated.
    """

    __slots__ = ("_spans",)

    def __init__(self, position: int, epoch: int | None) -> None:
        """Start at a position, with the epoch that was committed with it, if any."""
        self._spans: list[_Span] = []
        if epoch is not None:
            self._spans.append(_Span(position - 1, position, epoch))

    def read(self, messages: Sequence[Message]) -> None:
        """Add records that were read, in offset order.

        Epochs never decrease, so equal epochs at both ends mean that all are equal.
        """
        if messages[0].leader_epoch() == messages[-1].leader_epoch():
            self._extend(messages[0], messages[-1])
        else:
            for message in messages:
                self._extend(message, message)

    def before(self, position: int) -> int:
        """Return the epoch of the record before a position, `UNKNOWN` if it is not known."""
        return next(
            (span.epoch for span in self._spans if span.first < position <= span.end), UNKNOWN
        )

    def forget_before(self, position: int) -> None:
        """Drop the spans below a position that is committed."""
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
