"""The plan of a replay says how many rows the tenant is expected to take, and why not all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.cli.options import Output
from consumer.cli.replay_report import show_plan
from consumer.operations.replay.given_versions import ExpectedRows
from consumer.operations.replay.plan import ObjectPlan, ReplayPlan
from consumer.operations.replay.rules import ReplayRule
from consumer.operations.replay.state import ReplayRequest, RowCounts

if TYPE_CHECKING:
    from collections.abc import Sequence


def plan(expected: ExpectedRows, *, lifted: bool) -> ReplayPlan:
    return ReplayPlan(
        request=ReplayRequest(topics=("t",), lifted=lifted),
        group_id="g",
        group_in_use=False,
        checkpoint="a.book",
        was_begun=False,
        reads_on=lifted,
        parts=(),
        sent_count=9,
        superseded_count=0,
        filtered_count=0,
        other_count=0,
        faulty_count=0,
        later_count=0,
        reasons={},
        objects=(
            ObjectPlan(
                object="customers",
                rule=ReplayRule.NEWEST if lifted else ReplayRule.DATED,
                upsert_count=9,
                delete_count=0,
                request_count=1,
                rows=RowCounts(),
                expected=expected,
            ),
        ),
        requests_per_second=10,
        tenant_requests_per_second=250,
    )


@pytest.mark.parametrize(
    ("expected", "lifted", "texts"),
    [
        (ExpectedRows(win_count=1_009), True, ["`customers`: 1,009 taken."]),
        (
            ExpectedRows(win_count=5, lose_count=1, unknown_count=3),
            True,
            ["5 taken, 1 kept by the tenant", "3 unknown (earlier changes of the row are no"],
        ),
        (ExpectedRows(unknown_count=9), False, ["0 taken, 9 unknown (taken only", "add --lift"]),
    ],
)
def test_rows_are_counted_by_what_the_tenant_does(
    expected: ExpectedRows,
    lifted: bool,  # noqa: FBT001 - of the case
    texts: Sequence[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As sentences, and as figures in JSON."""
    show_plan(plan(expected, lifted=lifted), Output.TEXT, is_all=True)
    printed = capsys.readouterr().out
    assert [] == [text for text in texts if text not in printed]
    show_plan(plan(expected, lifted=lifted), Output.JSON, is_all=True)
    (found,) = json.loads(capsys.readouterr().out)["objects"]
    assert expected.win_count == found["expected"]["win_count"]
