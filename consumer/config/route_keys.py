"""Keys of a route: topics, format, destination and field rules."""

from __future__ import annotations

from typing import Literal, TypeAlias

from consumer.config.keys import Section, defaulted, optional, required
from consumer.config.kinds import AnyText, Choice, Duration, PlainValue, Size, Text
from consumer.config.rule_keys import RULE
from consumer.config.several import ListOf, MapOf, one_entry
from consumer.config.where_keys import WHERE, WHERE_NOT_MET
from consumer.mapping.settings import CrmOperation, EncodingName, FormatName, RowsPer, TimeUnit

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
    "debezium_mongodb",
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
BEFORE_PREFIX = optional(
    "prefix",
    Text("the start of column names, such as BI_"),
    "Start of the names of columns that hold earlier values (AWS DMS: add-before-image-columns).",
)
UNAVAILABLE_VALUE = optional(
    "unavailable_value",
    Text("the connector's unavailable.value.placeholder"),
    "Text that Debezium sends instead of an unchanged large value, if the Debezium connector sets"
    " its own `unavailable.value.placeholder`; never sent as a value, like Debezium's default.",
)
_LISTED = ListOf(PlainValue(), from_scalar=one_entry)
OPERATION_FROM = required(
    "from",
    Text("a source path such as message.headers.operation"),
    "Source path of the operation in the record.",
)
OPERATION_INSERT = optional("insert", _LISTED, "Values that mean an insert.")
OPERATION_UPDATE = optional("update", _LISTED, "Values that mean an update.")
OPERATION_DELETE = optional("delete", _LISTED, "Values that mean a delete.")
OPERATION = optional(
    "operation",
    Section(
        "a mapping with from, insert, update and delete",
        OPERATION_FROM,
        OPERATION_INSERT,
        OPERATION_UPDATE,
        OPERATION_DELETE,
    ),
    "Where format json finds the operation of a record, and what its values mean; any other value"
    " is ENVELOPE_OP. Without it every row is an upsert.",
)
ROW_FROM = optional(
    "from",
    Text("a source path such as message.data"),
    "Source path of the row in the record; the record itself when absent.",
)
ROW_PARSE = optional(
    "parse", Choice[Literal["json"]]("json"), "`json`: the row is JSON inside text."
)
ROW_PER = defaulted(
    "per",
    Choice[RowsPer]("record", "element"),
    "record",
    "`element`: each object of the array at the path is a row.",
)
ROW = optional(
    "row",
    Section("a source path such as message.data", ROW_FROM, ROW_PARSE, ROW_PER, shorthand="from"),
    "Where format json finds the row; the paths of `fields` start there.",
)
BEFORE_FROM = optional(
    "from",
    Text("a source path such as message.beforeData"),
    "Source path of the old row in the record.",
)
BEFORE = optional(
    "before",
    Section(
        "a source path such as message.beforeData", BEFORE_FROM, BEFORE_PREFIX, shorthand="from"
    ),
    "Where the row before the change is: by `from` for format json, by `prefix` for format dms. It"
    " names the row to delete, and the old key of a row whose key has changed.",
)
TIME_FROM = required(
    "from",
    Text("a source path such as message.headers.timestamp"),
    "Source path of the time in the record.",
)
TIME_UNIT = optional(
    "unit", Choice[TimeUnit]("s", "ms", "us", "ns"), "Unit of a number that holds the time."
)
TIME = optional(
    "time",
    Section(
        "a source path such as message.headers.timestamp", TIME_FROM, TIME_UNIT, shorthand="from"
    ),
    "Where format json finds the time of the change; the Kafka timestamp when absent.",
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
    UNAVAILABLE_VALUE,
    WHERE,
    WHERE_NOT_MET,
    OPERATION,
    ROW,
    BEFORE,
    TIME,
    FIELDS,
    CUSTOM,
    CRM,
    FLUSH,
)
ROUTES = required("routes", ListOf(ROUTE), "Which topics are written to which object, and how.")
