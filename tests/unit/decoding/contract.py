"""What every format is asked.

Records in, what `map` prints of them out, and 512 good neighbours around each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import PlainRecord
from consumer.operations.mapped_lines import outcomes

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

    def said(self, value: object, **facts: Any) -> list[Any]:  # noqa: ANN401 - of the record
        """Say what becomes of a record, one plain value a change."""
        return [
            _said(one)
            for one in outcomes(self._table, record(value, **facts), WALL_MS, BATCH_BYTES)
        ]

    def detail(self, value: object, **facts: Any) -> str:  # noqa: ANN401 - of the record
        """Return the detail of a record at fault."""
        (one,) = outcomes(self._table, record(value, **facts), WALL_MS, BATCH_BYTES)
        return str(one["detail"])

    def row(self, value: object, **facts: Any) -> Any:  # noqa: ANN401 - of the record
        """Return the row of a record that is one upsert."""
        ((outcome, _, row),) = self.said(value, **facts)
        assert outcome == "upsert"
        return row

    def version(self, value: object, **facts: Any) -> Any:  # noqa: ANN401 - of the record
        """Return the last field of the row: the version, where a route has one."""
        return list(self.row(value, **facts).values())[-1]


def record(value: object, **facts: Any) -> PlainRecord:  # noqa: ANN401 - of the record
    """Make a record; key and value that are not bytes are written as JSON."""
    told: dict[str, Any] = {"topic": TOPIC, "timestamp_ms": 1_000} | facts
    told["key"] = _bytes(told.get("key"))
    return PlainRecord(value=_bytes(value), **told)


def case(name: str, value: object, *expected: object, **rest: Any) -> ParameterSet:  # noqa: ANN401 - of the case
    """Write one line of a format's table.

    A record, what becomes of it, and what is special about its route.
    """
    return pytest.param(value, list(expected), rest, id=name)


def upsert(key: str = "1", **columns: object) -> tuple[object, ...]:
    """Return an upsert; what is not said is null."""
    return "upsert", key, dict.fromkeys(FIELDS) | {"id": key} | columns


def neighbours(
    make: Callable[[], Route], good: Callable[[int], object], value: object, facts: dict[str, Any]
) -> None:
    """Among 512 good records the odd one changes nothing of what the others become.

    Wherever it stands.
    """
    values: Sequence[object] = [good(number) for number in range(10, 10 + NEIGHBOURS)]
    route = make()
    alone = [route.said(one) for one in values]
    assert all(outcome == "upsert" for said in alone for outcome, *_ in said)
    for position in (0, NEIGHBOURS // 2, NEIGHBOURS):
        route = make()
        before = [route.said(one) for one in values[:position]]
        route.said(value, **facts)
        assert alone == before + [route.said(one) for one in values[position:]]


def _said(outcome: dict[str, object]) -> object:
    kind = outcome["outcome"]
    if kind == "upsert":
        return kind, outcome["key"], msgspec.json.decode(outcome["record"])  # type: ignore[call-overload]  # encoded
    if kind == "delete":
        return kind, outcome["key"]
    return outcome["rule"] if kind == "filtered" else outcome["reason"]


def _bytes(value: object) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
