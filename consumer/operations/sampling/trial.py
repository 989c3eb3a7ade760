"""Maps sampled records by the routes, as the daemon would, and counts the outcomes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from consumer.mapping.routing import RouteTable, takes
from consumer.operations.mapped_lines import DEAD_LETTER, outcomes_of_route
from consumer.operations.mapping_tests.coverage import fields_filled, is_never_filled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.config.settings import Settings
    from consumer.decoding.schema_cache import SchemaCache
    from consumer.mapping.settings import RouteSettings
    from consumer.model import Record


class TrialFault(msgspec.Struct, frozen=True):
    """Reason, field and detail of dead letters in a sample."""

    reason: str
    field: str | None
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}{f' in {self.field}' if self.field else ''} ({self.detail})"


class FaultyRecords(msgspec.Struct):
    """Number of records with the same fault, and the place of the first one."""

    first: str
    count: int = 0


class Trial:
    """The outcomes of a sample under one route."""

    def __init__(self, route: RouteSettings) -> None:
        self.route = route
        self.outcomes: Counter[str] = Counter()
        self.faults: dict[TrialFault, FaultyRecords] = {}
        self.record_count = 0
        self.rejected: set[tuple[int, int]] = set()  # partition and offset of dead-lettered records
        self.sent: dict[tuple[int, int], set[str]] = {}  # keys of the rows, by partition and offset
        self._filled: dict[str, bool] = {}

    @property
    def dead_letter_count(self) -> int:
        """Number of records that would be dead-lettered."""
        return self.outcomes[DEAD_LETTER]

    @property
    def keys(self) -> set[str]:
        """Keys of the rows that were sent or deleted."""
        return {key for keys in self.sent.values() for key in keys}

    @property
    def never_filled(self) -> list[str]:
        """Fields that are null in every row, without the rule `const: null`."""
        return [
            name
            for name, filled in self._filled.items()
            if not filled and not is_never_filled(self.route, name)
        ]

    def look_at(self, record: Record, outcomes: Iterable[dict[str, object]]) -> None:
        """Note the outcomes of one record."""
        self.record_count += 1
        for outcome in outcomes:
            kind = str(outcome["outcome"])
            self.outcomes[f"{kind} {outcome['rule']}" if "rule" in outcome else kind] += 1
            if kind == DEAD_LETTER:
                field = outcome.get("field")
                fault = TrialFault(
                    str(outcome["reason"]),
                    None if field is None else str(field),
                    str(outcome["detail"]),
                )
                place = f"{record.topic()}[{record.partition()}]@{record.offset()}"
                self.faults.setdefault(fault, FaultyRecords(place)).count += 1
                self.rejected.add((record.partition(), record.offset()))
            if "key" in outcome:
                place_in_topic = (record.partition(), record.offset())
                self.sent.setdefault(place_in_topic, set()).add(str(outcome["key"]))
            row = outcome.get("record")
            if isinstance(row, msgspec.Raw):
                for name, filled in fields_filled(row).items():
                    self._filled[name] = self._filled.get(name, False) or filled


def run_trials(
    settings: Settings, records: Iterable[Record], wall_ms: int, schemas: SchemaCache | None = None
) -> Iterator[Trial]:
    """Map a sample of one topic by every route that takes it."""
    routes = RouteTable(
        settings.routes, settings.connector.name, settings.connector.objects, schemas
    )
    sample = list(records)
    topic = sample[0].topic() if sample else ""
    # `mappers` returns one mapper for each route that takes the topic, in the same order.
    taken = [route for route in settings.routes if takes(route, topic)]
    for route, mapper in zip(taken, routes.mappers(topic), strict=True):
        trial = Trial(route)
        for record in sample:
            trial.look_at(
                record, outcomes_of_route(mapper, record, wall_ms, settings.delivery.batch_bytes)
            )
        yield trial
