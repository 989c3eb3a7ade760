"""Finds the fields and outcomes of a route that no mapping test covers."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.mapping.settings import ObjectSettings, RouteSettings

OUTCOMES: Final = ("upsert", "delete", "filtered", "dead_letter")

_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL: Final = b"null"


class Coverage:
    """The fields and outcomes of one route, and which of them tests have covered."""

    def __init__(self, route: RouteSettings, target: ObjectSettings) -> None:
        self.route = route
        self._fields = {name: False for name in target.fields if not is_never_filled(route, name)}
        self._outcomes = dict.fromkeys(OUTCOMES, False)

    def look_at(
        self, outcomes: Iterable[Mapping[str, object]], expected: Iterable[Mapping[str, object]]
    ) -> None:
        """Note the outcomes of one record.

        `expected` has the rows that the test expects, in the same order. A field is covered only if
        the test expects it and it has a value.
        """
        for outcome, row in zip_longest(outcomes, expected):
            if outcome is None:
                break
            self._outcomes[str(outcome["outcome"])] = True
            record = outcome.get("record")
            if row and isinstance(record, msgspec.Raw):
                filled = (name for name, is_filled in fields_filled(record).items() if is_filled)
                self._fields.update(
                    (name, True) for name in filled if name in row and name in self._fields
                )

    @property
    def fields_missed(self) -> list[str]:
        """Fields that no test covers, in the order of the schema."""
        return [name for name, covered in self._fields.items() if not covered]

    @property
    def outcomes_missed(self) -> list[str]:
        """Outcomes that no test covers."""
        return [name for name, covered in self._outcomes.items() if not covered]


def fields_filled(record: msgspec.Raw) -> dict[str, bool]:
    """Return for each field of an encoded row whether it has a value other than null."""
    return {name: bytes(value) != _NULL for name, value in _ROW.decode(record).items()}


def is_never_filled(route: RouteSettings, name: str) -> bool:
    """Return whether the rule of a field is `const: null`."""
    rule = route.fields.get(name)
    return rule is not None and rule.const is None
