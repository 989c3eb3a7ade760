"""Any file, variable or option gives settings or faults with places, never a crash."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.config.file_keys import FILE
from consumer.config.keys import Section
from consumer.config.load import Inspection, inspect

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config" / "consumer.yaml").read_text("utf-8")
ENVIRON = {"SF_CLIENT_ID": "an-app"}
PLACE = re.compile(r"(.+:\d+:\d+|--set .*|environment variable \S+): \S.*: ", re.DOTALL)


def paths(section: Section, above: str = "") -> Iterator[str]:
    """List the dotted paths of the table."""
    for key in section.keys.values():
        kind: Any = key.kind
        path = f"{above}{key.name}"
        yield path
        inner: Any = getattr(kind, "kind", kind)
        step = "" if inner is kind else (".0" if path == "routes" else ".customers")
        if isinstance(inner, Section):
            yield from paths(inner, f"{path}{step}.")


ODD = [
    "10s",
    "-1",
    "200KB",
    "^a.*",
    "${X}",
    "${X:1}",
    "$kafka.x",
    "a..b",
    "{a}",
    "http://[",
    "off",
    "../x",
    "/x",
    "::",
]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(ODD),
)
VALUES = st.recursive(
    SCALARS.map(lambda value: "null" if value is None else str(value)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(["a", "from", "values", "id", "topics", "x.y"]), inner, max_size=3
        ).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=6,
)


def check(found: Inspection) -> None:
    """Check that there are settings or faults, and that every fault has a place."""
    assert (found.settings is None) == bool(found.faults)
    assert [] == [str(fault) for fault in found.faults if not PLACE.match(str(fault))]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chosen=st.dictionaries(st.sampled_from(sorted(paths(FILE))), VALUES, min_size=1, max_size=8))
def test_any_value_of_any_key(chosen: dict[str, str]) -> None:
    """Options with any values give settings or faults."""
    options = [f"{path}={value}" for path, value in chosen.items()]
    check(inspect(ROOT / "config" / "consumer.yaml", environ=ENVIRON, overrides=options))


@pytest.mark.parametrize("value", ODD)
def test_an_odd_value_of_every_key_at_once(value: str) -> None:
    """An odd value in every key is reported without a crash."""
    every = sorted(paths(FILE))
    leaves = [path for path in every if not any(other.startswith(f"{path}.") for other in every)]
    options = [f"{path}={value}" for path in leaves]
    check(inspect(ROOT / "config" / "consumer.yaml", environ=ENVIRON, overrides=options))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_to_the_file(tmp_path: Path, data: st.DataObject) -> None:
    """A file with lost or inserted characters gives settings or faults."""
    start = data.draw(st.integers(0, len(EXAMPLE) - 1))
    length = data.draw(st.integers(0, 40))
    put_in = data.draw(st.text(alphabet="\t\n :-[]{}'\"&*#|>%@`!?,$a1é\x00\u2028", max_size=6))
    (tmp_path / "connector.yaml").write_text(
        (ROOT / "config" / "connector.yaml").read_text("utf-8"), "utf-8"
    )
    path = tmp_path / "consumer.yaml"
    path.write_text(EXAMPLE[:start] + put_in + EXAMPLE[start + length :], "utf-8")
    check(inspect(path, environ=ENVIRON, overrides=[]))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, raw: bytes) -> None:
    """A file of any bytes gives settings or faults."""
    path = tmp_path / "consumer.yaml"
    path.write_bytes(raw)
    check(inspect(path, environ=ENVIRON, overrides=[]))
