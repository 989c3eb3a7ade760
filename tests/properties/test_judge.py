"""Every outcome has one verdict, blames the right side and leaks nothing."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.delivery.isolate import keys_at_fault
from consumer.delivery.judge import judge
from consumer.delivery.verdicts import (
    Accepted,
    HoldLane,
    Isolate,
    RefreshToken,
    Reject,
    Retry,
)
from consumer.http.messages import Answer, Failure, NoAnswer
from consumer.http.retry_after import LONGEST_RETRY_AFTER_S
from consumer.masking import MASKED_CHARS, mask

HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date", "x"]),
        st.text(max_size=40) | st.integers(-5, 10**13).map(str) | st.just("0"),
    ),
    max_size=4,
).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "accepted",
                    "errors",
                    "results",
                    "details",
                    "validationReport",
                    "message",
                    "record",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
BODIES = st.binary(max_size=60) | JSON.map(orjson.dumps)
ANSWERS = st.builds(
    Answer,
    st.integers(100, 999) | st.sampled_from([200, 202, 400, 401, 409, 413, 422, 429, 503]),
    HEADERS,
    BODIES,
    truncated=st.booleans(),
)
OUTCOMES = ANSWERS | st.builds(
    NoAnswer, st.sampled_from(Failure), st.text(max_size=9), st.booleans()
)
WALL_MS = st.integers(0, 4_102_444_800_000)


def is_plain(body: bytes) -> bool:
    """Return whether a body is empty, or an object that says `accepted: true`."""
    if not body.strip():
        return True
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(parsed, dict) and parsed.get("accepted") is True


@pytest.mark.holds("I11", "I12")
@given(OUTCOMES, st.integers(1, 600), st.integers(0, 3), st.booleans(), WALL_MS)
def test_every_outcome_has_a_safe_verdict(
    outcome: Answer | NoAnswer,
    records: int,
    conflicts: int,
    fresh_token: bool,  # noqa: FBT001 - drawn
    wall_ms: int,
) -> None:
    """Only acceptances settle, only rejected content blames a record, and details are bounded."""
    verdict = judge(
        outcome, records=records, conflicts=conflicts, fresh_token=fresh_token, wall_ms=wall_ms
    )
    status = outcome.status if isinstance(outcome, Answer) else None
    match verdict:
        case Accepted():
            assert status in {200, 201, 202}
            assert isinstance(outcome, Answer)
            assert verdict.odd is (status != 202 or not is_plain(outcome.body))
            assert (
                verdict.not_before_s is None or 0 <= verdict.not_before_s <= LONGEST_RETRY_AFTER_S
            )
        case Isolate():
            assert records > 1
            assert status in {400, 413, 422}
            assert verdict.ask_first is (status != 413)
            assert len(verdict.detail) <= MASKED_CHARS
        case Reject():
            assert records == 1
            assert status in {400, 413, 422}
            assert len(verdict.detail) <= MASKED_CHARS
        case Retry():
            assert status is None or status in {408, 409, 425, 429, 500, 502, 503, 504}
            assert verdict.after_s is None or 0 <= verdict.after_s <= LONGEST_RETRY_AFTER_S
            assert verdict.throttled is (status == 429)
        case RefreshToken():
            assert status == 401
            assert not fresh_token
        case HoldLane():
            assert status is not None
            assert verdict.after_s is None or 0 <= verdict.after_s <= LONGEST_RETRY_AFTER_S
            assert len(verdict.detail) <= MASKED_CHARS


@pytest.mark.holds("I19")
@given(OUTCOMES, st.integers(1, 9), WALL_MS)
def test_same_outcome_same_verdict(outcome: Answer | NoAnswer, records: int, wall_ms: int) -> None:
    """The judge has no memory."""
    first, second = (
        judge(outcome, records=records, conflicts=0, fresh_token=False, wall_ms=wall_ms)
        for _ in range(2)
    )
    assert first == second


@given(st.text(max_size=600))
def test_masked_text_is_one_visible_line(text: str) -> None:
    """Masked text is printable, on one line and bounded, whatever the input."""
    masked = mask(text)
    assert masked.isprintable()
    assert len(masked) <= MASKED_CHARS


@given(ANSWERS, st.lists(st.text(max_size=4), unique=True, min_size=1, max_size=4))
def test_isolation_names_only_what_was_sent(answer: Answer, keys: list[str]) -> None:
    """No report, however odd, blames a key that is not in the batch."""
    rows = [orjson.dumps({"id": key}) for key in keys]
    named = keys_at_fault(answer, keys, rows, "id")
    assert named is None or (named and named <= set(keys))
