"""Check and build the `where` of a route, and the action for rows that do not meet it."""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING, Final

from consumer.config.findings import tried
from consumer.config.operators import warn_of_path
from consumer.config.route_keys import (
    BEFORE,
    DELETES,
    FORMAT,
    OPERATION,
    OPERATION_DELETE,
    TOMBSTONES,
    ZONE,
)
from consumer.config.source_paths import fault_of_path
from consumer.config.tree import MappingNode, ScalarNode, SequenceNode, seen
from consumer.config.where_keys import (
    ABOVE,
    BELOW,
    BOUND_SCALE,
    BOUND_UNIT,
    NOT,
    WHERE,
    WHERE_NOT_MET,
)
from consumer.decoding.opened import open_value
from consumer.errors import RecordError
from consumer.mapping.comparisons import NumberRange, range_of
from consumer.mapping.composed_sources import parts_of, sources_of
from consumer.mapping.conditions import AcceptedValues
from consumer.mapping.paths import PathFault
from consumer.mapping.routing import takes
from consumer.mapping.settings import Comparison
from consumer.mapping.sources import (
    DocumentPath,
    EnvelopePath,
    RowPath,
    source_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from consumer.config.findings import Findings
    from consumer.config.keys import ConfigKey, SectionValues
    from consumer.mapping.settings import (
        FormatName,
        ObjectSettings,
        RouteSettings,
        WhereEntry,
    )
    from consumer.mapping.sources import ValueSource

_OPERATORS: Final = re.compile(r"(!=|<>|!|>=|<=|>|<|==)\s*\S")
_NOT: Final = "write {not: [...]} to exclude a value"
_GREATER: Final = "write {above: ...} for greater values, without the bound itself"
_LESS: Final = "write {below: ...} for lesser values, without the bound itself"
_REMEDIES: Final = {
    "!": _NOT,
    "!=": _NOT,
    "<>": _NOT,
    ">": _GREATER,
    ">=": _GREATER,
    "<": _LESS,
    "<=": _LESS,
    "==": "write the value only",
}
_ROW_MEMBERS: Final[dict[FormatName, tuple[str, ...]]] = {
    "debezium": ("after", "before"),
    "cloudevents": ("data",),
    "maxwell": ("data", "old"),
    "canal": ("data", "old"),
    "dms": ("data",),
    "goldengate": ("after", "before"),
}
"""The members of an envelope that hold a row."""

_EVENT_MEMBERS: Final = ("ChangeEventHeader", "channel", "event", "schema")
"""The members of a Salesforce change event beside the fields of the row."""


def sends_deletes(route: SectionValues) -> bool:
    """Whether records of a route may become deletes, if its `deletes` allows them."""
    # Plain rows have no deletes: only a null value, a configured operation or `where` means one.
    operation = route[OPERATION]
    return (
        route[FORMAT] != "json"
        or route[TOMBSTONES] == "delete"
        or route[BEFORE] is not None
        or (operation is not None and operation[OPERATION_DELETE] is not None)
        or route[WHERE_NOT_MET] == "delete"
    )


def check_where(route: SectionValues, findings: Findings) -> None:
    """Check the paths, the values and the bounds of `where`, and `where_not_met` beside them."""
    where = route[WHERE]
    if not where and route.given(WHERE_NOT_MET):
        text = "only allowed with where; remove it"
        findings.fault(route.place_of(WHERE_NOT_MET), route.path_of(WHERE_NOT_MET), text)
    for path, entry in (where or {}).items():
        if fault := fault_of_path(path):
            findings.fault(route.place_of(WHERE, path), route.path_of(WHERE, path), fault)
        if not isinstance(entry, tuple):
            tried(_check_comparison, entry, tried(lambda: _zone_of(route)), findings)
        warn_of_path(path, route.place_of(WHERE, path), route.path_of(WHERE, path), findings)
        _warn_of_operators(route, path, findings)
    if route[WHERE_NOT_MET] == "delete" and route[DELETES] != "delete":
        text = (
            f"where_not_met: delete sends deletes, and `deletes` is {route[DELETES]}; write"
            " deletes: delete, or where_not_met: filter"
        )
        findings.fault(route.place_of(WHERE_NOT_MET), route.path_of(WHERE_NOT_MET), text)


def where_settings(route: SectionValues) -> dict[str, WhereEntry]:
    """Return the `where` of a checked route."""
    return {
        path: entry if isinstance(entry, tuple) else _comparison(entry)
        for path, entry in (route[WHERE] or {}).items()
    }


def check_not_met(
    found: SectionValues, route: RouteSettings, target: ObjectSettings, findings: Findings
) -> None:
    """Check `where_not_met` against the object; warn of rows that stay after they have changed."""
    place, path = found.place_of(WHERE_NOT_MET), found.path_of(WHERE_NOT_MET)
    operation = route.crm.operation if route.crm is not None else None
    is_event = target.category == "engagement" or operation == "insert"
    paths = _sound_paths(route)
    deciding = [one for one in paths if _is_deciding(one, route)]
    if route.where_not_met == "delete":
        if target.category == "engagement":
            text = "not allowed for an engagement object, whose events do not change; write filter"
            findings.fault(place, path, text)
        elif operation in {"insert", "delete", "hardDelete"}:
            text = f"not allowed for operation {operation}; write filter"
            findings.fault(place, path, text)
        elif paths and not deciding and len(paths) == len(route.where):
            text = (
                "`where` has no condition on a column of the row, so it only selects records; write"
                " filter, or the column without $envelope"
            )
            findings.fault(place, path, text)
    elif not (is_event or operation in {"delete", "hardDelete"} or found.given(WHERE_NOT_MET)):
        for one in paths:
            if staying := _staying(one, route, target):
                findings.warn(found.place_of(WHERE, one), found.path_of(WHERE, one), staying)


def check_shared_objects(
    routes: Sequence[tuple[SectionValues, RouteSettings]], findings: Findings
) -> None:
    """Refuse a route that deletes the rows which another route sends from the same records."""
    for found, route in routes:
        if route.where_not_met == "filter":
            continue
        for _, other in routes:
            if other is route or not _share_records(route, other):
                continue
            text = (
                f"the route at {other.place} sends rows of the same topic to `{other.object}`, and"
                " this one would delete them; select the records of each by a condition on"
                " $envelope, $key or $header, or write filter"
            )
            findings.fault(found.place_of(WHERE_NOT_MET), found.path_of(WHERE_NOT_MET), text)
            break


def _comparison(entry: SectionValues) -> Comparison:
    """Return the tests of one path."""
    excluded = entry[NOT]
    return Comparison(
        excluded=excluded or (),
        above=entry[ABOVE],
        below=entry[BELOW],
        unit=entry[BOUND_UNIT],
        scale=entry[BOUND_SCALE],
    )


def _zone_of(route: SectionValues) -> tzinfo | None:
    """Return the zone of the route; an unknown one is reported by its own check."""
    name = route[ZONE]
    try:
        return None if name is None else zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def _check_comparison(entry: SectionValues, zone: tzinfo | None, findings: Findings) -> None:
    """Check that the tests of one path fit together."""
    if entry.given(NOT) and entry[NOT] is None:
        text = "expected a list of values; to exclude null, write not: [null]"
        raise findings.fault(entry.place_of(NOT), entry.path_of(NOT), text)
    comparison = _comparison(entry)
    bounds: tuple[ConfigKey[str | int | float | None], ...] = (ABOVE, BELOW)
    given = [key for key in bounds if entry[key] is not None]
    if not given and entry[NOT] is None:
        raise findings.fault(entry.place, entry.path, "no test; write not, above or below")
    last = given[-1] if given else NOT
    place, path = entry.place_of(last), entry.path_of(last)
    try:
        made = range_of(comparison, zone)
    except RecordError as error:
        raise findings.fault(place, path, error.detail) from None
    if made is not None and made.is_empty:
        findings.fault(place, path, "no value is both above and below these bounds; change one")
    is_number = isinstance(made, NumberRange)
    for key, fits, what in (
        (BOUND_UNIT, made and not is_number, "dates and times"),
        (BOUND_SCALE, is_number, "numbers"),
    ):
        if entry.given(key) and entry[key] is not None and not fits:
            text = f"only allowed with bounds that are {what}; remove it"
            findings.fault(entry.place_of(key), entry.path_of(key), text)


def _warn_of_operators(route: SectionValues, path: str, findings: Findings) -> None:
    """Warn of listed texts that look like an operator: they are compared as text."""
    for step, node in _listed_nodes(route, path):
        match = _OPERATORS.match(node.text) if isinstance(node.value, str) else None
        if match is None or node.variables:
            continue
        text = f"{seen(node)} is compared as text, not as an operator; {_REMEDIES[match[1]]}"
        findings.warn(node.place, f"{route.path_of(WHERE, path)}{step}", text)


def _listed_nodes(route: SectionValues, path: str) -> Iterator[tuple[str, ScalarNode]]:
    """Yield the listed values of a path, with the end of their paths in the file."""
    node = route.node(WHERE)
    member = node.get(path) if isinstance(node, MappingNode) else None
    found, before = (None, "") if member is None else (member.node, "")
    if isinstance(found, MappingNode):
        inner = found.get(NOT.name)
        found, before = (None, "") if inner is None else (inner.node, f".{NOT.name}")
    if isinstance(found, ScalarNode):
        yield before, found
    elif isinstance(found, SequenceNode):
        for step, one in enumerate(found.nodes):
            if isinstance(one, ScalarNode):
                yield f"{before}.{step}", one


def _is_deciding(path: str, route: RouteSettings) -> bool:
    """Whether a condition reads a column of the row, and so decides whether the row belongs."""
    source = source_of(path)
    return isinstance(source, RowPath) and not route.is_mark(source.column)


def _staying(path: str, route: RouteSettings, target: ObjectSettings) -> str | None:
    """Return why rows may stay at the tenant after they stop meeting a condition, else `None`."""
    stays = f"a row that no longer meets it stays in `{target.name}` as it was"
    if _is_deciding(path, route):
        if _names(source_of(path)) in map(_names, _key_sources(route, target)):
            return None
        return (
            f"if `{path}` changes, {stays}; write where_not_met: delete, or filter if it never"
            " changes"
        )
    if _reads_row(path, route):
        return (
            f"if `{path}` changes, {stays}; write the path of the column without $envelope, and"
            " where_not_met: delete"
        )
    return None


def _key_sources(route: RouteSettings, target: ObjectSettings) -> tuple[ValueSource, ...]:
    """Return the sources that the primary key reads; none if its rule has a fault."""
    rule = route.fields.get(target.primary_key)
    if rule is None:
        return (RowPath((target.primary_key,)),)
    try:
        return tuple(part for source in sources_of(rule) for part in parts_of(source))
    except PathFault:
        return ()


def _sound_paths(route: RouteSettings) -> list[str]:
    """Return the paths of `where` that have no fault: a fault is already reported."""
    return [path for path in route.where if not fault_of_path(path)]


def _names(source: ValueSource) -> tuple[object, ...]:
    """Return what a source reads in the row: its steps, or itself for any other source."""
    return source.steps if isinstance(source, RowPath) else (source,)


def _reads_row(path: str, route: RouteSettings) -> bool:
    """Whether a path through the envelope leads into a row."""
    source = source_of(path)
    if not isinstance(source, EnvelopePath):
        return False
    if route.row is not None and route.row.source is not None:
        row = source_of(route.row.source)
        steps = row.steps if isinstance(row, DocumentPath) else ()
        return len(source.steps) > len(steps) > 0 and source.steps[: len(steps)] == steps
    if route.format == "salesforce_cdc":
        return source.column not in _EVENT_MEMBERS
    return len(source.steps) > 1 and source.column in _ROW_MEMBERS.get(route.format, ())


def _share_records(route: RouteSettings, other: RouteSettings) -> bool:
    """Whether two routes to one object may take the same record."""
    if (route.crm is None, route.object) != (other.crm is None, other.object):
        return False
    if not any(takes(other, one) for one in route.topics) and not any(
        takes(route, one) for one in other.topics
    ):
        return False
    both = [
        path
        for path in _sound_paths(route)
        if path in other.where and not _is_deciding(path, route)
    ]
    return not any(_exclude_each_other(route.where[path], other.where[path]) for path in both)


def _exclude_each_other(one: WhereEntry, other: WhereEntry) -> bool:
    """Whether no value meets both conditions, as far as their values say."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return not AcceptedValues(one).overlaps(AcceptedValues(other))
    if isinstance(one, Comparison) and isinstance(other, Comparison):
        return False
    listed, compared = (one, other) if isinstance(one, tuple) else (other, one)
    if not isinstance(listed, tuple) or not isinstance(compared, Comparison):
        return False
    excluded = AcceptedValues(compared.excluded)
    return all(excluded.contains(open_value(value)) for value in listed)
