"""Dead letters: the bytes of the record, then our headers with the reason."""

from __future__ import annotations

import pytest

from consumer.dead_letter.envelope import (
    REPLAYS,
    DeadLetterContext,
    RecordFault,
    failed_replays,
    full_copy,
    minimal,
    original_headers,
    reference,
)
from consumer.errors import Reason
from consumer.model import Headers, PlainRecord

CONTEXT = DeadLetterContext(
    connector_name="kafka_events", task_id="crm", config_sha256="ab12", version="0.1.0"
)
FULL = RecordFault(
    reason=Reason.SINK_REJECTED,
    detail="expected a number, got text",
    field="age",
    object="customers",
    http_status=400,
    attempts=3,
    first_failed_at_ms=1_700_000_000_123,
)
BARE = RecordFault(reason=Reason.DECODE_SYNTAX, first_failed_at_ms=0)


def _record(
    headers: Headers | None = None, *, key: bytes | None = b"42", value: bytes | None = b"{}"
) -> PlainRecord:
    return PlainRecord("shop.customers", 3, 17, key=key, value=value, headers=headers)


def _added(headers: Headers) -> dict[str, str | None]:
    return {name: None if value is None else value.decode() for name, value in headers}


def test_everything_known_is_in_the_headers() -> None:
    """A fault with every value set fills every header that the documentation promises."""
    assert {
        "__connect.errors.topic": "shop.customers",
        "__connect.errors.partition": "3",
        "__connect.errors.offset": "17",
        "__connect.errors.connector.name": "kafka_events",
        "__connect.errors.task.id": "crm",
        "__connect.errors.stage": "TASK_PUT",
        "__connect.errors.class.name": "consumer.delivery",
        "__connect.errors.exception.class.name": "consumer.model.Reject",
        "__connect.errors.exception.message": "SINK_REJECTED in age: expected a number, got text",
        "datacloud.reason": "SINK_REJECTED",
        "datacloud.detail": "expected a number, got text",
        "datacloud.field": "age",
        "datacloud.object": "customers",
        "datacloud.http.status": "400",
        "datacloud.attempts": "3",
        "datacloud.first.failed.at": "2023-11-14T22:13:20.123Z",
        "datacloud.config.sha256": "ab12",
        "datacloud.version": "0.1.0",
    } == _added(full_copy(_record(), FULL, CONTEXT).headers)


def test_a_fault_with_only_a_reason_has_all_mandatory_headers() -> None:
    """Topic, partition, offset, stage, classes, message, reason, attempts, time, version."""
    bare_context = DeadLetterContext(
        connector_name=None, task_id=None, config_sha256="ab12", version="0.1.0"
    )
    assert {
        "__connect.errors.topic": "shop.customers",
        "__connect.errors.partition": "3",
        "__connect.errors.offset": "17",
        "__connect.errors.stage": "VALUE_CONVERTER",
        "__connect.errors.class.name": "consumer.decoding",
        "__connect.errors.exception.class.name": "consumer.errors.RecordError",
        "__connect.errors.exception.message": "DECODE_SYNTAX",
        "datacloud.reason": "DECODE_SYNTAX",
        "datacloud.attempts": "1",
        "datacloud.first.failed.at": "1970-01-01T00:00:00.000Z",
        "datacloud.config.sha256": "ab12",
        "datacloud.version": "0.1.0",
    } == _added(full_copy(_record(), BARE, bare_context).headers)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(f"h{at}", b"v") for at in range(1000)], id="H04"),
        pytest.param([("trace", b"1"), ("trace", b"2"), ("trace", b"1")], id="duplicates"),
        pytest.param([("nothing", None), ("empty", b"")], id="null-and-empty"),
        pytest.param([("raw", b"\xff\x00\x1b[31m")], id="not-text"),
        pytest.param(
            [("datacloud.reason", b"theirs"), ("__connect.errors.stage", b"PRODUCE")],
            id="our-names",
        ),
    ],
)
def test_original_headers_come_first_and_untouched(headers: Headers) -> None:
    """All headers of the record are kept, in order, before our first header."""
    assert list(headers) == list(full_copy(_record(headers), FULL, CONTEXT).headers[: len(headers)])


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff{", b"x"])
def test_key_and_value_are_kept_byte_for_byte(content: bytes | None) -> None:
    """Null stays null, empty stays empty, bytes stay bytes."""
    sent = full_copy(_record(key=content, value=content), FULL, CONTEXT)
    assert (content, content) == (sent.key, sent.value)


def test_original_headers_are_restored_exactly() -> None:
    """Also when a dead letter is dead-lettered again."""
    own: Headers = (("trace", b"1"), ("nothing", None))
    once = full_copy(_record(own), FULL, CONTEXT)
    twice = full_copy(_record(once.headers), FULL, CONTEXT)
    assert (own, once.headers) == (original_headers(once.headers), original_headers(twice.headers))


def test_a_record_that_is_not_a_dead_letter_keeps_all_headers() -> None:
    """Restoring the original headers of a plain record changes nothing."""
    assert (("a", b"1"),) == original_headers([("a", b"1")])


@pytest.mark.parametrize(("carried", "failed"), [(None, None), (b"0", 1), (b"1", 2), (b"41", 42)])
def test_replays_count_up(carried: bytes | None, failed: int | None) -> None:
    """A record without the header was not replayed; each failed replay adds one."""
    headers: Headers = (("trace", b"1"), *([] if carried is None else [(REPLAYS, carried)]))
    assert failed == failed_replays(full_copy(_record(headers), FULL, CONTEXT).headers)


@pytest.mark.parametrize("foreign", [b"", b"many", b"-1", b"9" * 5000, "²".encode()])
def test_a_count_that_is_not_a_number_starts_at_zero(foreign: bytes) -> None:
    """A header of that name whose value is not a plain number counts as no failed replay."""
    carried = full_copy(_record([("datacloud.replays", foreign)]), FULL, CONTEXT).headers
    assert 1 == failed_replays(carried)


def test_g09_reference_has_no_value_and_says_so() -> None:
    """The reference form keeps key, headers and position, has no value, and is marked."""
    record = _record([("trace", b"1")], value=b"x" * 1_000_000)
    sent = reference(record, FULL, CONTEXT)
    full = full_copy(record, FULL, CONTEXT)
    assert (b"42", None, (*full.headers, ("datacloud.reference", b"true"))) == (
        sent.key,
        sent.value,
        sent.headers,
    )


def test_g09_reference_of_huge_headers_fits() -> None:
    """The reference form leaves out a key and headers that are too large."""
    record = _record([(f"h{at}", b"v" * 2000) for at in range(1000)], key=b"k" * 500_000)
    sent = reference(record, FULL, CONTEXT)
    assert (None, "__connect.errors.topic") == (sent.key, sent.headers[0][0])


@pytest.mark.parametrize(
    ("headers", "replays"),
    [((), {}), (((REPLAYS, b"2"),), {"datacloud.replays": "3"})],
    ids=["first", "replayed"],
)
def test_g09_the_smallest_form_finds_the_record_again(
    headers: Headers, replays: dict[str, str]
) -> None:
    """Position and reason; the count of replays stays, because it ends loops."""
    record = _record([*headers, ("h", b"v" * 30_000)], key=b"k" * 30_000)
    sent = minimal(record, FULL, CONTEXT)
    assert (None, None) == (sent.key, sent.value)
    assert {
        "__connect.errors.topic": "shop.customers",
        "__connect.errors.partition": "3",
        "__connect.errors.offset": "17",
        "datacloud.reason": "SINK_REJECTED",
        "datacloud.reference": "true",
    } | replays == _added(sent.headers)


def test_long_text_is_cut() -> None:
    """A long error message of the service is cut at 512 characters."""
    long = RecordFault(reason=Reason.SINK_REJECTED, detail="é" * 5000, first_failed_at_ms=0)
    detail = _added(full_copy(_record(), long, CONTEXT).headers)["datacloud.detail"]
    assert "é" * 511 + "…" == detail


def test_text_that_is_not_unicode_is_escaped() -> None:
    """A lone surrogate in a detail is written as its escape and raises nothing."""
    odd = RecordFault(reason=Reason.FIELD_CHARS, detail="\ud800", first_failed_at_ms=0)
    assert "\\ud800" == _added(full_copy(_record(), odd, CONTEXT).headers)["datacloud.detail"]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_stage_of_connect(reason: Reason) -> None:
    """Tools that read Connect's headers find a stage name of Connect."""
    sent = full_copy(_record(), RecordFault(reason=reason, first_failed_at_ms=0), CONTEXT)
    assert _added(sent.headers)["__connect.errors.stage"] in {
        "VALUE_CONVERTER",
        "TRANSFORMATION",
        "TASK_PUT",
    }
