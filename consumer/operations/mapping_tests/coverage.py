"""What of a route no mapping test looks at.

Fields that are never expected to hold a value, and outcomes.
"""

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
    """One route, and what tests have seen of it."""

    def __init__(self, route: RouteSettings, target: ObjectSettings) -> None:
        self.route = route
        self._fields = {name: False for name in target.fields if not is_never_filled(route, name)}
        self._outcomes = dict.fromkeys(OUTCOMES, False)

    def look_at(
        self, outcomes: Iterable[Mapping[str, object]], wanted: Iterable[Mapping[str, object]]
    ) -> None:
        """Note what became of a record.

        `wanted` are the rows that the test expects, in the same order.
        """
        for outcome, row in zip_longest(outcomes, wanted):
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
        """Fields that no test has seen a value in, in the order of the schema."""
        return [name for name, covered in self._fields.items() if not covered]

    @property
    def outcomes_missed(self) -> list[str]:
        """Outcomes that no test has seen."""
        return [name for name, covered in self._outcomes.items() if not covered]


def fields_filled(record: msgspec.Raw) -> dict[str, bool]:
    """Tell of each field of an encoded row whether it has a value."""
    return {name: bytes(value) != _NULL for name, value in _ROW.decode(record).items()}


def is_never_filled(route: RouteSettings, name: str) -> bool:
    """Whether a rule says `const: null`."""
    rule = route.fields.get(name)
    return rule is not None and rule.const is None
