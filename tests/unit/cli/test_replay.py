"""`replay` on the command line: wrong usage, and refusals without a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Ran

    Run = Callable[..., Ran]


pytestmark = pytest.mark.usefixtures("log_as_it_is")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--topic=t",), "Missing option '--from'"),
        (("--from=1h",), "Missing option '--topic'"),
        (("--topic=t", "--from=yesterday"), "expected an offset"),
        (("--topic=t", "--from=1h", "--to=soon"), "expected an offset"),
        (
            ("--topic=t", "--from=1h", "--rate=251"),
            "expected at most 250 (delivery.requests_per_second",
        ),
        (("--topic=t", "--from=1h", "--rate=0"), "--rate"),
    ],
)
def test_wrong_usage(run: Run, examples: Path, options: tuple[str, ...], message: str) -> None:
    """It is refused before anything is done."""
    ran = run("replay", f"--config={examples}/minimal.yaml", *options)
    assert (2, True) == (ran.code, message in " ".join(ran.err.split()))


def test_a_topic_without_a_route(run: Run, examples: Path, tmp_path: Path) -> None:
    """The refusal names the topic, and nothing is left on disk."""
    words = ("--topic=unknown", "--from=1h", f"--checkpoint={tmp_path / 'a.book'}")
    ran = run("replay", f"--config={examples}/minimal.yaml", *words)
    assert (1, True, []) == (
        ran.code,
        "no route takes topic `unknown`" in ran.err,
        [*tmp_path.iterdir()],
    )


def test_a_route_with_a_bulk_destination(run: Run, examples: Path, tmp_path: Path) -> None:
    """A bulk route is refused, and the message names `backfill`."""
    words = ("--topic=shop.public.customers", "--from=1h", f"--checkpoint={tmp_path / 'a.book'}")
    ran = run("replay", f"--config={examples}/bulk.yaml", *words)
    assert (1, True) == (ran.code, "use `backfill`" in ran.err)
