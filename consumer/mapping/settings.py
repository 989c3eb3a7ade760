"""The settings of a route: its object, its field rules, and how it treats deletes."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

import msgspec

from consumer.auth.settings import Secret

FormatName: TypeAlias = Literal[
    "json",
    "debezium",
    "debezium_flat",
    "debezium_mongodb",
    "cloudevents",
    "maxwell",
    "canal",
    "dms",
    "goldengate",
    "salesforce_cdc",
]
EncodingName: TypeAlias = Literal["json", "avro", "protobuf", "json_schema"]
CrmOperation: TypeAlias = Literal["insert", "update", "upsert", "delete", "hardDelete"]
TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns", "days"]
NormalForm: TypeAlias = Literal["email", "phone", "name"]


PLACE_KEY: Final = "$place"
"""The key field of CRM inserts without an external id. It is never sent, and no real field can have
this name."""

CRM_ID: Final = "Id"
CRM_CONNECTOR: Final = ""
"""The connector name in the target of an sObject. No real connector can have this name."""


class FieldType(StrEnum):
    """The field types of a connector schema.

    Strings with `format` email, phone, url or percent are TEXT (see `docs/values.md`).
    """

    TEXT = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date-time"


class ObjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One connector object: its schema, and the settings that the schema file cannot express.

    `fields` maps a field name to its type, in the order of the schema file.
    """

    name: str
    fields: dict[str, FieldType]
    primary_key: str
    category: Literal["profile", "engagement", "other"] = "profile"
    record_modified: str | None = None
    event_time: str | None = None
    refresh_mode: Literal["upsert", "partial"] = "upsert"


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `first_of`: a path or a template; the other is UNSET."""

    source: str | msgspec.UnsetType = msgspec.UNSET
    template: str | msgspec.UnsetType = msgspec.UNSET


class RegexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `regex` of a rule: a pattern in RE2's syntax, and what replaces each match."""

    pattern: str
    replacement: str


class TimeFormatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `format` of a rule: pattern symbols, and the time zone of the text, else UTC."""

    pattern: str
    zone: str | None = None


class MaskSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `mask` of a rule: how many characters stay at both ends, and what replaces the others."""

    keep_first: int = 0
    keep_last: int = 0
    character: str = "*"


class FieldRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that fills one target field.

    Exactly one of `source`, `first_of`, `const` and `template` is given; the others are UNSET or
    empty.

    `source` is a dotted path in the row, or a `$` reference (`$kafka.offset`, `$key.x`,
    `$header.NAME`, `$envelope.x`). `default` applies when the source is missing, null, or not in
    `values`. With `parse`, text on the way to the value holds JSON. `salt` has its value, unless
    its file did not exist when the configuration was read.
    """

    source: str | msgspec.UnsetType = msgspec.UNSET
    first_of: tuple[Alternative, ...] = ()
    const: str | int | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    template: str | msgspec.UnsetType = msgspec.UNSET
    default: str | int | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    values: dict[str, str | int | float | bool | None] | None = None
    lower: bool = False
    upper: bool = False
    trim: bool = False
    replace: dict[str, str] | None = None
    regex: RegexSettings | None = None
    number: bool = False
    json: bool = False
    parse: Literal["json"] | None = None
    required: bool = False
    unit: TimeUnit | None = None
    scale: int | None = None
    format: TimeFormatSettings | None = None
    normalise: NormalForm | None = None
    hash: Literal["sha256"] | None = None
    salt: Secret | None = None
    mask: MaskSettings | None = None


Listed: TypeAlias = str | int | float | bool | None
"""A value that a configuration lists: of a condition, or of an operation."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The tests of one path in `where` that is written as a mapping: all of them must hold.

    `excluded` is its `not`. `above` and `below` exclude the bound itself; both are numbers, or both
    are dates or times. `unit` and `scale` are those of a field rule.
    """

    excluded: tuple[Listed, ...] = ()
    above: str | int | float | None = None
    below: str | int | float | None = None
    unit: TimeUnit | None = None
    scale: int | None = None


WhereEntry: TypeAlias = tuple[Listed, ...] | Comparison
"""What `where` says about one path: the values that it accepts, or the tests that must hold."""


class OperationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `operation` of a route: the path of its value, and the values of each kind."""

    source: str
    insert: tuple[Listed, ...] = ()
    update: tuple[Listed, ...] = ()
    delete: tuple[Listed, ...] = ()


RowsPer: TypeAlias = Literal["record", "element"]


class RowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `row` of a route: its path in the document, `None` for the document itself.

    With `parse`, the row is JSON inside text. `per`: the path has the row of the record, or an
    array with a row in each element.
    """

    source: str | None = None
    parse: Literal["json"] | None = None
    per: RowsPer = "record"


class BeforeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `before` of a route: the path of the row before the change, or a prefix of columns."""

    source: str | None = None
    prefix: str | None = None


class TimeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `time` of a route: the path of the time of the change, and the unit of its number."""

    source: str
    unit: TimeUnit | None = None


class FlushSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `flush` of a bulk route: when its buffered rows become a job.

    A job starts when the oldest row is `every_s` seconds old, or the CSV lines reach `bytes` bytes.
    """

    every_s: float = 900.0
    bytes: int = 140_000_000


class CrmTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The sObject that a `crm_bulk` route fills, and the operation it uses.

    `described` is the sObject with the columns of this route: every column is text, and the refresh
    mode is partial. Its key is the field that identifies a row. An insert without an external id
    has no such field: topic, partition and offset identify the row instead (`PLACE_KEY`).
    """

    described: ObjectSettings
    operation: CrmOperation = "upsert"
    external_id: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that the route fills."""
        return tuple(name for name in self.described.fields if name != PLACE_KEY)


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One route of the configuration file.

    `topics` are topic names, or one regular expression that starts with `^`. `flush` is set only
    for the bulk destinations. `crm` is set only for `crm_bulk`, where `object` is an sObject.
    `custom` is the user's function, already imported. `place` is the route's `file:line`, for
    messages.
    """

    topics: tuple[str, ...]
    object: str
    format: FormatName = "json"
    encoding: EncodingName = "json"
    destination: Literal["streaming", "bulk", "crm_bulk"] = "streaming"
    flush: FlushSettings | None = None
    crm: CrmTarget | None = None
    deletes: Literal["delete", "ignore", "dead_letter"] = "delete"
    tombstones: Literal["ignore", "delete", "dead_letter"] = "ignore"
    zone: str | None = None
    flat_prefix: str = "__"
    unavailable_value: str | None = None
    where: dict[str, WhereEntry] = {}
    where_not_met: Literal["filter", "delete"] = "filter"
    operation: OperationSettings | None = None
    row: RowSettings | None = None
    before: BeforeSettings | None = None
    time: TimeSettings | None = None
    fields: dict[str, FieldRule] = {}
    custom: Callable[..., Any] | None = None
    place: str = ""

    @property
    def has_envelope(self) -> bool:
        """Whether the route describes the envelope around its rows, which format json has not."""
        described = (self.operation, self.row, self.before, self.time)
        return self.format == "json" and any(one is not None for one in described)

    def is_mark(self, column: str) -> bool:
        """Whether a column is metadata that Debezium's transformation adds to a flat row."""
        prefix = self.flat_prefix
        return self.format == "debezium_flat" and prefix != "" and column.startswith(prefix)
