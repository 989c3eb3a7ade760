"""Several errors, one hold."""

from __future__ import annotations

from consumer.errors import HoldReason
from consumer.model import Assignment
from consumer.source.active_errors import ActiveErrors


class Recorder:
    """Records the events that the engine would receive."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.active_errors = ActiveErrors(
            lambda reason, detail, assignment: self.lines.append(
                f"held {reason} {detail} {assignment}"
            ),
            lambda reason, assignment: self.lines.append(f"released {reason} {assignment}"),
        )


def test_a_repeated_error_is_reported_once() -> None:
    """The client repeats it up to twenty times a second."""
    recorder = Recorder()
    for second in range(3):
        recorder.active_errors.begin(HoldReason.BROKER, "brokers", "down", second)
    assert ["held BROKER down None"] == recorder.lines


def test_a_reason_is_released_with_its_last_error() -> None:
    """While one error is active, the cause is not gone."""
    recorder = Recorder()
    recorder.active_errors.begin(HoldReason.BROKER, "brokers", "down", 0)
    recorder.active_errors.begin(HoldReason.BROKER, "commit", "no coordinator", 0)
    recorder.active_errors.end("brokers")
    before = [*recorder.lines]
    recorder.active_errors.end("commit")
    assert ["held BROKER down None"] == before
    assert [*before, "released BROKER None"] == recorder.lines


def test_another_reason_of_the_same_kind_replaces_the_first() -> None:
    """The cause has changed; the old reason must not stay."""
    recorder = Recorder()
    recorder.active_errors.begin(HoldReason.BROKER, "start", "time-out", 0)
    recorder.active_errors.begin(HoldReason.AUTH, "start", "refused", 1)
    assert [
        "held BROKER time-out None",
        "released BROKER None",
        "held AUTH refused None",
    ] == recorder.lines


def test_partitions_are_held_separately() -> None:
    """The others continue."""
    recorder = Recorder()
    one, two = Assignment("t", 1, 1, 0, None), Assignment("t", 2, 2, 0, None)
    recorder.active_errors.begin(HoldReason.BROKER, "leader", "none", 0, one)
    recorder.active_errors.end("leader", two)
    recorder.active_errors.end("leader", one)
    assert ["held BROKER none t[1]#1", "released BROKER t[1]#1"] == recorder.lines


def test_errors_of_released_partitions_are_forgotten_without_an_event() -> None:
    """Their holds ended with the assignment."""
    recorder = Recorder()
    one = Assignment("t", 1, 1, 0, None)
    recorder.active_errors.begin(HoldReason.OFFSET_LOST, "offset", "gone", 0, one)
    recorder.active_errors.forget(one)
    recorder.active_errors.end("offset", one)
    assert ["held OFFSET_LOST gone t[1]#1"] == recorder.lines


def test_an_error_ends_only_after_its_quiet_time() -> None:
    """Each report starts the quiet time again."""
    recorder = Recorder()
    recorder.active_errors.begin(HoldReason.AUTH, "refused", "x", 0)
    recorder.active_errors.begin(HoldReason.AUTH, "refused", "x", 8)
    recorder.active_errors.end_when_quiet("refused", 19, 12)
    before = [*recorder.lines]
    recorder.active_errors.end_when_quiet("refused", 20, 12)
    assert ["held AUTH x None"] == before
    assert "released AUTH None" == recorder.lines[-1]


def test_only_errors_of_all_partitions_count_as_global() -> None:
    """A single lost position does not make the watch ask the brokers every second."""
    recorder = Recorder()
    recorder.active_errors.begin(
        HoldReason.OFFSET_LOST, "offset", "gone", 0, Assignment("t", 1, 1, 0, None)
    )
    before = recorder.active_errors.has_global(), recorder.active_errors.global_kinds()
    recorder.active_errors.begin(HoldReason.BROKER, "brokers", "down", 0)
    assert (False, []) == before
    assert (True, ["brokers"]) == (
        recorder.active_errors.has_global(),
        recorder.active_errors.global_kinds(),
    )
