"""The page of `config init` is true: its commands print and write exactly what it shows."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from consumer.operations.record_lines import record_of_line
from consumer.sandbox.broker import EmbeddedBroker
from tests.unit.conftest import run
from tests.unit.docs.tables import text_of
from tests.unit.docs.test_format_pages import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["run"]

PAGE = text_of("docs/config-init.md")
ADDRESS = "localhost:9092"


def commands() -> list[list[str]]:
    """Return the commands that the page shows, as arguments without the program's name."""
    return [
        shlex.split(line)[1:]
        for line in re.findall(r"^    (datacloud-consumer .*)$", PAGE, re.MULTILINE)
    ]


@pytest.fixture(scope="module")
def brokers() -> Iterator[EmbeddedBroker]:
    """One broker with the records of the page."""
    with EmbeddedBroker() as broker:
        for line in blocks(PAGE, "json")[0].splitlines():
            record = record_of_line(line.encode(), None)
            broker.put(
                record.topic(), record.value(), key=record.key(), timestamp_ms=1_800_000_000_000
            )
        broker.flush()
        yield broker


@pytest.fixture
def shown(
    brokers: EmbeddedBroker,
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., str]:
    """Return a function that runs a command in an empty folder and returns its output.

    The broker's address in the output is replaced by the address of the page.
    """
    monkeypatch.chdir(tmp_path)

    def call(words: list[str]) -> str:
        ran = run(*(brokers.bootstrap_servers if word == ADDRESS else word for word in words))
        assert (0, "") == (ran.code, ran.err)
        return str(ran.out.replace(brokers.bootstrap_servers, ADDRESS))

    return call


def test_what_is_printed_and_written(
    shown: Callable[..., str], brokers: EmbeddedBroker, tmp_path: Path
) -> None:
    """The output, both files, and the output of `lint` for them."""
    printed, linted = blocks(PAGE, "text")
    connector, configuration = blocks(PAGE, "yaml")
    assert printed == shown(commands()[0])
    assert connector == (tmp_path / "shop" / "connector.yaml").read_text("utf-8")
    written = (tmp_path / "shop" / "consumer.yaml").read_text("utf-8")
    assert configuration == written.replace(brokers.bootstrap_servers, ADDRESS)
    assert linted == shown(["lint", "--sample", "-c", "shop/consumer.yaml"])
