"""Declare the log events: name, level, fields and meaning of each event that is written.

`docs/log-events.md` shows this table. Tests compare it with the page and with every call of a
logger. Lines that libraries write through `logging` are not events; they pass through as text.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

EventLevel = Literal["debug", "info", "warning", "error", "any"]


class LogEvent(msgspec.Struct, frozen=True):
    """One log event. `any` is the level of an event that carries another program's levels."""

    name: str
    level: EventLevel
    fields: tuple[str, ...]
    meaning: str


FIELDS: Final[dict[str, str]] = {
    "admin_port": "TCP port of the admin server, or `off`.",
    "bytes": "Largest request body, in bytes.",
    "code": "Name of the Kafka client's error code, e.g. `TOPIC_AUTHORIZATION_FAILED`.",
    "commits": "Number of offset commits.",
    "config_sha256": "SHA-256 of the effective configuration, secrets left out.",
    "count": "Number of partitions.",
    "detail": "A sentence for a person: the cause, and the next step where there is one.",
    "elapsed_s": "Time from request to answer, in seconds.",
    "facility": "The part of librdkafka that wrote the line, e.g. `REBALANCE`.",
    "faults": "List of configuration faults, each with file, line and column.",
    "field": "Field of the record that was rejected; null when the fault is not in one field.",
    "job": "Identifier of the bulk job.",
    "last_known_end": "End offset of the deleted topic's partition, as last seen.",
    "lasted_s": "How long the problem lasted, in seconds.",
    "line": "The client's own text.",
    "new_host": "Host name that requests are sent to from now on.",
    "log_level": "The log level in force from now on.",
    "old_host": "Host name that requests were sent to before.",
    "object": "Data 360 object or CRM sObject.",
    "offset": "Offset of the record.",
    "offset_s": "This machine's clock minus the service's, in seconds.",
    "partition": "Partition number.",
    "partitions": "List of `topic[partition]@position`, or the number of partitions.",
    "position": "Next offset to read.",
    "read_to": "Offset up to which the deleted topic's partition was read.",
    "reason": "Reason of the hold or of the dead letter.",
    "records": "Number of records.",
    "region": "AWS region that the login is signed for.",
    "result": "HTTP status, or `timeout`, `connection`, `refused`, `failed`.",
    "rule": "Filter rule, e.g. `tombstone`.",
    "scope": "What is held: an object, a topic, `topic[partition]#epoch`, or `everything`.",
    "signal": "Name of the signal, e.g. `SIGTERM`.",
    "start_at": "`earliest`, `latest`, or a time in milliseconds since 1970.",
    "step": "Step of the bulk job, e.g. `create`.",
    "stopped_s": "How long the process did not run, in seconds.",
    "timeout_s": "The limit that was reached, in seconds.",
    "topic": "Topic name.",
    "topics": "Number of topics.",
    "version": "Version of the program.",
    "wait_s": "How long requests pause, in seconds.",
    "waited_s": "How long the program has waited, in seconds.",
    "what": "Topic, or `the cluster`, whose identifier was requested.",
}
"""Every field of the events below, with its meaning and unit."""

CHANGES: Final[dict[str, str]] = {
    "hold_started": "hold_ended",
    "loop_stalled": "loop_caught_up",
    "member_stopped": "member_confirmed",
    "commit_failed": "commit_recovered",
    "topic_missing": "topic_found",
    "aws_credentials_missing": "aws_credentials_found",
    "clock_off": "clock_right",
}
"""Events that begin a state, each with the event that ends it."""

EVENTS: Final[tuple[LogEvent, ...]] = (
    # ── the process
    LogEvent(
        "daemon_starting",
        "info",
        ("version", "config_sha256", "admin_port"),
        "The configuration is valid and the admin port listens; checks follow, then the records.",
    ),
    LogEvent(
        "daemon_draining",
        "info",
        ("signal",),
        "A signal asked the daemon to stop: it finishes requests in flight, commits, and leaves.",
    ),
    LogEvent("daemon_stopped", "info", (), "The daemon has left the group; the process ends."),
    LogEvent(
        "exit_forced",
        "warning",
        ("signal", "detail"),
        "A second signal ended the process at once; uncommitted records will be read again.",
    ),
    LogEvent(
        "internal_error",
        "error",
        ("detail",),
        "The program met an error that it does not handle; the process ends with exit code 70.",
    ),
    LogEvent(
        "event_loop_error",
        "warning",
        ("detail",),
        "The event loop reported a problem of one connection, or one without an exception; the"
        " daemon continues.",
    ),
    LogEvent(
        "process_is_dumpable",
        "warning",
        ("detail",),
        "The system refused to protect the process's memory from other processes of its user.",
    ),
    LogEvent(
        "loop_stalled",
        "warning",
        ("waited_s",),
        "The event loop took no records for this long; fetching is paused until it does.",
    ),
    LogEvent(
        "loop_caught_up",
        "info",
        ("lasted_s",),
        "The event loop takes records again; fetching is resumed.",
    ),
    LogEvent(
        "member_stopped",
        "warning",
        ("stopped_s",),
        "The process did not run for this long. Requests wait until the group confirms ownership.",
    ),
    LogEvent(
        "member_confirmed",
        "info",
        ("lasted_s",),
        "The group accepted a commit after the process was stopped; requests are sent again.",
    ),
    LogEvent(
        "clock_off",
        "warning",
        ("offset_s", "detail"),
        "This machine's clock is more than 60 s away from the service's; times are corrected.",
    ),
    LogEvent(
        "clock_right",
        "info",
        ("offset_s",),
        "This machine's clock agrees with the service's again.",
    ),
    # ── configuration
    LogEvent(
        "config_warning",
        "warning",
        ("detail",),
        "The configuration is valid, but one of its settings is risky.",
    ),
    LogEvent("log_level_reloaded", "info", ("log_level",), "SIGHUP: the log level was read again."),
    LogEvent(
        "log_level_unchanged",
        "error",
        ("detail", "faults"),
        "SIGHUP: the configuration has faults, so the log level stays as it was.",
    ),
    # ── holds
    LogEvent(
        "hold_started",
        "warning",
        ("reason", "scope", "detail"),
        "Records wait, nothing is dropped; the hold ends within 30 s of its cause.",
    ),
    LogEvent(
        "hold_ended",
        "info",
        ("reason", "scope", "lasted_s"),
        "The cause is gone and the records move again, or the partition was revoked.",
    ),
    # ── partitions and positions
    LogEvent(
        "partitions_assigned",
        "info",
        ("count", "partitions"),
        "The group assigned partitions to this replica.",
    ),
    LogEvent(
        "partitions_revoked",
        "info",
        ("count", "partitions"),
        "The group takes partitions back; the daemon drains and commits them first.",
    ),
    LogEvent(
        "partitions_lost",
        "warning",
        ("count", "partitions"),
        "The group took partitions back without notice, for example after a session time-out.",
    ),
    LogEvent(
        "drain_timeout",
        "warning",
        ("partitions", "timeout_s"),
        "Revoked partitions were not drained within `delivery.drain_timeout`; they are released.",
    ),
    LogEvent(
        "records_released",
        "warning",
        ("topic", "records", "detail"),
        "Partitions were given up with unsettled records; their next owner reads these again.",
    ),
    LogEvent(
        "commit_failed",
        "warning",
        ("partitions", "detail"),
        "An offset commit failed; its positions are committed again with the next one.",
    ),
    LogEvent("commit_recovered", "info", ("lasted_s",), "Offset commits succeed again."),
    LogEvent(
        "start_positions_decided",
        "info",
        ("count", "topics", "start_at", "detail"),
        "Where partitions without a committed position start, and why.",
    ),
    LogEvent(
        "position_outdated",
        "warning",
        ("topic", "partition", "position", "detail"),
        "The committed position belongs to a deleted topic of the same name and is not used.",
    ),
    LogEvent(
        "position_not_checked",
        "warning",
        ("topic", "partition", "detail"),
        "The client could not check whether the leader still has the record before the position.",
    ),
    LogEvent(
        "group_left_with_error",
        "warning",
        ("code",),
        "Leaving the group failed; the group notices after the session time-out.",
    ),
    LogEvent(
        "commits_unanswered",
        "warning",
        ("commits", "waited_s"),
        "The brokers did not answer the last commits before the daemon left.",
    ),
    # ── topics and brokers
    LogEvent(
        "topic_missing",
        "warning",
        ("topic", "detail"),
        "A configured topic does not exist; it is read as soon as it does.",
    ),
    LogEvent("topic_found", "info", ("topic", "lasted_s"), "A missing topic exists now."),
    LogEvent(
        "topic_recreated",
        "warning",
        ("topic", "partition", "read_to", "last_known_end", "detail"),
        "The topic was deleted and created again; its partition is read from the beginning.",
    ),
    LogEvent(
        "topic_id_unknown",
        "warning",
        ("what", "detail"),
        "The brokers give no topic IDs, so a topic that is created again cannot be recognised.",
    ),
    LogEvent(
        "kafka_error",
        "warning",
        ("code", "topic", "detail"),
        "The Kafka client reported an error that needs no hold; once a minute for each.",
    ),
    LogEvent(
        "kafka_client",
        "any",
        ("facility", "line"),
        "A log line of librdkafka, with librdkafka's level.",
    ),
    LogEvent(
        "aws_credentials_missing",
        "warning",
        ("region", "detail"),
        "No AWS credentials to sign the login to Amazon MSK; looked for again every 8 s.",
    ),
    LogEvent(
        "aws_credentials_found",
        "info",
        ("region", "lasted_s"),
        "AWS credentials are available again.",
    ),
    # ── records
    LogEvent(
        "records_filtered",
        "debug",
        ("topic", "rule", "records"),
        "Records were deliberately not sent.",
    ),
    LogEvent(
        "record_dead_lettered",
        "warning",
        ("topic", "partition", "offset", "reason", "field", "detail", "object"),
        "A record at fault is in the dead-letter topic.",
    ),
    # ── requests
    LogEvent("token_refreshed", "info", (), "A new access token was issued."),
    LogEvent(
        "token_refresh_failed",
        "warning",
        ("result",),
        "No new access token: `refused` by the service, or `failed` to get an answer.",
    ),
    LogEvent(
        "tenant_moved",
        "info",
        ("old_host", "new_host"),
        "A new login named another host for the tenant or the CRM; requests go there from now on.",
    ),
    LogEvent(
        "requests_throttled",
        "info",
        ("wait_s",),
        "The service asked for a pause, and requests wait for it.",
    ),
    LogEvent(
        "body_limit_changed",
        "info",
        ("object", "bytes"),
        "The size limit for requests of this object changed: larger ones were answered 413, or are"
        " accepted again.",
    ),
    LogEvent(
        "batch_outcome_unknown",
        "info",
        ("object", "detail"),
        "A request was sent and not answered, so the same batch is sent again.",
    ),
    LogEvent(
        "undocumented_acceptance",
        "warning",
        ("object", "detail"),
        "The service accepted a batch with a status or a body that it does not document.",
    ),
    # ── bulk jobs
    LogEvent(
        "bulk_job_request",
        "debug",
        ("object", "step", "result", "elapsed_s"),
        "One request of a bulk job ended.",
    ),
    LogEvent(
        "bulk_job_found",
        "warning",
        ("object", "job", "detail"),
        "A bulk job of an earlier run was found; `detail` says what is done with it.",
    ),
    LogEvent("bulk_job_finished", "info", ("object", "job"), "A bulk job ended."),
)
"""Every event of the program, grouped by subject."""
