"""Maps every error code of the Kafka client to the source's reaction to it.

One table; each code was decided by hand.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from confluent_kafka import KafkaError

from consumer.errors import HoldReason


class ErrorClass(StrEnum):
    """The reaction of the source to an error code."""

    IGNORED = "silent"
    """Part of the client's normal operation."""

    TRANSIENT = "passing"
    """The client retries by itself: one line in the log, and a hold only when one of our
    requests fails with it."""

    REJOIN = "rejoin"
    """This member left the group for the moment and joins again; a commit that fails with this
    is sent again."""

    MISSING_TOPIC = "absent"
    """The topic does not exist, not yet or not any more; connectors often create one with the
    first change."""

    BROKER = "broker"
    """Nothing moves until brokers answer again."""

    AUTH = "auth"
    """The brokers reject this client, or the client does not trust them."""

    CONFIG = "config"
    """The configuration of the group or the brokers does not match this client's."""

    OFFSET_LOST = "offset_lost"
    """The position is not in the partition any more."""

    FATAL = "fatal"
    """Not expected in a consumer, or the client cannot continue."""


_IGNORED: Final = (
    "NO_ERROR _PARTITION_EOF _NO_OFFSET _ASSIGN_PARTITIONS _REVOKE_PARTITIONS _NODE_UPDATE _NOOP "
    "_DESTROY_BROKER _INTR _WAIT_CACHE _OUTDATED _RETRY _UNDERFLOW _PARTIAL _IN_PROGRESS "
    "_PREV_IN_PROGRESS MEMBER_ID_REQUIRED"
)

_TRANSIENT: Final = (
    # One connection or one request; `_ALL_BROKERS_DOWN` reports when all of them fail.
    "_TRANSPORT _RESOLVE _TIMED_OUT _TIMED_OUT_QUEUE _MSG_TIMED_OUT _WAIT_COORD _UNKNOWN_BROKER "
    "_FAIL _QUEUE_FULL REQUEST_TIMED_OUT NETWORK_EXCEPTION BROKER_NOT_AVAILABLE STALE_CTRL_EPOCH "
    "STALE_BROKER_EPOCH NOT_CONTROLLER THROTTLING_QUOTA_EXCEEDED REBOOTSTRAP_REQUIRED "
    "LISTENER_NOT_FOUND UNKNOWN_CONTROLLER_ID "
    # The coordinator or the leader is moving.
    "COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR "
    "NOT_LEADER_FOR_PARTITION REPLICA_NOT_AVAILABLE OFFSET_NOT_AVAILABLE FENCED_LEADER_EPOCH "
    "UNKNOWN_LEADER_EPOCH PREFERRED_LEADER_NOT_AVAILABLE ELIGIBLE_LEADERS_NOT_AVAILABLE "
    "UNSTABLE_OFFSET_COMMIT CONCURRENT_TRANSACTIONS FETCH_SESSION_ID_NOT_FOUND "
    "INVALID_FETCH_SESSION_EPOCH"
)

_REJOIN: Final = (
    "ILLEGAL_GENERATION UNKNOWN_MEMBER_ID REBALANCE_IN_PROGRESS STALE_MEMBER_EPOCH "
    "FENCED_MEMBER_EPOCH UNRELEASED_INSTANCE_ID GROUP_ID_NOT_FOUND GROUP_SUBSCRIBED_TO_TOPIC "
    "_MAX_POLL_EXCEEDED _ASSIGNMENT_LOST _STATE"
)

_MISSING_TOPIC: Final = (
    "UNKNOWN_TOPIC_OR_PART UNKNOWN_TOPIC_ID INCONSISTENT_TOPIC_ID _UNKNOWN_TOPIC "
    "_UNKNOWN_PARTITION RESOURCE_NOT_FOUND"
)

_BROKER: Final = (
    "_ALL_BROKERS_DOWN UNKNOWN LEADER_NOT_AVAILABLE KAFKA_STORAGE_ERROR LOG_DIR_NOT_FOUND "
    # A fetched batch cannot be read. The client fetches the same offset again, so the partition
    # does not move.
    "_BAD_MSG _BAD_COMPRESSION INVALID_MSG INVALID_MSG_SIZE UNSUPPORTED_COMPRESSION_TYPE "
    "INVALID_RECORD"
)

_AUTH: Final = (
    "_AUTHENTICATION _SSL SASL_AUTHENTICATION_FAILED UNSUPPORTED_SASL_MECHANISM "
    "ILLEGAL_SASL_STATE TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED "
    "CLUSTER_AUTHORIZATION_FAILED SECURITY_DISABLED DELEGATION_TOKEN_AUTH_DISABLED "
    "DELEGATION_TOKEN_NOT_FOUND DELEGATION_TOKEN_OWNER_MISMATCH "
    "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED DELEGATION_TOKEN_AUTHORIZATION_FAILED "
    "DELEGATION_TOKEN_EXPIRED INVALID_PRINCIPAL_TYPE PRINCIPAL_DESERIALIZATION_FAILURE "
    "UNACCEPTABLE_CREDENTIAL"
)

_CONFIG: Final = (
    "INCONSISTENT_GROUP_PROTOCOL INVALID_GROUP_ID INVALID_SESSION_TIMEOUT GROUP_MAX_SIZE_REACHED "
    "UNSUPPORTED_ASSIGNOR UNSUPPORTED_VERSION UNSUPPORTED_FOR_MESSAGE_FORMAT "
    "INVALID_REGULAR_EXPRESSION TOPIC_EXCEPTION MSG_SIZE_TOO_LARGE POLICY_VIOLATION "
    "INVALID_CONFIG MISMATCHED_ENDPOINT_TYPE UNSUPPORTED_ENDPOINT_TYPE _UNSUPPORTED_FEATURE "
    "_UNKNOWN_PROTOCOL"
)

_OFFSET_LOST: Final = "_AUTO_OFFSET_RESET OFFSET_OUT_OF_RANGE _LOG_TRUNCATION"

_FATAL: Final = (
    # The client itself.
    "_FATAL _APPLICATION _DESTROY _CRIT_SYS_RESOURCE _FS _INVALID_ARG _INVALID_TYPE _NOENT "
    "_CONFLICT _READ_ONLY _EXISTING_SUBSCRIPTION _NOT_CONFIGURED _NOT_IMPLEMENTED _UNKNOWN_GROUP "
    "_INCONSISTENT _FENCED _INVALID_DIFFERENT_RECORD _KEY_DESERIALIZATION _KEY_SERIALIZATION "
    "_VALUE_DESERIALIZATION _VALUE_SERIALIZATION "
    # Another process has the same static member id (`group.instance.id`).
    "FENCED_INSTANCE_ID "
    # Answers to requests that a consumer never sends: those of producers, transactions, admin
    # clients, controllers, share groups and Kafka Streams.
    "_ISR_INSUFF _PURGE_QUEUE _PURGE_INFLIGHT _GAPLESS_GUARANTEE INVALID_REQUEST "
    "INVALID_REQUIRED_ACKS INVALID_TIMESTAMP RECORD_LIST_TOO_LARGE NOT_ENOUGH_REPLICAS "
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND OUT_OF_ORDER_SEQUENCE_NUMBER DUPLICATE_SEQUENCE_NUMBER "
    "INVALID_PRODUCER_EPOCH INVALID_PRODUCER_ID_MAPPING INVALID_TRANSACTION_TIMEOUT "
    "INVALID_TXN_STATE TRANSACTION_COORDINATOR_FENCED TRANSACTION_ABORTABLE "
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED UNKNOWN_PRODUCER_ID PRODUCER_FENCED "
    "OFFSET_METADATA_TOO_LARGE INVALID_COMMIT_OFFSET_SIZE TOPIC_ALREADY_EXISTS INVALID_PARTITIONS "
    "INVALID_REPLICATION_FACTOR INVALID_REPLICA_ASSIGNMENT OPERATION_NOT_ATTEMPTED "
    "REASSIGNMENT_IN_PROGRESS NO_REASSIGNMENT_IN_PROGRESS NON_EMPTY_GROUP TOPIC_DELETION_DISABLED "
    "ELECTION_NOT_NEEDED DUPLICATE_RESOURCE FEATURE_UPDATE_FAILED INVALID_UPDATE_VERSION "
    "INCONSISTENT_VOTER_SET INVALID_VOTER_KEY DUPLICATE_VOTER VOTER_NOT_FOUND "
    "INVALID_REGISTRATION UNKNOWN_SUBSCRIPTION_ID TELEMETRY_TOO_LARGE INVALID_RECORD_STATE "
    "SHARE_SESSION_NOT_FOUND INVALID_SHARE_SESSION_EPOCH SHARE_SESSION_LIMIT_REACHED "
    "FENCED_STATE_EPOCH STREAMS_INVALID_TOPOLOGY STREAMS_INVALID_TOPOLOGY_EPOCH "
    "STREAMS_TOPOLOGY_FENCED"
)


def _table() -> dict[int, ErrorClass]:
    rows = {
        ErrorClass.IGNORED: _IGNORED,
        ErrorClass.TRANSIENT: _TRANSIENT,
        ErrorClass.REJOIN: _REJOIN,
        ErrorClass.MISSING_TOPIC: _MISSING_TOPIC,
        ErrorClass.BROKER: _BROKER,
        ErrorClass.AUTH: _AUTH,
        ErrorClass.CONFIG: _CONFIG,
        ErrorClass.OFFSET_LOST: _OFFSET_LOST,
        ErrorClass.FATAL: _FATAL,
    }
    return {
        getattr(KafkaError, name): error_class
        for error_class, names in rows.items()
        for name in names.split()
    }


ERROR_CLASSES: Final = _table()
"""Code to class. A code that is missing here came with a newer client: it is fatal until it is
added."""

HOLDS: Final = {
    ErrorClass.BROKER: HoldReason.BROKER,
    ErrorClass.AUTH: HoldReason.AUTH,
    ErrorClass.CONFIG: HoldReason.CONFIG,
    ErrorClass.OFFSET_LOST: HoldReason.OFFSET_LOST,
}
"""The classes that are a hold."""

_ADVICE: Final = {
    "_ALL_BROKERS_DOWN": (
        "no broker can be reached; check kafka.bootstrap_servers, the network and the brokers"
        " (connecting without TLS to a TLS listener looks the same)"
    ),
    "_AUTHENTICATION": (
        "the brokers reject the credentials; check sasl.mechanisms, sasl.username and sasl.password"
        " (with AWS_MSK_IAM: the role's permission kafka-cluster:Connect, and this log for missing"
        " AWS credentials)"
    ),
    "_SSL": (
        "no trusted TLS connection; check ssl.ca.location, and the brokers' certificates and host"
        " names"
    ),
    "TOPIC_AUTHORIZATION_FAILED": "grant this user READ and DESCRIBE on the topic",
    "GROUP_AUTHORIZATION_FAILED": "grant this user READ on the consumer group (kafka.group_id)",
    "INCONSISTENT_GROUP_PROTOCOL": (
        "other members of the group use a different partition.assignment.strategy or"
        " group.protocol; configure the same for all members"
    ),
    "INVALID_SESSION_TIMEOUT": (
        "session.timeout.ms is outside the range that the brokers allow"
        " (group.min.session.timeout.ms to group.max.session.timeout.ms)"
    ),
    "MSG_SIZE_TOO_LARGE": "raise receive.message.max.bytes in kafka.properties",
    "UNKNOWN_TOPIC_OR_PART": (
        "the topic does not exist, not yet or not any more; reading starts when it is created"
    ),
}

_DETAIL_CHARS: Final = 300


def class_of(error: KafkaError) -> ErrorClass:
    """Return the class of an error; one that the client itself calls fatal is fatal."""
    return ErrorClass.FATAL if error.fatal() else ERROR_CLASSES.get(error.code(), ErrorClass.FATAL)


def detail_of(error: KafkaError) -> str:
    """Return the name of the code, the next step if one is known, and the client's message."""
    words = " ".join(error.str().split())[:_DETAIL_CHARS]
    advice = _ADVICE.get(error.name())
    return f"{error.name()}: {advice} ({words})" if advice else f"{error.name()}: {words}"
