"""Random tables through `config init`, `lint` and `map`, which must leave the rows of the tables.

`Tables` invents tables with any column names and any keys, and changes their rows. Each format
writes the changes as its system does. The files that `config init` writes for them must pass
`lint`, and the lines of `map`, applied in order, must leave exactly the rows that the tables have.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from consumer.model import PlainRecord
from consumer.operations.sampling.first_look import TopicHints, look_at
from consumer.operations.sampling.sampled_routes import sampled_topics, warnings_of
from consumer.operations.sampling.sampler import NoSample, Sample, Sampler
from tests.golden.corpora import WALL_MS, mapped, records_of, settings_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

TOPIC: Final = "shop.all"
_MS: Final = 1_769_904_000_000
_ODD_NAMES: Final = (
    *("", " ", "a.b", 'a"b', "a'b", "a\\b", "a\nb", "a\tb", "a: b", "#", "-", "{x}", "}", "[0]"),
    *("x[0]", "$key", "$envelope.op", "$", "null", "true", "yes", "1", "0x1", "~", "%", "@", "`"),
    *("caf\u00e9", "\u65e5\u672c", "\U0001f642", "\u2028", "\u0000", "x" * 300, "Name", "NAME"),
    *("name", "data", "op", "ts", "before", "after", "source", "type", "table", "database", "old"),
    *("record_id", "source_changed_at", "value", "payload", "schema", "resolved", "ddl", "status"),
)
_WIDE: Final = 300
_SHARE: Final = 1 / 4
_Row = dict[str, Any]
_Change = tuple[str, str, _Row | None, _Row | None]
"""Operation (c, u, d), table, row before and row after."""


class Tables:
    """Tables with random columns, and the changes of their rows in order."""

    def __init__(self, rng: random.Random, most: int) -> None:
        self._rng = rng
        self._tokens = 0
        self.keys: dict[str, tuple[str, ...]] = {}
        self.rows: dict[str, dict[tuple[Any, ...], _Row]] = {}
        self.changes: list[_Change] = []
        self._keys_change = most > 1
        columns = {f"t{'abc'[n]}": self._columns() for n in range(rng.randint(1, most))}
        if most > 1 and rng.random() < _SHARE:
            # Shards of one table, which have the same columns and the same key.
            shared = self._columns()
            columns = {f"t_{n}": shared for n in range(rng.randint(2, most))}
            self.keys = dict.fromkeys(columns, shared[:1])
        for _ in range(rng.randint(2, 12)):
            self._change(columns)

    def _columns(self) -> tuple[str, ...]:
        count = self._rng.choice([2, 3, 6, 12])
        names = self._rng.sample(_ODD_NAMES, count)
        if self._rng.random() < 1 / 20:
            names += [f"column {number}" for number in range(_WIDE)]
        return tuple(names)

    def _change(self, columns: dict[str, tuple[str, ...]]) -> None:
        table = self._rng.choice([*columns])
        rows = self.rows.setdefault(table, {})
        keys = self.keys.setdefault(table, columns[table][: self._rng.choice([1, 1, 1, 2])])
        kind = self._rng.choice("ccud") if rows else "c"
        if kind == "c":
            before: _Row | None = None
            after: _Row | None = {name: self._value() for name in columns[table]} | {
                name: self._key() for name in keys
            }
        else:
            before = rows.pop(self._rng.choice([*rows]))
            others = [name for name in columns[table] if name not in keys]
            after = before | {name: self._value() for name in others} if kind == "u" else None
            if after is not None and self._keys_change and self._rng.random() < _SHARE:
                after |= {name: self._key() for name in keys}
        if after is not None:
            rows[tuple(after[name] for name in keys)] = after
        self.changes.append((kind, table, before, after))

    def _value(self) -> object:
        self._tokens += 1
        token = f"v{self._tokens}v"
        return self._rng.choice(
            [token, token, None, True, self._tokens, 1.5, [token], {"a": token}]
        )

    def _key(self) -> object:
        self._tokens += 1
        return self._rng.choice([self._tokens, f"k{self._tokens}k"])


def _debezium(kind: str, table: str, before: _Row | None, after: _Row | None) -> _Row:
    source = {"ts_ms": _MS, "connector": "mysql", "db": "shop", "table": table}
    return {"op": kind, "ts_ms": _MS, "source": source, "before": before, "after": after}


def _maxwell(kind: str, table: str, before: _Row | None, after: _Row | None) -> _Row:
    name = {"c": "insert", "u": "update", "d": "delete"}[kind]
    value: _Row = {"database": "shop", "table": table, "type": name, "ts": _MS // 1000}
    if before is not None and after is not None:
        value["old"] = {one: old for one, old in before.items() if old != after[one]}
    return value | {"data": after or before}


def _canal(kind: str, table: str, before: _Row | None, after: _Row | None) -> _Row:
    name = {"c": "INSERT", "u": "UPDATE", "d": "DELETE"}[kind]
    return {
        "data": [after or before],
        "database": "shop",
        "table": table,
        "type": name,
        "isDdl": False,
        "es": _MS,
        "old": [before] if kind == "u" else None,
    }


def _goldengate(kind: str, table: str, before: _Row | None, after: _Row | None) -> _Row:
    images = {"before": before, "after": after}
    written = {name: one for name, one in images.items() if one is not None}
    at = "2026-02-01 00:00:00.123456"
    return {"table": table, "op_type": {"c": "I"}.get(kind, kind.upper()), "op_ts": at} | written


def _flat(kind: str, table: str, before: _Row | None, after: _Row | None) -> _Row:
    del table
    return (after or before or {}) | {"__op": kind, "__deleted": json.dumps(kind == "d")}


def _plain(kind: str, table: str, before: _Row | None, after: _Row | None) -> _Row | None:
    del kind, table, before
    return after


FORMATS: Final[dict[str, tuple[Callable[..., _Row | None], str]]] = {
    "debezium": (_debezium, ""),
    "maxwell": (_maxwell, "primary_key_columns"),
    "canal": (_canal, "pkNames"),
    "goldengate": (_goldengate, "primary_keys"),
    "debezium_flat": (_flat, ""),
    "json": (_plain, ""),
}
"""How each format writes a change, and the member that names the key; the Kafka key without one."""

OF_ONE_TABLE: Final = frozenset({"debezium_flat", "json"})
"""Formats whose values do not name their table."""


def table_sample(name: str, tables: Tables) -> Sample:
    """Return the changes of tables as a format writes them."""
    write, member = FORMATS[name]
    records = []
    for offset, (kind, table, before, after) in enumerate(tables.changes):
        value = write(kind, table, before, after)
        columns = tables.keys[table]
        row = after or before or {}
        key = None if member else {one: row[one] for one in columns}
        if member and value is not None:
            value[member] = list(columns)
        records.append(_record(offset, value, key))
    return Sample(TOPIC, 1, len(records), tuple(records))


def table_fault(name: str, tables: Tables) -> str | None:
    """Return what is wrong with the outcome of tables in a format, or `None`."""
    sample = table_sample(name, tables)
    try:
        look = look_at(sample, TopicHints("all"))
    except NoSample as error:
        # Columns of a plain row may have the names of an envelope.
        return None if name in OF_ONE_TABLE else f"refused: {error}"
    seen: dict[tuple[str, str], str] = {}
    for line in mapped(settings_of(look.routes), sample.records):
        outcome = json.loads(bytes(line))
        place = outcome.get("object"), outcome.get("key")
        if outcome["outcome"] == "dead_letter":
            return f"dead letter: {outcome['reason']} {outcome.get('field')} {outcome['detail']}"
        if outcome["outcome"] == "upsert":
            seen[place] = json.dumps(outcome["record"], ensure_ascii=False)
        elif outcome["outcome"] == "delete":
            seen.pop(place, None)
    live = [row for rows in tables.rows.values() for row in rows.values()]
    if len(live) != len(seen):
        return f"{len(live)} rows are live at the source, {len(seen)} at the target"
    for row in live:
        tokens = [one for one in map(_token, row.values()) if one]
        if not any(all(token in text for token in tokens) for text in seen.values()):
            return "no row at the target has the values of a live row"
    return None


def mutated(name: str, rng: random.Random) -> Sample:
    """Return the records of a public source with a few random changes."""
    records = [_changed(record, rng) for record in records_of(name)]
    rng.shuffle(records)
    return Sample(TOPIC, 1, len(records), tuple(records))


def fault_of_mutated(sample: Sample) -> str | None:
    """Return what is wrong with the outcome of any sample: a file that `lint` refuses, or `None`.

    An exception that is not `NoSample` is not caught.
    """
    try:
        look = look_at(sample, TopicHints("all"))
    except NoSample:
        return None
    try:
        settings = settings_of(look.routes)
    except AssertionError as error:
        return f"lint refuses the file: {error}"
    for line in mapped(settings, sample.records):
        outcome = json.loads(bytes(line))
        if outcome["outcome"] == "upsert" and not outcome["key"]:
            return "an upsert has no key"
    for seen in sampled_topics(settings, _InMemory(sample), len(sample.records), WALL_MS):
        if any(not warning.text for warning in warnings_of(settings, seen)):
            return "a warning of lint --sample has no text"
    return None


class _InMemory(Sampler):
    """A sampler of one sample, without brokers."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    def topics(self) -> list[str]:
        """Return the one topic."""
        return [self._sample.topic]

    def sample(self, topic: str, count: int) -> Sample:
        """Return the sample."""
        del topic, count
        return self._sample


def _changed(record: PlainRecord, rng: random.Random) -> PlainRecord:
    value, key = record.value(), record.key()
    return PlainRecord(
        TOPIC,
        rng.choice([0, 0, 1]),
        record.offset(),
        key=_changed_bytes(key, rng) if rng.random() < 1 / 3 else key,
        value=_changed_bytes(value, rng) if rng.random() < 2 / 3 else value,
        headers=record.headers(),
        timestamp_ms=_MS,
    )


def _changed_bytes(content: bytes | None, rng: random.Random) -> bytes | None:
    """Return content with a change at one place of its JSON, or of its bytes."""
    if content is None:
        return rng.choice([None, b"", b"null", b"{}"])
    try:
        document = msgspec.json.decode(content)
    except msgspec.DecodeError:
        at = rng.randrange(len(content) + 1)
        return content[:at] + rng.choice([b"", b"\x00", b'"', b"\xff"]) + content[at + 1 :]
    return msgspec.json.encode(_changed_value(document, rng))


def _changed_value(value: Any, rng: random.Random) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict) and value and rng.random() < 4 / 5:
        name = rng.choice([*value])
        changed = dict(value)
        inner = changed.pop(name)
        action = rng.randrange(8)
        if action == 0:
            return changed
        if action == 1:
            return changed | {rng.choice([name.upper(), name.title(), *_ODD_NAMES]): inner}
        if action == 2:
            return changed | {name: inner, rng.choice(_ODD_NAMES): inner}
        return changed | {name: _changed_value(inner, rng)}
    if isinstance(value, list) and value and rng.random() < 1 / 2:
        at = rng.randrange(len(value))
        return [*value[:at], _changed_value(value[at], rng), *value[at + 1 :]]
    odd: Sequence[Any] = (None, "", " ", 0, -1, 10**30, 1.5, True, [], {}, [value], {"a": value})
    texts = ("\x00", "2026-02-01", "2026-02-01T00:00:00", "1e400", "9" * 400, "{}", "Struct{id=1}")
    return rng.choice([*odd, *texts, str(value)])


def _record(offset: int, value: object, key: object) -> PlainRecord:
    return PlainRecord(
        TOPIC,
        0,
        offset,
        key=None if key is None else msgspec.json.encode(key),
        value=None if value is None else msgspec.json.encode(value),
        headers=[],
        timestamp_ms=_MS,
    )


def _token(value: object) -> str | None:
    """Return the text by which a value is found in a row."""
    if isinstance(value, list):
        return str(value[0])
    if isinstance(value, dict):
        return str(value["a"])
    return value if isinstance(value, str) else None
