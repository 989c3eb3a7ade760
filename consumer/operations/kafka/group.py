"""Tells whether a consumer group has members, and sets its positions while it has none."""

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
"""The client reports some states of the newer group protocol as unknown; those have members."""

_HAS_MEMBERS: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
    | {KafkaError.STALE_MEMBER_EPOCH, KafkaError.FENCED_MEMBER_EPOCH}
)
"""Errors for a commit by a client that is not a member, while the group has members."""


class ConsumerGroup:
    """One consumer group; every method blocks until the brokers answer."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._name = f"group `{settings.group_id}`"
        # Kept as an attribute: freeing an AdminClient right after an answer can crash the process,
        # because its own thread may still be delivering that answer.
        self._administrator = AdminClient(standalone_conf(settings, settings.group_id, _ignore))

    def is_in_use(self) -> bool:
        """Return whether the group has members, in the classic or the new group protocol.

        Raises: `Refusal` if the brokers do not answer.
        """
        try:
            listed = self._administrator.list_consumer_groups(request_timeout=ANSWER_S).result(
                ANSWER_S + 1
            )
        except KafkaException as error:
            message = (
                f"cannot tell whether {self._name} has members: the brokers answered"
                f" {detail_of(error.args[0])}"
            )
            raise Refusal(message) from error
        except TimeoutError as error:
            message = (
                f"cannot tell whether {self._name} has members: no answer from the brokers within"
                f" {ANSWER_S:.0f} s"
            )
            raise Refusal(message) from error
        return any(
            one.group_id == self._settings.group_id and one.state not in _WITHOUT_MEMBERS
            for one in listed.valid
        )

    def set_positions(self, positions: Mapping[PartitionKey, int]) -> None:
        """Commit positions for the group, which the brokers accept only while it has no members.

        Raises: `Refusal` if they do not accept them.
        """
        consumer = Consumer(standalone_conf(self._settings, self._settings.group_id, _ignore))
        try:
            places = [TopicPartition(*place, offset) for place, offset in sorted(positions.items())]
            answers = consumer.commit(offsets=places, asynchronous=False) or []
        except KafkaException as error:
            raise self._not_accepted(error.args[0]) from error
        finally:
            consumer.close()
        for answer in answers:
            if answer.error is not None:
                raise self._not_accepted(answer.error)

    def _not_accepted(self, error: KafkaError) -> Refusal:
        if error.code() in _HAS_MEMBERS:
            return Refusal(
                f"{self._name} has members, so its positions were not changed: stop the daemons,"
                f" then run the same command again"
            )
        return Refusal(
            f"the positions of {self._name} were not changed: the brokers answered"
            f" {detail_of(error)}"
        )


def _ignore(_error: KafkaError) -> None:
    """Ignore errors from the callback: the failed call reports the same error."""
