"""Helpers for the tests of every format: records in, outcomes as `map` prints them out.

Each record is also mapped among 512 good neighbours, which it must not affect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import PlainRecord
from consumer.operations import mapped_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _pytest.mark.structures import ParameterSet

WALL_MS = 1_800_000_000_000
BATCH_BYTES = 200_000
TOPIC = "shop.things"
FIELDS = {"id": FieldType.TEXT, "name": FieldType.TEXT, "amount": FieldType.NUMBER}
NEIGHBOURS = 512
NUMBER_TEXT = {"amount": FieldRule(source="amount", number=True)}
PAIR = {"id": FieldRule(template="{a}/{b}")}


class Route:
    """One route of a format. `version` names Record Modified; `settings` are those of the route."""

    def __init__(
        self,
        name: str,
        *,
        fields: dict[str, FieldRule] | None = None,
        schema: dict[str, FieldType] | None = None,
        version: str | None = None,
        partial: bool = False,
        **settings: Any,  # noqa: ANN401 - of the route
    ) -> None:
        columns = dict(schema or FIELDS) | ({version: FieldType.DATE_TIME} if version else {})
        target = ObjectSettings(
            name="things",
            fields=columns,
            primary_key=next(iter(columns)),
            record_modified=version,
            refresh_mode="partial" if partial else "upsert",
        )
        route = RouteSettings(
            topics=("^.*",),
            object="things",
            format=name,  # type: ignore[arg-type]  # as a test writes it
            fields=fields or {},
            **settings,
        )
        self._table = RouteTable([route], "shop", {"things": target})

    def outcomes(self, value: object, **facts: Any) -> list[Any]:  # noqa: ANN401 - of the record
        """Return the outcomes of a record, one plain value per change."""
        return [
            _outcome(one)
            for one in mapped_lines.outcomes(
                self._table, record(value, **facts), WALL_MS, BATCH_BYTES
            )
        ]

    def detail(self, value: object, **facts: Any) -> str:  # noqa: ANN401 - of the record
        """Return the detail of a record at fault."""
        (one,) = mapped_lines.outcomes(self._table, record(value, **facts), WALL_MS, BATCH_BYTES)
        return str(one["detail"])

    def row(self, value: object, **facts: Any) -> Any:  # noqa: ANN401 - of the record
        """Return the row of a record that becomes one upsert."""
        ((outcome, _, row),) = self.outcomes(value, **facts)
        assert outcome == "upsert"
        return row

    def version(self, value: object, **facts: Any) -> Any:  # noqa: ANN401 - of the record
        """Return the last field of the row: the version, if the route has one."""
        return list(self.row(value, **facts).values())[-1]


def record(value: object, **facts: Any) -> PlainRecord:  # noqa: ANN401 - of the record
    """Make a record. A key or value that is not bytes is encoded as JSON."""
    arguments: dict[str, Any] = {"topic": TOPIC, "timestamp_ms": 1_000} | facts
    arguments["key"] = _bytes(arguments.get("key"))
    return PlainRecord(value=_bytes(value), **arguments)


def case(name: str, value: object, *expected: object, **rest: Any) -> ParameterSet:  # noqa: ANN401 - of the case
    """Return one case of a format: a record, its outcomes, and special settings of its route."""
    return pytest.param(value, list(expected), rest, id=name)


def upsert(key: str = "1", **columns: object) -> tuple[object, ...]:
    """Return an upsert. Columns that are not given are null."""
    return "upsert", key, dict.fromkeys(FIELDS) | {"id": key} | columns


def neighbours(
    make: Callable[[], Route], good: Callable[[int], object], value: object, facts: dict[str, Any]
) -> None:
    """Check that a record does not change the outcomes of 512 good ones, at any position."""
    values: Sequence[object] = [good(number) for number in range(10, 10 + NEIGHBOURS)]
    route = make()
    without = [route.outcomes(one) for one in values]
    assert all(outcome == "upsert" for outcomes in without for outcome, *_ in outcomes)
    for position in (0, NEIGHBOURS // 2, NEIGHBOURS):
        route = make()
        before = [route.outcomes(one) for one in values[:position]]
        route.outcomes(value, **facts)
        assert without == before + [route.outcomes(one) for one in values[position:]]


def _outcome(outcome: dict[str, object]) -> object:
    kind = outcome["outcome"]
    if kind == "upsert":
        return kind, outcome["key"], msgspec.json.decode(outcome["record"])  # type: ignore[call-overload]  # encoded
    if kind == "delete":
        return kind, outcome["key"]
    return outcome["rule"] if kind == "filtered" else outcome["reason"]


def _bytes(value: object) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
