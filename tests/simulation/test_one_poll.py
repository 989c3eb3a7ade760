"""Several changes of one key in one poll; the ids are those of the bad inputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from consumer.model import Operation
from consumer.sandbox.virtual_time import VirtualLoop
from tests.simulation.world import TOPIC, World

if TYPE_CHECKING:
    from consumer.admin.port import LedgerStatus

TS_MS = 1_750_000_000_000
UPSERT, DELETE = Operation.UPSERT, Operation.DELETE


def change(op: str, at: int = 0, key: object = 1) -> bytes:
    """Write a Debezium change made so many milliseconds after the first."""
    row: dict[str, Any] = {"id": key, "email": f"{key}-{at}@x.io", "age": at}
    place = "before" if op == "d" else "after"
    return json.dumps({"op": op, place: row, "source": {"ts_ms": TS_MS + at}}).encode()


class Poll(NamedTuple):
    """The result of one poll: accepted requests, their versions, the rows, the record counts."""

    accepted: list[tuple[Operation, tuple[str, ...]]]
    versions: list[tuple[int | None, ...]]
    emails: dict[str, object]
    ledger: LedgerStatus


def one_poll(*values: bytes) -> Poll:
    """Let a daemon read these in one poll, settle them and stop."""

    async def steps() -> Poll:
        world = World()
        for value in values:
            world.put(value)
        member = world.member()
        await member.start(0)
        await world.until(member.settled)
        await member.stop()
        assert {(TOPIC, 0): len(values)} == world.log.committed
        acceptances = world.tenant.acceptances("customers")
        return Poll(
            [(one.operation, one.keys) for one in acceptances],
            [one.versions for one in acceptances],
            {key: row["email"] for key, row in world.tenant.rows("customers").items()},
            member.status().ledger,
        )

    return VirtualLoop.run(steps())


def test_d25_two_updates_of_one_millisecond_never_have_one_version() -> None:
    """The later one is sent, with a version one millisecond later."""
    assert [((TS_MS + 1) * 1000,)] == one_poll(change("u"), change("u")).versions


def test_d27_an_upsert_and_then_a_delete_is_the_delete() -> None:
    """The row that was never sent needs no request, and an earlier copy is deleted."""
    poll = one_poll(change("u"), change("d", 1))

    assert [(DELETE, ("1",))] == poll.accepted
    assert {} == poll.emails


def test_d28_a_delete_and_then_an_upsert_leaves_the_row() -> None:
    """Whatever is sent before, the row is the last state of its key."""
    poll = one_poll(change("c"), change("d", 1), change("c", 2))

    assert (UPSERT, ("1",)) == poll.accepted[-1]
    assert {"1": "1-2@x.io"} == poll.emails


def test_d29_a_thousand_updates_of_one_key_are_the_last_one() -> None:
    """One row is sent, and all thousand positions settle with it."""
    poll = one_poll(*(change("u", at) for at in range(1_000)))

    assert [(UPSERT, ("1",))] == poll.accepted
    assert {"1": "1-999@x.io"} == poll.emails
    assert (1, 999, 0) == (poll.ledger.accepted, poll.ledger.conflated, poll.ledger.open)


def test_d30_a_create_and_then_a_delete_is_one_delete() -> None:
    """It is never nothing: an earlier copy of the row may be there."""
    assert [(DELETE, ("1",))] == one_poll(change("c"), change("d")).accepted


def test_e14_keys_that_differ_only_by_case_are_two_rows() -> None:
    """Neither replaces the other, in one poll and one request."""
    poll = one_poll(change("c", key="abc"), change("c", key="ABC"))

    assert [(UPSERT, ("abc", "ABC"))] == poll.accepted
    assert {"abc": "abc-0@x.io", "ABC": "ABC-0@x.io"} == poll.emails
