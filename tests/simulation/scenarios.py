"""Runs a simulation test in virtual time, and checks the ledger of every world at its end."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import msgspec

from consumer.operations.ledger_check import differences
from consumer.sandbox.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from consumer.errors import HoldReason
    from tests.simulation.world import World

Given = ParamSpec("Given")


def scenario(steps: Callable[Given, Coroutine[Any, Any, None]]) -> Callable[Given, None]:
    """Run a coroutine test in virtual time, with the arguments it is given."""

    @wraps(steps)
    def test(*arguments: Given.args, **named: Given.kwargs) -> None:
        VirtualLoop.run(steps(*arguments, **named))

    return test


def hold_reasons(world: World) -> set[HoldReason]:
    """Return the reasons of the first member's holds."""
    return {hold.reason for hold in world.members[0].status().holds}


def assert_accounted(world: World) -> None:
    """The ledger adds up for every member, and by partition and object for those alive."""
    for member in world.members:
        ledger = member.status().ledger
        assert ledger.polled == (
            ledger.accepted
            + ledger.conflated
            + ledger.filtered
            + ledger.dead_lettered
            + ledger.open
        )
        if member.task is None or member.task.done():
            continue  # its memory is gone with it
        status = member.daemon.status
        assert [] == differences(
            msgspec.structs.replace(status.snapshot(), accounts=status.accounts())
        )
