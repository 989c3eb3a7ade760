"""When a commit goes out, again, and when it is time to say that none succeeds."""

from __future__ import annotations

from consumer.offsets.committing import Committing


def test_one_commit_at_a_time() -> None:
    """While one is under way none goes out; its answer lets the next go."""
    committing = Committing()
    assert committing.may_send(0.0)
    committing.sent(0.0)
    assert not committing.may_send(1.0)
    committing.answered(None)
    assert committing.may_send(1.0)


def test_an_unanswered_commit_goes_out_again() -> None:
    """A quarter of a minute without an answer is long enough."""
    committing = Committing()
    committing.sent(0.0)
    assert (False, True) == (committing.may_send(14.9), committing.may_send(15.0))


def test_half_a_minute_without_an_answer_is_told() -> None:
    """Counted from when there was something to commit, not from the last attempt."""
    committing = Committing()
    committing.due(0.0)
    committing.sent(0.0)
    committing.due(20.0)
    committing.sent(20.0)
    assert committing.stalled(29.9) is None
    assert "the brokers do not answer" in str(committing.stalled(30.0))


def test_the_brokers_own_word_is_told() -> None:
    """Commits that are answered, but never well."""
    committing = Committing()
    committing.due(0.0)
    committing.answered("coordinator is loading")
    assert "coordinator is loading" in str(committing.stalled(30.0))


def test_a_success_ends_it() -> None:
    """What is left is due from then on."""
    committing = Committing()
    committing.due(0.0)
    committing.answered(None)
    committing.due(31.0)
    assert committing.stalled(60.0) is None


def test_nothing_to_commit_is_no_stall() -> None:
    """An idle daemon commits nothing."""
    committing = Committing()
    committing.due(0.0)
    committing.nothing_due()
    assert committing.stalled(100.0) is None
