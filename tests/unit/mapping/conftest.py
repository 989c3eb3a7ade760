"""Short helpers: compile a route, map a record, and return its outcome as a plain value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.errors import RecordError
from consumer.mapping.routing import RouteTable
from consumer.mapping.settings import FieldRule, FieldType, ObjectSettings, RouteSettings
from consumer.model import Delete, PlainRecord, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.mapping.port import Mapped, RouteMapper

WALL_MS = 1_800_000_000_000
TOPIC = "shop.public.things"

THINGS = ObjectSettings(
    name="things",
    fields={
        "id": FieldType.TEXT,
        "name": FieldType.TEXT,
        "amount": FieldType.NUMBER,
        "active": FieldType.BOOLEAN,
        "born": FieldType.DATE,
        "seen": FieldType.DATE_TIME,
    },
    primary_key="id",
)


class Mapping:
    """One compiled route that maps records and returns their outcomes."""

    def __init__(self, mapper: RouteMapper) -> None:
        self.mapper = mapper

    def outcome(
        self,
        value: object = None,
        *,
        key: object = None,
        wall_ms: int = WALL_MS,
        **facts: Any,  # noqa: ANN401 - of the record
    ) -> Any:  # noqa: ANN401 - of many kinds
        """Map one record and return its outcome."""
        record = PlainRecord(
            TOPIC, key=_bytes(key), value=_bytes(value), **({"timestamp_ms": 1_000} | facts)
        )
        return outcome_of(lambda: self.mapper.map(record, wall_ms))

    def row(self, value: object, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 - of the record
        """Map one record that must be an upsert, and return its row."""
        kind, _, row = self.outcome(value, **facts)
        assert kind == "upsert"
        return dict(row)


def outcome_of(run: Callable[[], Mapped | tuple[Mapped, ...]]) -> Any:  # noqa: ANN401 - of many kinds
    """Return the outcome of a record.

    `("upsert", key, row)`, `("delete", key)`, the filter rule, or the reason; a list for several
    changes.
    """
    try:
        mapped = run()
    except RecordError as error:
        return str(error.reason)
    if isinstance(mapped, tuple):
        return [_outcome(one) for one in mapped]
    return _outcome(mapped)


def _outcome(mapped: Mapped) -> Any:  # noqa: ANN401 - of many kinds
    if isinstance(mapped, Upsert):
        return "upsert", mapped.key, json.loads(mapped.encoded, parse_float=str, parse_int=str)
    if isinstance(mapped, Delete):
        assert json.loads(mapped.encoded) == mapped.key
        return "delete", mapped.key
    return str(mapped.rule)


def _bytes(value: object) -> bytes | None:
    """Return bytes unchanged, text as UTF-8, and anything else as JSON."""
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


def route_of(
    target: ObjectSettings = THINGS,
    fields: dict[str, FieldRule] | None = None,
    **settings: Any,  # noqa: ANN401 - of the route
) -> Mapping:
    """Compile one route."""
    route = RouteSettings(topics=(TOPIC,), object=target.name, fields=fields or {}, **settings)
    (mapper,) = RouteTable([route], "shop", {target.name: target}).mappers(TOPIC)
    return Mapping(mapper)


@pytest.fixture
def mapping() -> Callable[..., Mapping]:
    """Return the function that compiles a route."""
    return route_of


@pytest.fixture
def things() -> ObjectSettings:
    """Return the object that most tests use."""
    return THINGS


@pytest.fixture(name="outcome_of")
def outcome_of_fixture() -> Callable[[Callable[[], Mapped | tuple[Mapped, ...]]], Any]:
    """Return the function that returns the outcome of a record."""
    return outcome_of
