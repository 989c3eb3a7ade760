"""Values that cannot work are refused before anything is installed.

Each file in bad_values breaks one rule; its first line is the expected message.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubernetes import chart
from tests.kubernetes.chart import CHART, SCENARIOS

FILES = sorted((Path(__file__).parent / "bad_values").glob("*.yaml"))

pytestmark = pytest.mark.usefixtures("helm")


def render(values: Path) -> tuple[int, str]:
    """Render the minimal example with some values changed."""
    answer = chart.helm(
        "template", "shop", CHART, "--values", SCENARIOS["minimal"], "--values", values
    )
    return answer.returncode, " ".join(answer.stderr.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_refused(path: Path) -> None:
    """The message is that of the first line."""
    expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    code, said = render(path)
    assert code != 0
    assert expected in said


def test_good_values_are_not_refused(tmp_path: Path) -> None:
    """Without a change nothing is refused, so the changes cause the refusals."""
    (tmp_path / "none.yaml").write_text("{}\n")
    assert (0, "") == render(tmp_path / "none.yaml")


def test_every_refusal_of_the_templates_is_tried() -> None:
    """Each `fail` of the templates has a file that triggers it."""
    expected = [
        path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for path in FILES
    ]
    for template in (CHART / "templates").glob("*"):
        if template.is_file():
            for line in template.read_text(encoding="utf-8").splitlines():
                _, fails, text = line.partition('fail "')
                if fails:
                    assert any(text.startswith(said[:40]) for said in expected), line
