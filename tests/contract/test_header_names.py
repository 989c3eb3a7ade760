"""Header names that are not text, through the real client: they must not end the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.dead_letter.envelope import (
    DeadLetterContext,
    RecordFault,
    full_copy,
    original_headers,
    reference,
)
from consumer.errors import Reason
from consumer.headers import NO_NAME, headers_of
from consumer.sandbox.broker import EmbeddedBroker
from tests.contract.raw_batch import put_raw
from tests.kafka.member import Member

if TYPE_CHECKING:
    from consumer.model import Record

ROOT = Path(__file__).parents[2]
CONTEXT = DeadLetterContext(connector_name="c", task_id="g", config_sha256="0", version="0")


@pytest.fixture
async def record() -> Record:
    """Read a record whose first and last header have names that are not UTF-8."""
    with EmbeddedBroker() as broker:
        broker.create_topic("t")
        await put_raw(
            broker.bootstrap_servers,
            "t",
            b"v",
            [(b"\xff\xfe", b"1"), (b"ok", b"2"), (b"\xff", None)],
        )
        async with Member(
            broker.bootstrap_servers, "g", "t", properties=broker.consumer_properties
        ) as member:
            await member.listener.until(lambda: member.listener.records)
            return member.listener.records[0]


async def test_a_name_that_is_not_text_is_replaced(record: Record) -> None:
    """The other headers stay as they are, and a second call is safe."""
    expected = [(NO_NAME, b"1"), ("ok", b"2"), (NO_NAME, None)]
    assert [expected, expected] == [[*headers_of(record)] for _ in range(2)]


def test_it_is_replaced_after_a_thousand_good_calls() -> None:
    """In its own process, because a failure ends the interpreter.

    CPython specialises a call that is made often, and then checks its result less.
    """
    program = [sys.executable, "-m", "tests.contract.hot_headers"]
    done = subprocess.run(
        program, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    *_, last = done.stdout.splitlines()  # log lines of the source come first
    assert (0, f"['{NO_NAME}', 'ok', '{NO_NAME}']") == (done.returncode, last), done.stderr


async def test_its_dead_letter_can_be_built(record: Record) -> None:
    """In both forms, with the values of all headers."""
    fault = RecordFault(reason=Reason.DECODE_SYNTAX, first_failed_at_ms=0)
    written = [full_copy(record, fault, CONTEXT), reference(record, fault, CONTEXT)]
    assert [[b"1", b"2", None]] * 2 == [
        [value for _, value in original_headers(one.headers)] for one in written
    ]
