"""Keys of a route: topics, format, destination and field rules."""

from __future__ import annotations

from typing import Literal, TypeAlias

from consumer.config.keys import Section, defaulted, optional, required
from consumer.config.kinds import AnyText, Choice, Duration, PlainValue, Size, Text
from consumer.config.rule_keys import RULE
from consumer.config.several import ListOf, MapOf, one_entry
from consumer.mapping.settings import CrmOperation, EncodingName, FormatName

Destination: TypeAlias = Literal["streaming", "bulk", "crm_bulk"]
Deletes: TypeAlias = Literal["delete", "ignore", "dead_letter"]

TOPICS = required(
    "topics",
    ListOf(Text("a topic"), from_scalar=one_entry),
    "Topic names, or one regular expression that starts with `^`.",
)
FORMATS = Choice[FormatName](
    "json",
    "debezium",
    "debezium_flat",
    "cloudevents",
    "maxwell",
    "canal",
    "dms",
    "goldengate",
    "salesforce_cdc",
)
FORMAT = defaulted("format", FORMATS, "json", "Message format of the record value.")
ENCODING = defaulted(
    "encoding",
    Choice[EncodingName]("json", "avro", "protobuf", "json_schema"),
    "json",
    "Encoding of the record value; all but json need `kafka.schema_registry`.",
)
OBJECT = optional(
    "object",
    Text("the name of an object"),
    "Object of the connector to write to; required unless destination is crm_bulk.",
)
DESTINATION = defaulted(
    "destination",
    Choice[Destination]("streaming", "bulk", "crm_bulk"),
    "streaming",
    "API to send to: Ingestion API streaming, Ingestion API bulk, or CRM Bulk API 2.0.",
)
DELETES = defaulted(
    "deletes",
    Choice[Deletes]("delete", "ignore", "dead_letter"),
    "delete",
    "What to do with a delete: send it, ignore it, or write a dead letter.",
)
TOMBSTONES = optional(
    "tombstones",
    Choice[Deletes]("ignore", "delete", "dead_letter"),
    "What to do with a tombstone (null value); when absent: delete for debezium_flat,"
    " dead_letter for json, ignore for other formats.",
)
ZONE = optional(
    "zone",
    Text("a time zone such as Europe/Berlin"),
    "Time zone of times that carry none.",
)
FLAT_PREFIX = optional(
    "flat_prefix",
    AnyText("text, or '' for no prefix"),
    "Prefix of the metadata fields of format debezium_flat, may be empty; `__` when absent.",
)
BEFORE_PREFIX = required(
    "prefix",
    Text("the start of column names, such as BI_"),
    "Start of the names of columns that hold earlier values (AWS DMS: add-before-image-columns).",
)
BEFORE = optional(
    "before",
    Section("a mapping", BEFORE_PREFIX),
    "Where an update has the row before it; only for format dms. A changed primary key then deletes"
    " the old row.",
)
UNAVAILABLE_VALUE = optional(
    "unavailable_value",
    Text("the connector's unavailable.value.placeholder"),
    "Text that Debezium sends instead of an unchanged large value, if the connector sets its own"
    " `unavailable.value.placeholder`; never sent as a value, like Debezium's default.",
)
WHERE = optional(
    "where",
    MapOf(ListOf(PlainValue()), keys="source paths, each with a list of values", dotted=True),
    "Filter: every path must have one of its values; other records are counted as filtered.",
)
FIELDS = optional(
    "fields",
    MapOf(RULE, keys="target fields, each with its rule"),
    "Field rules. A field without a rule takes the source field of the same name; with"
    " destination crm_bulk only the fields listed here are sent.",
)
CUSTOM = optional(
    "custom",
    Text("module:function", r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"),
    "Python function that is called with each row before the field rules. Its module is looked for"
    " next to the file too; the name `consumer` is taken by this program.",
)
CRM_OBJECT = required(
    "object", Text("an sObject such as Contact", r"[A-Za-z]\w{0,79}"), "sObject to write to."
)
CRM_OPERATION = defaulted(
    "operation",
    Choice[CrmOperation]("insert", "update", "upsert", "delete", "hardDelete"),
    "upsert",
    "Operation of the Bulk API 2.0 job.",
)
CRM_EXTERNAL_ID = optional(
    "external_id",
    Text("the name of a field"),
    "External ID field; required for upsert.",
)
CRM = optional(
    "crm",
    Section("a mapping", CRM_OBJECT, CRM_OPERATION, CRM_EXTERNAL_ID),
    "Target of destination crm_bulk, instead of `object`.",
)
FLUSH_EVERY = defaulted(
    "every", Duration("1s"), "15m", "How long rows are collected before their job is sent."
)
FLUSH_BYTES = defaulted(
    "bytes",
    Size(1, 150_000_000, too_many="the limit of an Ingestion API job"),
    "140MB",
    "Most bytes in one job; for crm_bulk at most 100MB, which is also its default.",
)
FLUSH = optional(
    "flush",
    Section("a mapping", FLUSH_EVERY, FLUSH_BYTES),
    "When a bulk job is sent; only for destination bulk and crm_bulk.",
)
ROUTE = Section(
    "routes, each with topics, format and object",
    TOPICS,
    FORMAT,
    ENCODING,
    OBJECT,
    DESTINATION,
    DELETES,
    TOMBSTONES,
    ZONE,
    FLAT_PREFIX,
    BEFORE,
    UNAVAILABLE_VALUE,
    WHERE,
    FIELDS,
    CUSTOM,
    CRM,
    FLUSH,
)
ROUTES = required("routes", ListOf(ROUTE), "Which topics are written to which object, and how.")
