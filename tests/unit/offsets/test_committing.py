"""When a commit is sent, sent again, and reported as stalled."""

from __future__ import annotations

from consumer.offsets.committing import Committing


def test_one_commit_at_a_time() -> None:
    """While one is in flight no other is sent; its answer allows the next one."""
    committing = Committing()
    assert committing.may_send(0.0)
    committing.sent(0.0)
    assert not committing.may_send(1.0)
    committing.answered(None)
    assert committing.may_send(1.0)


def test_an_unanswered_commit_is_sent_again() -> None:
    """15 seconds without an answer are long enough."""
    committing = Committing()
    committing.sent(0.0)
    assert (False, True) == (committing.may_send(14.9), committing.may_send(15.0))


def test_30_seconds_without_a_success_are_reported() -> None:
    """They count from when there was something to commit, not from the last attempt."""
    committing = Committing()
    committing.due(0.0)
    committing.sent(0.0)
    committing.due(20.0)
    committing.sent(20.0)
    assert committing.stalled(29.9) is None
    assert "the brokers do not answer" in str(committing.stalled(30.0))


def test_the_brokers_error_is_reported() -> None:
    """For commits that are answered, but always with an error."""
    committing = Committing()
    committing.due(0.0)
    committing.answered("coordinator is loading")
    assert "coordinator is loading" in str(committing.stalled(30.0))


def test_a_success_ends_it() -> None:
    """Positions that are left are due from then on."""
    committing = Committing()
    committing.due(0.0)
    committing.answered(None)
    committing.due(31.0)
    assert committing.stalled(60.0) is None


def test_nothing_to_commit_does_not_stall() -> None:
    """An idle daemon commits nothing."""
    committing = Committing()
    committing.due(0.0)
    committing.nothing_due()
    assert committing.stalled(100.0) is None
