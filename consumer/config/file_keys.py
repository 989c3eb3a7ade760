"""Keys of the configuration file: the one table for reading, JSON Schema and reference."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from consumer.config.keys import Section, defaulted, optional, required, section
from consumer.config.kinds import (
    Boolean,
    Choice,
    Duration,
    PropertyText,
    Ratio,
    Size,
    StartAtKind,
    Text,
    Whole,
)
from consumer.config.registry_keys import REGISTRY
from consumer.config.route_keys import ROUTES
from consumer.config.secrets import SecretFile, SecretReference
from consumer.config.several import ListOf, MapOf, one_entry, split_at_commas
from consumer.delivery.settings import SERVICE_BODY_BYTES, SERVICE_REQUESTS_PER_SECOND

Flow: TypeAlias = Literal["jwt_bearer", "client_credentials", "refresh_token", "password"]
Category: TypeAlias = Literal["profile", "engagement", "other"]
RefreshMode: TypeAlias = Literal["upsert", "partial"]
OnFault: TypeAlias = Literal["send", "stop"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "console", "json"]

TOPIC: Final = r"[A-Za-z0-9._-]{1,249}"

BOOTSTRAP_SERVERS = required(
    "bootstrap_servers",
    ListOf(Text("host:port"), from_scalar=split_at_commas),
    "Bootstrap brokers as `host:port`, in a list or separated by commas.",
)
GROUP_ID = required(
    "group_id", Text(), "Consumer group ID; all replicas of one deployment share it."
)
START_AT = defaulted(
    "start_at",
    StartAtKind(),
    "earliest",
    "Where a group starts if it has no committed offset in any subscribed topic. Topics and"
    " partitions that are new to a group with offsets start at their beginning.",
)
PROPERTIES = optional(
    "properties",
    MapOf(PropertyText(), keys="librdkafka properties", dotted=True),
    "Any librdkafka property; properties that the daemon sets itself are refused, with the"
    " reason. `sasl.mechanisms: AWS_MSK_IAM` logs in to Amazon MSK with IAM.",
)
SCHEMA_REGISTRY = optional(
    "schema_registry",
    REGISTRY,
    "Schema registry for the encodings avro, protobuf and json_schema.",
)
KAFKA = section(
    "kafka",
    Section("a mapping", BOOTSTRAP_SERVERS, GROUP_ID, START_AT, PROPERTIES, SCHEMA_REGISTRY),
    "The Kafka cluster to read from.",
)

LOGIN_URL = defaulted(
    "login_url",
    Text("an address such as https://login.salesforce.com"),
    "https://login.salesforce.com",
    "Login host or My Domain, with https; plain http only to a loopback address, for the sandbox.",
)
FLOW = required(
    "flow",
    Choice[Flow]("jwt_bearer", "client_credentials", "refresh_token", "password"),
    "OAuth 2.0 flow to log in with; jwt_bearer is recommended.",
)
CLIENT_ID = required(
    "client_id", Text(), "Consumer key of the connected app or external client app."
)
USERNAME = optional(
    "username", Text(), "Integration user; required for flow jwt_bearer and password."
)
PRIVATE_KEY_FILE = optional(
    "private_key_file",
    SecretFile(),
    "PEM private key of the app's certificate; for flow jwt_bearer.",
)
PRIVATE_KEY = optional(
    "private_key", SecretReference(), "The private key itself, as a reference to the environment."
)
CLIENT_SECRET_FILE = optional(
    "client_secret_file", SecretFile(), "File that contains the app's consumer secret."
)
CLIENT_SECRET = optional(
    "client_secret",
    SecretReference(),
    "The consumer secret itself, as a reference to the environment.",
)
REFRESH_TOKEN_FILE = optional(
    "refresh_token_file",
    SecretFile(),
    "File that contains the refresh token; for flow refresh_token.",
)
REFRESH_TOKEN = optional(
    "refresh_token",
    SecretReference(),
    "The refresh token itself, as a reference to the environment.",
)
PASSWORD_FILE = optional(
    "password_file",
    SecretFile(),
    "File that contains the user's password and security token; for flow password.",
)
PASSWORD = optional(
    "password",
    SecretReference(),
    "The password and security token, as a reference to the environment.",
)
AUDIENCE = optional(
    "audience", Text(), "Audience of the JWT assertion; the origin of login_url when absent."
)
ALLOWED_DOMAINS = defaulted(
    "allowed_domains",
    ListOf(
        Text("a domain such as salesforce.com", r"(?i)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+"),
        from_scalar=one_entry,
    ),
    "salesforce.com",
    "Domains that tokens and records may be sent to, with https.",
)
API_VERSION = defaulted(
    "api_version",
    Text("a version such as v61.0", r"v[0-9]{2,3}\.0"),
    "v61.0",
    "Version of the CRM Bulk API 2.0; only used by destination crm_bulk.",
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
    "How to log in to Salesforce.",
)

CATEGORY = defaulted(
    "category",
    Choice[Category]("profile", "engagement", "other"),
    "profile",
    "Category of the data stream, as chosen in Data 360.",
)
PRIMARY_KEY = required(
    "primary_key", Text("the name of a field"), "Primary key of the data stream."
)
RECORD_MODIFIED = optional(
    "record_modified",
    Text("the name of a field"),
    "Record Modified field of the data stream; Data 360 keeps the row with the latest value.",
)
EVENT_TIME = optional(
    "event_time",
    Text("the name of a field"),
    "Event Time field of the data stream; required for engagement objects, and only allowed there.",
)
REFRESH_MODE = defaulted(
    "refresh_mode",
    Choice[RefreshMode]("upsert", "partial"),
    "upsert",
    "Refresh mode of the data stream: upsert replaces the whole row, partial only the fields"
    " that are sent.",
)
OBJECT_SETTINGS = Section(
    "a mapping", CATEGORY, PRIMARY_KEY, RECORD_MODIFIED, EVENT_TIME, REFRESH_MODE
)
CONNECTOR_NAME = required(
    "name",
    Text("a connector name of A-Z, a-z, 0-9, `_` and `-`", r"[A-Za-z0-9_-]{1,80}"),
    "Name of the Ingestion API connector (`sourceName` in the API).",
)
SCHEMA_FILE = required(
    "schema_file", Text("a path"), "OpenAPI file that was uploaded to the connector."
)
OBJECTS = optional(
    "objects",
    MapOf(OBJECT_SETTINGS, keys="objects of the connector"),
    "Settings of the data streams that the schema file does not contain, by object.",
)
CONNECTOR = optional(
    "connector",
    Section("a mapping", CONNECTOR_NAME, SCHEMA_FILE, OBJECTS),
    "The Ingestion API connector; required unless every route has destination crm_bulk.",
)

BATCH_BYTES = defaulted(
    "batch_bytes",
    Size(100, SERVICE_BODY_BYTES, too_many="the limit of an Ingestion API request"),
    "200000",
    "Largest encoded request body.",
)
LINGER = defaulted(
    "linger", Duration("0ms", "10m"), "500ms", "How long a batch waits for more rows."
)
IN_FLIGHT = defaulted(
    "in_flight",
    Whole(1),
    "32",
    "Most requests in flight; the adaptive limit moves at or below it.",
)
REQUESTS_PER_SECOND = defaulted(
    "requests_per_second",
    Whole(1, SERVICE_REQUESTS_PER_SECOND, too_many="the rate limit of a tenant"),
    "250",
    "Request rate of the tenant over all replicas; each process takes the share of its partitions.",
)
TIMEOUT = defaulted(
    "timeout", Duration(), "20s", "Timeout of a whole request; must be below drain_timeout."
)
DRAIN_TIMEOUT = defaulted(
    "drain_timeout",
    Duration(),
    "25s",
    "How long a revocation or a shutdown waits for unsettled records; must be below"
    " session.timeout.ms.",
)
BUFFER_BYTES = defaulted(
    "buffer_bytes", Size(1000), "64MiB", "Most bytes of records that are read and not settled."
)
CONFLATE = defaulted(
    "conflate",
    Boolean(),
    "true",
    "Whether a newer change supersedes an unsent older change to the same row; never for"
    " engagement objects.",
)
COMMIT_INTERVAL = defaulted(
    "commit_interval", Duration("10ms", "10m"), "1s", "How often offsets are committed."
)
SPOOL_DIR = optional(
    "spool_dir",
    Text("the path of a directory"),
    "Directory for the collected rows of bulk destinations; by default below the system's"
    " temporary directory. If it survives a restart, a job that was left open is found again at"
    " once.",
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
    "Sizes, rates and timeouts of requests.",
)

DEAD_LETTER_TOPIC = defaulted(
    "topic",
    Text("the name of a topic", TOPIC),
    "datacloud-consumer.dead-letter",
    "Topic that dead letters are written to.",
)
ON_FAULT = defaulted(
    "on_fault",
    Choice[OnFault]("send", "stop"),
    "send",
    "What to do with a rejected record: send a dead letter, or stop the daemon.",
)
FUSE_CONSECUTIVE = defaulted(
    "consecutive", Whole(1), "20", "Rejected records in a row that start a hold."
)
FUSE_RATIO = defaulted(
    "ratio", Ratio(), "0.05", "Share of rejected records within one minute that starts a hold."
)
FUSE = section(
    "fuse",
    Section("a mapping", FUSE_CONSECUTIVE, FUSE_RATIO),
    "Limits for dead letters; at either of them the daemon holds instead of sending more.",
)
DEAD_LETTER = section(
    "dead_letter",
    Section("a mapping", DEAD_LETTER_TOPIC, ON_FAULT, FUSE),
    "What to do with records that cannot be delivered.",
)

LISTEN = defaulted(
    "listen",
    Text("host:port, or off"),
    "127.0.0.1:8080",
    "Address of the health checks, the metrics and the status page; `off` disables them.",
)
HOST_NAMES = optional(
    "host_names",
    ListOf(
        Text(
            "a host name such as daemon.example.com", r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*"
        ),
        from_scalar=one_entry,
    ),
    "Names under which a browser or a proxy reaches the admin server. IP addresses, `localhost` and"
    " names inside the cluster need no entry; any other name is refused.",
)
ADMIN = section("admin", Section("a mapping", LISTEN, HOST_NAMES), "The admin server.")
LEVEL = defaulted(
    "level",
    Choice[Level]("debug", "info", "warning", "error"),
    "info",
    "Lowest level that is logged.",
)
LOG_FORMAT = defaulted(
    "format",
    Choice[LogFormat]("auto", "console", "json"),
    "auto",
    "Log format; auto is console on a terminal, otherwise json.",
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

MAPPING = Section("sections such as `routes:`", CONNECTOR, ROUTES, DELIVERY)
"""The sections that decide what a record is mapped to."""
