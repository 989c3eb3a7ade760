"""The consumer group as an operator sees it.

Whether anybody is in it, and setting its positions when nobody is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.errors import Refusal
from consumer.operations.kafka.standalone_client import ANSWER_S, standalone_conf
from consumer.source.error_codes import detail_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.model import PartitionKey
    from consumer.source.settings import KafkaSettings

_WITHOUT_MEMBERS: Final = frozenset({ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD})
"""The client has no name for some states of the newer protocol: those have members."""

_SOMEBODY_IS_THERE: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
    | {KafkaError.STALE_MEMBER_EPOCH, KafkaError.FENCED_MEMBER_EPOCH}
)
"""What the brokers answer to an outsider who commits for a group with members."""


class ConsumerGroup:
    """One group at its brokers; every question blocks for as long as they take to answer."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._name = f"group `{settings.group_id}`"
        # Kept: freed right after an answer it races with its own thread, which may still be giving
        # that.
        self._administrator = AdminClient(standalone_conf(settings, settings.group_id, _unheard))

    def is_in_use(self) -> bool:
        """Tell whether anybody is in it, by either protocol.

        Raises: `Refusal` without an answer.
        """
        try:
            listed = self._administrator.list_consumer_groups(request_timeout=ANSWER_S).result(
                ANSWER_S + 1
            )
        except KafkaException as error:
            message = f"the brokers do not say who is in {self._name}: {detail_of(error.args[0])}"
            raise Refusal(message) from error
        except TimeoutError as error:
            message = f"the brokers do not say who is in {self._name} within {ANSWER_S:.0f} s"
            raise Refusal(message) from error
        return any(
            one.group_id == self._settings.group_id and one.state not in _WITHOUT_MEMBERS
            for one in listed.valid
        )

    def set_positions(self, positions: Mapping[PartitionKey, int]) -> None:
        """Set where it goes on; the brokers take that from an outsider only while nobody is in it.

        Raises: `Refusal` when they do not take it.
        """
        consumer = Consumer(standalone_conf(self._settings, self._settings.group_id, _unheard))
        try:
            places = [TopicPartition(*place, offset) for place, offset in sorted(positions.items())]
            answers = consumer.commit(offsets=places, asynchronous=False) or []
        except KafkaException as error:
            raise self._not_taken(error.args[0]) from error
        finally:
            consumer.close()
        for answer in answers:
            if answer.error is not None:
                raise self._not_taken(answer.error)

    def _not_taken(self, error: KafkaError) -> Refusal:
        if error.code() in _SOMEBODY_IS_THERE:
            return Refusal(
                f"{self._name} has members: stop them, then hand over again; its positions stay"
            )
        return Refusal(f"{self._name} cannot be handed its positions: {detail_of(error)}")


def _unheard(_error: KafkaError) -> None:
    """What the client tells beside its answers is told again by them."""
