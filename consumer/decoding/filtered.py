"""One `Filtered` value per filter rule, built once."""

from __future__ import annotations

from consumer.model import Filtered, FilterRule

FILTERED: dict[FilterRule, Filtered] = {rule: Filtered(rule) for rule in FilterRule}
