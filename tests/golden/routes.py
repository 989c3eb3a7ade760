"""The routes of the recorded tables: with rules where records have no schema."""

from __future__ import annotations

from consumer.mapping.settings import (
    FieldRule,
    FieldType,
    FormatName,
    ObjectSettings,
    RouteSettings,
)

TEXT, NUMBER, BOOLEAN = FieldType.TEXT, FieldType.NUMBER, FieldType.BOOLEAN
DATE, DATE_TIME = FieldType.DATE, FieldType.DATE_TIME

ALL_TYPES = {
    **dict.fromkeys(
        ["id", "c", "vc", "tx", "ci", "by", "iv", "j", "jb", "u", "e", "ia", "ta", "inet", "mac"],
        TEXT,
    ),
    **dict.fromkeys(
        ["t", "t6", "ttz", "f4", "f8", "bits", "pt", "xm", "hs", "i4r", "tsr", "ts_v", "nn"], TEXT
    ),
    **dict.fromkeys(["i2", "i4", "i8", "n", "money"], NUMBER),
    **dict.fromkeys(["b", "bit1"], BOOLEAN),
    "d": DATE,
    **dict.fromkeys(["ts3", "ts", "tstz"], DATE_TIME),
}
CUSTOMERS = {
    **dict.fromkeys(["id", "email", "full_name", "prefs", "tags", "uid", "avatar"], TEXT),
    "balance": NUMBER,
    "vip": BOOLEAN,
    "born": DATE,
    "created_at": DATE_TIME,
    "updated_at": DATE_TIME,
}
ORDERS = {
    **dict.fromkeys(["id", "customer", "note", "extra"], TEXT),
    "amount": NUMBER,
    "created": DATE_TIME,
    "changed": DATE_TIME,
}

MEMBERS = {
    **dict.fromkeys(["id", "email"], TEXT),
    "balance": NUMBER,
    "vip": BOOLEAN,
    "born": DATE,
    **dict.fromkeys(["updated_at", "changed"], DATE_TIME),
}
DOCUMENTS = dict.fromkeys(["id", "title", "body"], TEXT)
OF_DOCUMENTS = {
    **dict.fromkeys(["id", "email", "city", "address", "tags", "second", "ref"], TEXT),
    **dict.fromkeys(["balance", "visits"], NUMBER),
    **dict.fromkeys(["born", "since", "created", "changed"], DATE_TIME),
}
OF_SHOP = [
    ("customers", "members"),
    ("documents", "documents"),
    ("documents", "whole_documents"),
    ("pairs", "numbered_pairs"),
    ("keyless", "words"),
]

OBJECTS = {
    one.name: one
    for one in [
        ObjectSettings(name="all_types", fields=ALL_TYPES, primary_key="id"),
        ObjectSettings(name="customers", fields=CUSTOMERS, primary_key="id"),
        ObjectSettings(
            name="versioned", fields=CUSTOMERS, primary_key="id", record_modified="updated_at"
        ),
        ObjectSettings(name="pairs", fields={"key": TEXT, "v": NUMBER}, primary_key="key"),
        ObjectSettings(name="keyless", fields={"v": NUMBER, "w": TEXT}, primary_key="v"),
        ObjectSettings(name="orders", fields=ORDERS, primary_key="id", record_modified="changed"),
        ObjectSettings(
            name="toast", fields={"id": NUMBER, "big": TEXT, "small": NUMBER}, primary_key="id"
        ),
        ObjectSettings(
            name="toast_partial",
            fields={"id": NUMBER, "big": TEXT, "small": NUMBER},
            primary_key="id",
            refresh_mode="partial",
        ),
        ObjectSettings(name="members", fields=MEMBERS, primary_key="id", record_modified="changed"),
        ObjectSettings(
            name="documents", fields=DOCUMENTS, primary_key="id", refresh_mode="partial"
        ),
        ObjectSettings(name="whole_documents", fields=DOCUMENTS, primary_key="id"),
        ObjectSettings(name="numbered_pairs", fields={"key": TEXT, "n": NUMBER}, primary_key="key"),
        ObjectSettings(name="words", fields={"n": NUMBER, "word": TEXT}, primary_key="n"),
        ObjectSettings(
            name="of_documents",
            fields=OF_DOCUMENTS,
            primary_key="id",
            record_modified="changed",
            refresh_mode="partial",
        ),
        ObjectSettings(
            name="whole_of_documents",
            fields=OF_DOCUMENTS,
            primary_key="id",
            record_modified="changed",
        ),
        ObjectSettings(
            name="outbox", fields={"id": TEXT, "type": TEXT, "payload": TEXT}, primary_key="id"
        ),
    ]
}

PAIR = {"key": FieldRule(template="{a}/{b}")}
NESTED = {name: FieldRule(source=name, json=True) for name in ("ia", "ta", "pt")}
UNTYPED = {
    "all_types": NESTED
    | {
        "n": FieldRule(source="n", scale=3),
        "money": FieldRule(source="money", scale=2),
        "d": FieldRule(source="d", unit="days"),
        "ts3": FieldRule(source="ts3", unit="ms"),
        "ts": FieldRule(source="ts", unit="us"),
    },
    "orders": {"amount": FieldRule(source="amount", scale=2)},
    "customers": {
        "balance": FieldRule(source="balance", scale=2),
        "born": FieldRule(source="born", unit="days"),
        "updated_at": FieldRule(source="updated_at", unit="us"),
        "tags": FieldRule(source="tags", json=True),
    },
}
IN_TEXT = UNTYPED["customers"] | {
    "balance": FieldRule(source="balance", number=True),
    "updated_at": FieldRule(source="updated_at", unit="ms"),
}
OF_TABLE = [
    ("all_types", "all_types"),
    ("comp_pk", "pairs"),
    ("no_pk", "keyless"),
    ("orders", "orders"),
    ("toast", "toast"),
    ("toast", "toast_partial"),
]


def tables(prefix: str, *, typed: bool) -> list[RouteSettings]:
    """Return one route per table and object, and one for the messages of the server."""
    routes = []
    for table, name in OF_TABLE:
        rules = {} if typed else UNTYPED.get(name, {})
        rules = NESTED if typed and name == "all_types" else PAIR if name == "pairs" else rules
        routes.append(
            RouteSettings(
                topics=(f"{prefix}.inv.{table}",), object=name, format="debezium", fields=rules
            )
        )
    return [
        *routes,
        RouteSettings(topics=(rf"^{prefix}[.]message",), object="keyless", format="debezium"),
    ]


def unwrapped() -> list[RouteSettings]:
    """Return routes for flat rows; a tombstone deletes, which is their default."""
    rules = UNTYPED | {"pairs": PAIR}
    return [
        RouteSettings(
            topics=(f"unw.inv.{table}",),
            object=name,
            format="debezium_flat",
            tombstones="delete",
            fields=rules.get(name, {}),
        )
        for table, name in [*OF_TABLE, ("outbox", "outbox")]
    ]


def customers(rules: dict[str, FieldRule], name: str = "customers") -> list[RouteSettings]:
    """Return one route for all topics."""
    return [RouteSettings(topics=("^.*",), object=name, format="debezium", fields=rules)]


def shop(name: str, format_name: FormatName, *, typed: bool = False) -> list[RouteSettings]:
    """Return the routes of one connector: for its tables, and for its other topics."""
    rules = {"numbered_pairs": PAIR}
    if not typed:
        rules["members"] = {name: UNTYPED["customers"][name] for name in ("balance", "born")}
    topics = [((f"{name}.shop.{table}",), row) for table, row in OF_SHOP]
    topics.append(
        (
            (rf"^(__debezium-heartbeat[.]{name}|{name}[.](transaction|message|shop[.]signals))$",),
            "words",
        )
    )
    return [
        RouteSettings(
            topics=names,
            object=row,
            format=format_name,
            tombstones="delete" if format_name == "debezium_flat" else "ignore",
            fields=rules.get(row, {}),
        )
        for names, row in topics
    ]


def documents() -> list[RouteSettings]:
    """Return two routes for the documents of MongoDB: into partial and into whole rows."""
    rules = {
        "id": FieldRule(source="_id"),
        "city": FieldRule(source="address.city"),
        "since": FieldRule(source="address.since"),
        "address": FieldRule(source="address", json=True),
        "tags": FieldRule(source="tags", json=True),
        "second": FieldRule(source="tags.1"),
    }
    return [
        RouteSettings(topics=("^.*",), object=name, format="debezium_mongodb", fields=rules)
        for name in ("of_documents", "whole_of_documents")
    ]


ROUTES: dict[str, list[RouteSettings]] = {
    "dbz36-bare.ndjson": shop("bare", "debezium"),
    "dbz36-schema.ndjson": shop("schema", "debezium", typed=True),
    **{
        f"dbz36-flat_{mode}.ndjson": shop(f"flat_{mode}", "debezium_flat")
        for mode in (
            "drop",
            "tombstone",
            "rewrite",
            "rewrite_with_tombstone",
            "delete_to_tombstone",
        )
    },
    "dbz36-flat_null.ndjson": shop("flat_null", "debezium_flat", typed=True),
    "dbz36-schemas-off.ndjson": tables("nos", typed=False),
    "dbz36-schemas-on.ndjson": tables("sch", typed=True),
    "dbz36-unw.ndjson": unwrapped(),
    "mongodb-bare.ndjson": documents(),
    "mongodb-schema.ndjson": documents(),
    "pg_default_schemaless.jsonl": customers(UNTYPED["customers"]),
    "pg_schemas_enabled.jsonl": customers(
        {"tags": FieldRule(source="tags", json=True)}, "versioned"
    ),
    "pg_decimal_string_tx_heartbeat.jsonl": customers(IN_TEXT),
    "pg_replica_full_unwrap.jsonl": [
        RouteSettings(
            topics=("^.*",), object="customers", format="debezium_flat", fields=UNTYPED["customers"]
        )
    ],
}
