"""The table of all keys: the file is read by it.

And its JSON Schema and reference are written from it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from consumer.config.keys import Section, defaulted, optional, required, section
from consumer.config.kinds import (
    Boolean,
    Choice,
    Duration,
    PlainValue,
    PropertyText,
    Ratio,
    Size,
    StartAtKind,
    Text,
    Whole,
)
from consumer.config.rule_shape import RULE
from consumer.config.secrets import SecretFile, SecretReference
from consumer.config.several import ListOf, MapOf, itself, parted_by_commas
from consumer.delivery.settings import SERVICE_BODY_BYTES, SERVICE_REQUESTS_PER_SECOND
from consumer.mapping.settings import CrmOperation, EncodingName, FormatName

Flow: TypeAlias = Literal["jwt_bearer", "client_credentials", "refresh_token", "password"]
Category: TypeAlias = Literal["profile", "engagement", "other"]
RefreshMode: TypeAlias = Literal["upsert", "partial"]
Destination: TypeAlias = Literal["streaming", "bulk", "crm_bulk"]
Deletes: TypeAlias = Literal["delete", "ignore", "dead_letter"]
OnFault: TypeAlias = Literal["send", "stop"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "console", "json"]

TOPIC: Final = r"[A-Za-z0-9._-]{1,249}"

REGISTRY_URL = required(
    "url", Text("an address such as https://registry.example.com"), "Address of the registry."
)
REGISTRY_USERNAME = optional("username", Text(), "User name, where the registry wants one.")
REGISTRY_PASSWORD_FILE = optional("password_file", SecretFile(), "File with its password.")
REGISTRY_PASSWORD = optional(
    "password", SecretReference(), "The same as a reference to the environment."
)
REGISTRY_TOKEN_FILE = optional(
    "token_file", SecretFile(), "File with a bearer token, instead of a user name."
)
REGISTRY_TOKEN = optional("token", SecretReference(), "The same as a reference to the environment.")
REGISTRY_CERTIFICATE_FILE = optional(
    "certificate_file",
    SecretFile(),
    "PEM certificate that is shown to the registry, for mutual TLS.",
)
REGISTRY_KEY_FILE = optional(
    "key_file", SecretFile(), "PEM key of that certificate, without a passphrase."
)
REGISTRY_CA_FILE = optional(
    "ca_file",
    SecretFile(),
    "PEM authorities that the registry's certificate is from; the system's when absent.",
)
REGISTRY = Section(
    "a mapping",
    REGISTRY_URL,
    REGISTRY_USERNAME,
    REGISTRY_PASSWORD_FILE,
    REGISTRY_PASSWORD,
    REGISTRY_TOKEN_FILE,
    REGISTRY_TOKEN,
    REGISTRY_CERTIFICATE_FILE,
    REGISTRY_KEY_FILE,
    REGISTRY_CA_FILE,
)

BOOTSTRAP_SERVERS = required(
    "bootstrap_servers",
    ListOf(Text("host:port"), lone=parted_by_commas),
    "Brokers to start from, as `host:port`; commas or a list part them.",
)
GROUP_ID = required("group_id", Text(), "Consumer group; all replicas of one deployment share it.")
START_AT = defaulted(
    "start_at",
    StartAtKind(),
    "earliest",
    "Where the group starts on a topic for which it has no position.",
)
PROPERTIES = optional(
    "properties",
    MapOf(PropertyText(), keys="librdkafka properties", dotted=True),
    "Any librdkafka property; the ones that the daemon owns are refused with the reason."
    " And `sasl.mechanisms:"
    " AWS_MSK_IAM`, a login to Amazon MSK by IAM.",
)
SCHEMA_REGISTRY = optional(
    "schema_registry", REGISTRY, "Where Avro, Protobuf and JSON Schema come from."
)
KAFKA = section(
    "kafka",
    Section("a mapping", BOOTSTRAP_SERVERS, GROUP_ID, START_AT, PROPERTIES, SCHEMA_REGISTRY),
    "Where records come from.",
)

LOGIN_URL = defaulted(
    "login_url",
    Text("an address such as https://login.salesforce.com"),
    "https://login.salesforce.com",
    "Login host or My Domain, by https; plain http only to a loopback address, for the sandbox.",
)
FLOW = required(
    "flow",
    Choice[Flow]("jwt_bearer", "client_credentials", "refresh_token", "password"),
    "How the daemon logs in; jwt_bearer is the one to choose.",
)
CLIENT_ID = required("client_id", Text(), "Consumer key of the connected or external client app.")
USERNAME = optional("username", Text(), "Integration user, for jwt_bearer and password.")
PRIVATE_KEY_FILE = optional(
    "private_key_file", SecretFile(), "PEM key of the app's certificate, for jwt_bearer."
)
PRIVATE_KEY = optional(
    "private_key", SecretReference(), "The same as a reference to the environment."
)
CLIENT_SECRET_FILE = optional(
    "client_secret_file", SecretFile(), "File with the app's consumer secret."
)
CLIENT_SECRET = optional(
    "client_secret", SecretReference(), "The same as a reference to the environment."
)
REFRESH_TOKEN_FILE = optional(
    "refresh_token_file", SecretFile(), "File with a refresh token, for refresh_token."
)
REFRESH_TOKEN = optional(
    "refresh_token", SecretReference(), "The same as a reference to the environment."
)
PASSWORD_FILE = optional(
    "password_file", SecretFile(), "File with the user's password and security token."
)
PASSWORD = optional("password", SecretReference(), "The same as a reference to the environment.")
AUDIENCE = optional(
    "audience", Text(), "Audience of the assertion; the origin of login_url when absent."
)
ALLOWED_DOMAINS = defaulted(
    "allowed_domains",
    ListOf(
        Text("a domain such as salesforce.com", r"(?i)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+"),
        lone=itself,
    ),
    "salesforce.com",
    "Domains whose hosts tokens and records may go to, by https.",
)
API_VERSION = defaulted(
    "api_version",
    Text("a version such as v61.0", r"v[0-9]{2,3}\.0"),
    "v61.0",
    "Version of the CRM Bulk API 2.0; nothing else uses it.",
)
SALESFORCE = section(
    "salesforce",
    Section(
        "a mapping",
        LOGIN_URL,
        FLOW,
        CLIENT_ID,
        USERNAME,
        PRIVATE_KEY_FILE,
        PRIVATE_KEY,
        CLIENT_SECRET_FILE,
        CLIENT_SECRET,
        REFRESH_TOKEN_FILE,
        REFRESH_TOKEN,
        PASSWORD_FILE,
        PASSWORD,
        AUDIENCE,
        ALLOWED_DOMAINS,
        API_VERSION,
    ),
    "How the daemon logs in.",
)

CATEGORY = defaulted(
    "category",
    Choice[Category]("profile", "engagement", "other"),
    "profile",
    "Category of the data stream, as chosen in Data Cloud.",
)
PRIMARY_KEY = required(
    "primary_key", Text("the name of a field"), "Primary key of the data stream."
)
RECORD_MODIFIED = optional(
    "record_modified",
    Text("the name of a field"),
    "Record Modified field of the data stream: the tenant keeps the newest by it.",
)
EVENT_TIME = optional(
    "event_time",
    Text("the name of a field"),
    "Event Time field; required of engagement objects, and only theirs.",
)
REFRESH_MODE = defaulted(
    "refresh_mode",
    Choice[RefreshMode]("upsert", "partial"),
    "upsert",
    (
        "Refresh mode of the data stream: upsert replaces whole rows, partial only the fields"
        " that are sent."
    ),
)
OBJECT_SETTINGS = Section(
    "a mapping", CATEGORY, PRIMARY_KEY, RECORD_MODIFIED, EVENT_TIME, REFRESH_MODE
)
CONNECTOR_NAME = required(
    "name",
    Text("the connector's name of letters, digits, `_`, `-`", r"[A-Za-z0-9_-]{1,80}"),
    "Source name of the Ingestion API connector.",
)
SCHEMA_FILE = required(
    "schema_file", Text("a path"), "The OpenAPI file that was uploaded to the connector."
)
OBJECTS = optional(
    "objects",
    MapOf(OBJECT_SETTINGS, keys="objects of the connector"),
    "What the schema file cannot say, by object.",
)
CONNECTOR = optional(
    "connector",
    Section("a mapping", CONNECTOR_NAME, SCHEMA_FILE, OBJECTS),
    "The Ingestion API connector; needed unless every route goes to crm_bulk.",
)

TOPICS = required(
    "topics",
    ListOf(Text("a topic"), lone=itself),
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
FORMAT = defaulted("format", FORMATS, "json", "What a record's value looks like.")
ENCODING = defaulted(
    "encoding",
    Choice[EncodingName]("json", "avro", "protobuf", "json_schema"),
    "json",
    "How it is written in bytes; the last three need the schema registry.",
)
OBJECT = optional(
    "object", Text("the name of an object"), "Object of the connector that the route fills."
)
DESTINATION = defaulted(
    "destination",
    Choice[Destination]("streaming", "bulk", "crm_bulk"),
    "streaming",
    "Which API takes the rows.",
)
DELETES = defaulted(
    "deletes",
    Choice[Deletes]("delete", "ignore", "dead_letter"),
    "delete",
    "What becomes of a delete.",
)
TOMBSTONES = optional(
    "tombstones",
    Choice[Deletes]("ignore", "delete", "dead_letter"),
    (
        "What becomes of a null value; when absent: delete for debezium_flat, dead_letter for"
        " json, else ignore."
    ),
)
ZONE = optional("zone", Text("a zone such as Europe/Berlin"), "Zone of times that carry none.")
FLAT_PREFIX = optional(
    "flat_prefix",
    Text(),
    "Prefix of the fields that debezium_flat adds to a row; `__` when absent.",
)
WHERE = optional(
    "where",
    MapOf(ListOf(PlainValue()), keys="source paths, each with a list of values", dotted=True),
    "Rows to keep: every path must hold one of its values; other rows are filtered and counted.",
)
FIELDS = optional(
    "fields",
    MapOf(RULE, keys="target fields, each with its rule"),
    "How target fields are filled; one without a rule takes the source field of its name.",
)
CUSTOM = optional(
    "custom",
    Text("module:function", r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"),
    "Python function that is called with the row before the field rules.",
)
CRM_OBJECT = required(
    "object", Text("an sObject such as Contact", r"[A-Za-z]\w{0,79}"), "CRM object."
)
CRM_OPERATION = defaulted(
    "operation",
    Choice[CrmOperation]("insert", "update", "upsert", "delete", "hardDelete"),
    "upsert",
    "Operation of the bulk job.",
)
CRM_EXTERNAL_ID = optional(
    "external_id", Text("the name of a field"), "External id field, for upsert."
)
CRM = optional(
    "crm",
    Section("a mapping", CRM_OBJECT, CRM_OPERATION, CRM_EXTERNAL_ID),
    "Target of `destination: crm_bulk`, instead of `object`.",
)
FLUSH_EVERY = defaulted("every", Duration("1s"), "15m", "How long rows are gathered for one job.")
FLUSH_BYTES = defaulted(
    "bytes",
    Size(1, 150_000_000, too_many="is over the service limit"),
    "140MB",
    (
        "How many bytes are gathered for one job; crm_bulk takes at most 100MB, and that when"
        " nothing is said."
    ),
)
FLUSH = optional(
    "flush",
    Section("a mapping", FLUSH_EVERY, FLUSH_BYTES),
    "When a bulk job is closed; bulk destinations only.",
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
    WHERE,
    FIELDS,
    CUSTOM,
    CRM,
    FLUSH,
)
ROUTES = required("routes", ListOf(ROUTE), "Which topics fill which object, and how.")

BATCH_BYTES = defaulted(
    "batch_bytes",
    Size(100, SERVICE_BODY_BYTES, too_many="is over the service limit"),
    "200000",
    "Hard cap of an encoded request body.",
)
LINGER = defaulted(
    "linger", Duration("0ms", "10m"), "500ms", "How long a batch waits for more rows."
)
IN_FLIGHT = defaulted(
    "in_flight", Whole(1), "32", "Most requests open at once; the adaptive limit moves below it."
)
REQUESTS_PER_SECOND = defaulted(
    "requests_per_second",
    Whole(1, SERVICE_REQUESTS_PER_SECOND, too_many="over the tenant limit"),
    "250",
    "Rate of the tenant over all replicas; a process takes the share of its partitions.",
)
TIMEOUT = defaulted(
    "timeout", Duration(), "20s", "Deadline of a whole request; below drain_timeout."
)
DRAIN_TIMEOUT = defaulted(
    "drain_timeout",
    Duration(),
    "25s",
    "How long a hand-over or a shutdown waits for what is open; below session.timeout.ms.",
)
BUFFER_BYTES = defaulted(
    "buffer_bytes", Size(1000), "64MiB", "Bound of everything read and not settled."
)
CONFLATE = defaulted(
    "conflate",
    Boolean(),
    "true",
    "Whether a newer change replaces an unsent older one; never for engagement.",
)
COMMIT_INTERVAL = defaulted(
    "commit_interval", Duration("10ms", "10m"), "1s", "How often positions are committed."
)
SPOOL_DIR = optional(
    "spool_dir",
    Text("the path of a directory"),
    "Where rows of bulk destinations are gathered; by default below the system's directory"
    " for temporary files. On"
    " a disk that outlives a restart a job that was left open is known again at once.",
)
DELIVERY = section(
    "delivery",
    Section(
        "a mapping",
        BATCH_BYTES,
        LINGER,
        IN_FLIGHT,
        REQUESTS_PER_SECOND,
        TIMEOUT,
        DRAIN_TIMEOUT,
        BUFFER_BYTES,
        CONFLATE,
        COMMIT_INTERVAL,
        SPOOL_DIR,
    ),
    "Sizes, rates and time-outs of sending.",
)

DEAD_LETTER_TOPIC = defaulted(
    "topic",
    Text("the name of a topic", TOPIC),
    "datacloud-consumer.dead-letter",
    "Where records at fault go.",
)
ON_FAULT = defaulted(
    "on_fault",
    Choice[OnFault]("send", "stop"),
    "send",
    "Whether a record at fault is sent there, or stops the daemon.",
)
FUSE_CONSECUTIVE = defaulted("consecutive", Whole(1), "20", "Records at fault in a row.")
FUSE_RATIO = defaulted("ratio", Ratio(), "0.05", "Share of a minute's records at fault.")
FUSE = section(
    "fuse",
    Section("a mapping", FUSE_CONSECUTIVE, FUSE_RATIO),
    "Beyond either figure: hold, not a flood.",
)
DEAD_LETTER = section(
    "dead_letter",
    Section("a mapping", DEAD_LETTER_TOPIC, ON_FAULT, FUSE),
    "What becomes of records at fault.",
)

LISTEN = defaulted(
    "listen",
    Text("host:port, or off"),
    "127.0.0.1:8080",
    "Address of health, metrics and the status page; `off` disables them.",
)
ADMIN = section("admin", Section("a mapping", LISTEN), "What the daemon tells about itself.")
LEVEL = defaulted(
    "level",
    Choice[Level]("debug", "info", "warning", "error"),
    "info",
    "Least level that is logged.",
)
LOG_FORMAT = defaulted(
    "format",
    Choice[LogFormat]("auto", "console", "json"),
    "auto",
    "auto is console on a terminal, else JSON.",
)
LOG = section("log", Section("a mapping", LEVEL, LOG_FORMAT), "The log, on standard error.")

FILE = Section(
    "sections such as `kafka:`",
    KAFKA,
    SALESFORCE,
    CONNECTOR,
    ROUTES,
    DELIVERY,
    DEAD_LETTER,
    ADMIN,
    LOG,
)
