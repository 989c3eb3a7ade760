"""Many global_kinds, one hold."""

from __future__ import annotations

from consumer.errors import HoldReason
from consumer.model import Assignment
from consumer.source.active_errors import ActiveErrors


class Told:
    """What the corridor would hear."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.active_errors = ActiveErrors(
            lambda reason, detail, assignment: self.lines.append(
                f"held {reason} {detail} {assignment}"
            ),
            lambda reason, assignment: self.lines.append(f"released {reason} {assignment}"),
        )


def test_a_repeated_symptom_is_told_once() -> None:
    """The client repeats itself twenty times a second."""
    told = Told()
    for second in range(3):
        told.active_errors.begin(HoldReason.BROKER, "brokers", "down", second)
    assert ["held BROKER down None"] == told.lines


def test_a_reason_is_released_with_the_last_of_its_symptoms() -> None:
    """While one still shows, the cause is not gone."""
    told = Told()
    told.active_errors.begin(HoldReason.BROKER, "brokers", "down", 0)
    told.active_errors.begin(HoldReason.BROKER, "commit", "no coordinator", 0)
    told.active_errors.end("brokers")
    before = [*told.lines]
    told.active_errors.end("commit")
    assert ["held BROKER down None"] == before
    assert [*before, "released BROKER None"] == told.lines


def test_another_reason_of_the_same_symptom_replaces_the_first() -> None:
    """What stands in the way has changed; the old reason must not stay for ever."""
    told = Told()
    told.active_errors.begin(HoldReason.BROKER, "start", "time-out", 0)
    told.active_errors.begin(HoldReason.AUTH, "start", "refused", 1)
    assert [
        "held BROKER time-out None",
        "released BROKER None",
        "held AUTH refused None",
    ] == told.lines


def test_partitions_are_held_for_themselves() -> None:
    """The others go on."""
    told = Told()
    one, two = Assignment("t", 1, 1, 0, None), Assignment("t", 2, 2, 0, None)
    told.active_errors.begin(HoldReason.BROKER, "leader", "none", 0, one)
    told.active_errors.end("leader", two)
    told.active_errors.end("leader", one)
    assert ["held BROKER none t[1]#1", "released BROKER t[1]#1"] == told.lines


def test_what_is_not_ours_any_more_is_forgotten_in_silence() -> None:
    """Its holds went with it."""
    told = Told()
    one = Assignment("t", 1, 1, 0, None)
    told.active_errors.begin(HoldReason.OFFSET_LOST, "offset", "gone", 0, one)
    told.active_errors.forget(one)
    told.active_errors.end("offset", one)
    assert ["held OFFSET_LOST gone t[1]#1"] == told.lines


def test_a_symptom_ends_only_after_its_silence() -> None:
    """Each showing starts the silence anew."""
    told = Told()
    told.active_errors.begin(HoldReason.AUTH, "refused", "x", 0)
    told.active_errors.begin(HoldReason.AUTH, "refused", "x", 8)
    told.active_errors.end_when_quiet("refused", 19, 12)
    before = [*told.lines]
    told.active_errors.end_when_quiet("refused", 20, 12)
    assert ["held AUTH x None"] == before
    assert "released AUTH None" == told.lines[-1]


def test_only_what_concerns_all_is_asked_for_again() -> None:
    """A single lost position is no reason to ask the brokers every second."""
    told = Told()
    told.active_errors.begin(
        HoldReason.OFFSET_LOST, "offset", "gone", 0, Assignment("t", 1, 1, 0, None)
    )
    before = told.active_errors.has_global(), told.active_errors.global_kinds()
    told.active_errors.begin(HoldReason.BROKER, "brokers", "down", 0)
    assert (False, []) == before
    assert (True, ["brokers"]) == (
        told.active_errors.has_global(),
        told.active_errors.global_kinds(),
    )
