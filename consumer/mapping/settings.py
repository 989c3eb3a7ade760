"""What a route is told: the object it fills, the rules of its fields, and what deletes mean."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

import msgspec

FormatName: TypeAlias = Literal[
    "json",
    "debezium",
    "debezium_flat",
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


PLACE_KEY: Final = "$place"
"""The key of rows that have none: no field can have this name, and none is sent."""

CRM_ID: Final = "Id"
CRM_CONNECTOR: Final = ""
"""Stands in the target of an sObject: no connector can have this name."""


class FieldType(StrEnum):
    """The connector schema's types.

    Email, phone, url and percent are text (see formats in the docs).
    """

    TEXT = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date-time"


class ObjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One connector object: its schema (field name to type, in file order) and what the file cannot say."""

    name: str
    fields: dict[str, FieldType]
    primary_key: str
    category: Literal["profile", "engagement", "other"] = "profile"
    record_modified: str | None = None
    event_time: str | None = None
    refresh_mode: Literal["upsert", "partial"] = "upsert"


class FieldRule(msgspec.Struct, frozen=True, kw_only=True):
    """How one target field is filled.

    Exactly one of `source`, `const`, `template` (UNSET when not given).

    `source` is a dotted path in the row, or a `$` reference (`$kafka.offset`, `$key.x`,
    `$header.NAME`, `$envelope.x`). `default` applies when the source is missing, null, or not in
    `values`.
    """

    source: str | msgspec.UnsetType = msgspec.UNSET
    const: str | int | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    template: str | msgspec.UnsetType = msgspec.UNSET
    default: str | int | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    values: dict[str, str | int | float | bool | None] | None = None
    lower: bool = False
    trim: bool = False
    number: bool = False
    json: bool = False
    required: bool = False
    unit: TimeUnit | None = None
    scale: int | None = None


class FlushSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `flush` of a route: the older of its rows is at most `every_s` old.

    Its lines have at most `bytes`.
    """

    every_s: float = 900.0
    bytes: int = 140_000_000


class CrmTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What a route to the CRM does with its sObject.

    `described` is the sObject as this route fills it, all text, changes in part. Its key is the
    field that names a row; an insert without an external id has none, and is named by the place of
    its record (`PLACE_KEY`).
    """

    described: ObjectSettings
    operation: CrmOperation = "upsert"
    external_id: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the columns that the route fills."""
        return tuple(name for name in self.described.fields if name != PLACE_KEY)


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One route of the file. `topics` are names, or one regular expression starting with `^`.

    `flush` is of the bulk destinations alone, `crm` of the CRM's, where `object` is an sObject.
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
    where: dict[str, tuple[str | int | float | bool | None, ...]] = {}
    fields: dict[str, FieldRule] = {}
    custom: Callable[..., Any] | None = None
    place: str = ""
