"""Telemetry: what the packages observe becomes log events, and a recovery says how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from consumer.admin.metrics import Metrics
from consumer.admin.telemetry import Telemetry
from consumer.errors import HoldReason
from consumer.holds import ActiveHold
from consumer.model import Assignment, RecordOutcome, Target

if TYPE_CHECKING:
    from consumer.holds import HoldScope

START_MS = 1_800_000_000_000


class ManualClock:
    """A clock that a test sets; both of its times advance together."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now_s(self) -> float:
        """A `Clock` method."""
        return 50.0 + self.passed_s

    def wall_ms(self) -> int:
        """A `Clock` method."""
        return START_MS + int(self.passed_s * 1000)

    async def sleep(self, duration_s: float) -> None:
        """A `Clock` method."""


class ApiUser:
    """A telemetry, its clock, and the lines that it writes."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.telemetry = Telemetry(Metrics(version="0", config_sha256="0"), self.clock)


@pytest.fixture
def api() -> ApiUser:
    return ApiUser()


@pytest.mark.parametrize(
    ("place", "scope"),
    [
        (Target("shop", "customers"), "customers"),
        (None, "everything"),
        ("orders", "orders"),
        (Assignment("orders", 3, 7, 0, None), "orders[3]#7"),
    ],
    ids=["object", "everything", "topic", "partition"],
)
def test_a_hold_ends_with_its_length(api: ApiUser, place: HoldScope, scope: str) -> None:
    """Its start is a warning with the cause, its end an info with the seconds between."""
    held = ActiveHold(HoldReason.AUTH, place, "no token", START_MS)
    with capture_logs() as log:
        api.telemetry.hold_changed(held, begins=True)
        api.clock.passed_s = 42.25
        api.telemetry.hold_changed(held, begins=False)
    assert [
        {
            "event": "hold_started",
            "log_level": "warning",
            "reason": "AUTH",
            "scope": scope,
            "detail": "no token",
        },
        {
            "event": "hold_ended",
            "log_level": "info",
            "reason": "AUTH",
            "scope": scope,
            "lasted_s": 42.2,
        },
    ] == log


def test_a_hold_never_lasted_less_than_nothing(api: ApiUser) -> None:
    """The wall clock may be set back while a hold lasts."""
    held = ActiveHold(HoldReason.SINK, None, "no answer", START_MS + 5_000)
    with capture_logs() as log:
        api.telemetry.hold_changed(held, begins=False)
    assert [0.0] == [line["lasted_s"] for line in log]


def test_commits_recover_once(api: ApiUser) -> None:
    """The length counts from the first failure; a commit that follows another is silent."""
    with capture_logs() as log:
        api.telemetry.commit_answered(1, None)
        api.telemetry.commit_answered(2, "REQUEST_TIMED_OUT")
        api.clock.passed_s = 3.0
        api.telemetry.commit_answered(2, "REQUEST_TIMED_OUT")
        api.clock.passed_s = 8.5
        api.telemetry.commit_answered(2, None)
        api.telemetry.commit_answered(2, None)
    assert [
        ("commit_failed", "warning", None),
        ("commit_failed", "warning", None),
        ("commit_recovered", "info", 8.5),
    ] == [(line["event"], line["log_level"], line.get("lasted_s")) for line in log]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("assigned", ("partitions_assigned", "info")),
        ("revoked", ("partitions_revoked", "info")),
        ("lost", ("partitions_lost", "warning")),
    ],
)
def test_a_rebalance_names_its_partitions(
    api: ApiUser, kind: str, expected: tuple[str, str]
) -> None:
    """Each with the next offset to read; a loss is a warning, for records may be read twice."""
    with capture_logs() as log:
        api.telemetry.assignment_changed(kind, [Assignment("orders", 3, 7, 118, None)])
    line: Any = log[0]
    assert (*expected, 1, ["orders[3]@118"]) == (
        line["event"],
        line["log_level"],
        line["count"],
        line["partitions"],
    )


@pytest.mark.parametrize("outcome", RecordOutcome)
def test_only_released_records_are_logged(api: ApiUser, outcome: RecordOutcome) -> None:
    """All others are counted; a line for each would grow with the traffic."""
    with capture_logs() as log:
        api.telemetry.settled("orders", outcome, 4)
    expected = ["records_released"] if outcome is RecordOutcome.RELEASED else []
    assert expected == [line["event"] for line in log]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("ok", ("token_refreshed", "info")),
        ("refused", ("token_refresh_failed", "warning")),
        ("failed", ("token_refresh_failed", "warning")),
    ],
)
def test_a_token_is_logged(api: ApiUser, result: Any, expected: tuple[str, str]) -> None:  # noqa: ANN401 - a closed list of texts
    """A new one, and each time that there is none."""
    with capture_logs() as log:
        api.telemetry.token_refresh(result)
    assert [expected] == [(line["event"], line["log_level"]) for line in log]
