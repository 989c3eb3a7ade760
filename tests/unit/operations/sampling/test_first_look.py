"""`config init` on samples in memory: keys, tables, shards, and formats that are not known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect
from consumer.model import PlainRecord
from consumer.operations.sampling.first_files import configuration, connector_schema
from consumer.operations.sampling.first_look import FirstLook, TopicHints, look_at
from consumer.operations.sampling.sampled_rows import rows_of
from consumer.operations.sampling.sampler import NoSample, Sample
from consumer.operations.sampling.trial import run_trials

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.mapping.settings import FormatName
    from consumer.operations.sampling.trial import Trial

WALL_MS = 1_800_000_000_000
MS = 1_700_000_000_000

Value = dict[str, object]


def content(key: object) -> bytes | None:
    """Return a Kafka key: text as it is, anything else as JSON."""
    return (key if isinstance(key, str) else json.dumps(key)).encode() if key else None


def sample(*values: Value | None, keys: list[object] | None = None) -> Sample:
    """Return a sample with these values as JSON; text is a key as it is."""
    records = tuple(
        PlainRecord(
            "shop.all",
            0,
            offset,
            key=None
            if key is None
            else (key if isinstance(key, str) else json.dumps(key)).encode(),
            value=None if value is None else json.dumps(value).encode(),
            headers=[],
            timestamp_ms=MS,
        )
        for offset, (value, key) in enumerate(
            zip(values, keys or [None] * len(values), strict=True)
        )
    )
    return Sample("shop.all", 1, len(records), records)


def looked(found: Sample, form: FormatName | None = None, key: tuple[str, ...] = ()) -> FirstLook:
    """Return the guessed routes of a sample."""
    return look_at(found, TopicHints("all", form, None, key))


def tried(found: Sample, folder: Path, look: FirstLook | None = None) -> list[Trial]:
    """Write the files, check them as `lint` does, and map the sample by them."""
    routes = (look or looked(found)).routes
    (folder / "consumer.yaml").write_text(
        configuration("localhost:9092", {}, "kafka_events", routes, {}), "utf-8"
    )
    (folder / "connector.yaml").write_text(connector_schema(one for one, _ in routes), "utf-8")
    inspected = inspect(folder / "consumer.yaml", environ={}, overrides=[])
    assert () == inspected.faults
    assert inspected.settings is not None
    return list(run_trials(inspected.settings, found.records, WALL_MS))


def canal(kind: str, table: str, *rows: Value, pk: list[str] | None = None) -> Value:
    """Return a flat message of Canal."""
    return {
        "data": list(rows),
        "database": "shop",
        "table": table,
        "type": kind,
        "isDdl": False,
        "es": MS,
        "pkNames": pk,
        "old": [{} for _ in rows] if kind == "UPDATE" else None,
    }


def maxwell(kind: str, table: str, row: Value, **more: object) -> Value:
    """Return a record of Maxwell."""
    return {"database": "shop", "table": table, "type": kind, "ts": MS // 1000, "data": row} | more


def debezium(op: str, row: Value, **source: object) -> Value:
    """Return an envelope of Debezium."""
    images = {"before": row, "after": None} if op == "d" else {"before": None, "after": row}
    return {"op": op, "ts_ms": MS, "source": {"ts_ms": MS, "connector": "mysql"} | source} | images


def goldengate(op: str, table: str, row: Value, **more: object) -> Value:
    """Return an operation of GoldenGate."""
    image = "before" if op == "D" else "after"
    return {"table": table, "op_type": op, "op_ts": "2023-01-02 03:04:05.000000", image: row} | more


def dms(operation: str, table: str, row: Value) -> Value:
    """Return a record of AWS DMS."""
    return {
        "data": row,
        "metadata": {
            "record-type": "data",
            "operation": operation,
            "schema-name": "shop",
            "table-name": table,
            "timestamp": "2023-01-02T03:04:05.000000Z",
        },
    }


def salesforce(entity: str, record_id: str, **fields: object) -> Value:
    """Return a change event of Salesforce."""
    header = {
        "entityName": entity,
        "changeType": "CREATE",
        "recordIds": [record_id],
        "commitTimestamp": MS,
    }
    return {"ChangeEventHeader": header, **fields}


CODE = {"code": "A1", "qty": 1}
MORE = {"code": "A2", "qty": 2}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(
            [
                canal("INSERT", "t", CODE, MORE, pk=["code"]),
                canal("UPDATE", "t", CODE, pk=["code"]),
                canal("DELETE", "t", MORE, pk=["code"]),
            ],
            id="canal",
        ),
        pytest.param(
            [
                maxwell("insert", "t", CODE, primary_key_columns=["code"]),
                maxwell("insert", "t", MORE, primary_key_columns=["code"]),
                maxwell("delete", "t", MORE, primary_key_columns=["code"]),
            ],
            id="maxwell",
        ),
        pytest.param(
            [
                goldengate("I", "T", CODE, primary_keys=["code"]),
                goldengate("I", "T", MORE, primary_keys=["code"]),
                goldengate("D", "T", MORE, primary_keys=["code"]),
            ],
            id="goldengate",
        ),
    ],
)
def test_the_key_that_the_envelope_names_is_used(values: list[Value], tmp_path: Path) -> None:
    """A delete finds the row that was inserted."""
    found = sample(*values)
    look = looked(found)
    ((route, _),) = look.routes
    assert ("code", "the key that the envelope names") == (
        route.primary_key.value,
        route.primary_key.why,
    )
    (trial,) = tried(found, tmp_path, look)
    assert (0, 1) == (trial.outcomes["dead_letter"], trial.outcomes["delete"])
    assert {"A1", "A2"} == trial.keys


def test_several_key_columns_of_an_envelope_are_joined(tmp_path: Path) -> None:
    """In the order in which the envelope names them."""
    row = {"line": 2, "code": "A1", "qty": 1}
    found = sample(
        canal("INSERT", "t", row, pk=["code", "line"]),
        canal("DELETE", "t", row, pk=["code", "line"]),
    )
    (trial,) = tried(found, tmp_path)
    assert ({"A1-2"}, 1) == (trial.keys, trial.outcomes["delete"])


def test_the_key_of_maxwell_is_read_from_its_kafka_key(tmp_path: Path) -> None:
    """Maxwell names the columns `pk.NAME`, if it does not write them into the value."""
    keys: list[object] = [
        {"database": "shop", "table": "t", "pk.code": one} for one in ("A1", "A2")
    ]
    found = sample(maxwell("insert", "t", CODE), maxwell("insert", "t", MORE), keys=keys)
    ((route, _),) = looked(found).routes
    assert "code" == route.primary_key.value
    (trial,) = tried(found, tmp_path)
    assert {"A1", "A2"} == trial.keys


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([canal("INSERT", "t", {"word": "a"})], id="canal"),
        pytest.param([maxwell("insert", "t", {"word": "a"})], id="maxwell"),
        pytest.param([debezium("c", {"word": "a"})], id="debezium"),
        pytest.param([dms("insert", "t", {"word": "a"})], id="dms"),
        pytest.param([goldengate("I", "t", {"word": "a"})], id="goldengate"),
        pytest.param([{"word": "a", "__op": "c", "__source_ts_ms": MS}], id="debezium_flat"),
    ],
)
def test_offsets_are_not_the_key_of_rows_that_change(values: list[Value]) -> None:
    """Every version of a row would stay, and a delete would not find it."""
    with pytest.raises(NoSample, match="--key COLUMN"):
        looked(sample(*values))
    ((route, _),) = looked(sample(*values), key=("word",)).routes
    assert ("word", "from --key") == (route.primary_key.value, route.primary_key.why)


def test_a_kafka_key_that_chooses_the_partition_is_not_the_key_of_a_row() -> None:
    """Maxwell may use the name of the database."""
    found = sample(
        maxwell("insert", "t", {"word": "a"}),
        maxwell("insert", "t", {"word": "b"}),
        keys=["shop"] * 2,
    )
    with pytest.raises(NoSample, match="no key for the rows of `all`"):
        looked(found)


@pytest.mark.parametrize("key", ["c1", {"customer": "c1"}])
def test_a_kafka_key_that_repeats_is_not_the_key_of_rows_with_an_id(
    key: object, tmp_path: Path
) -> None:
    """Orders with the customer as Kafka key: each customer would keep one order."""
    rows: list[Value] = [{"id": one, "customer": "c1", "total": one} for one in (1, 2)]
    found = sample(*rows, keys=[key, key])
    ((route, _),) = looked(found).routes
    assert (
        "id",
        "a guess, by its name; the Kafka key is equal to customer, but repeats",
    ) == (route.primary_key.value, route.primary_key.why)
    (trial,) = tried(found, tmp_path)
    assert {"1", "2"} == trial.keys


def test_a_row_that_repeats_keeps_its_kafka_key_as_key() -> None:
    """A changed row has the same id again. Events would replace each other, so it is said."""
    found = sample({"id": 1, "uuid": "a"}, {"id": 1, "uuid": "b"}, keys=["1", "1"])
    ((route, _),) = looked(found).routes
    why = "equal to the Kafka key, which repeats: a newer row replaces an older one"
    assert ("id", why) == (route.primary_key.value, route.primary_key.why)


def test_a_chosen_key_has_to_be_a_column() -> None:
    """The message lists the columns."""
    with pytest.raises(NoSample, match="no such column; they have word"):
        looked(sample(debezium("c", {"word": "a"})), key=("wort",))


@pytest.mark.parametrize(
    ("values", "where"),
    [
        pytest.param(
            [
                canal("INSERT", "orders", {"id": 1, "total": 2}, pk=["id"]),
                canal("INSERT", "people", {"id": 1, "name": "b"}, pk=["id"]),
                canal("DELETE", "people", {"id": 1, "name": "b"}, pk=["id"]),
            ],
            "$envelope.table",
            id="canal",
        ),
        pytest.param(
            [
                maxwell("insert", "orders", {"id": 1, "total": 2}),
                maxwell("insert", "people", {"id": 1, "name": "b"}),
                maxwell("delete", "people", {"id": 1, "name": "b"}),
            ],
            "$envelope.table",
            id="maxwell",
        ),
        pytest.param(
            [
                dms("insert", "orders", {"id": 1, "total": 2}),
                dms("insert", "people", {"id": 1, "name": "b"}),
                dms("delete", "people", {"id": 1, "name": "b"}),
            ],
            "$envelope.metadata.table-name",
            id="dms",
        ),
        pytest.param(
            [
                goldengate("I", "orders", {"id": 1, "total": 2}),
                goldengate("I", "people", {"id": 1, "name": "b"}),
                goldengate("D", "people", {"id": 1, "name": "b"}),
            ],
            "$envelope.table",
            id="goldengate",
        ),
        pytest.param(
            [
                debezium("c", {"id": 1, "total": 2}, db="shop", table="orders"),
                debezium("c", {"id": 1, "name": "b"}, db="shop", table="people"),
                debezium("d", {"id": 1, "name": "b"}, db="shop", table="people"),
            ],
            "$envelope.source.table",
            id="debezium",
        ),
        pytest.param(
            [
                {"id": 1, "total": 2, "__op": "c", "__table": "orders", "__ts_ms": MS},
                {"id": 1, "name": "b", "__op": "c", "__table": "people", "__ts_ms": MS},
                {"id": 1, "name": "b", "__op": "d", "__table": "people", "__ts_ms": MS},
            ],
            "__table",
            id="debezium_flat",
        ),
    ],
)
def test_each_table_of_a_topic_has_a_route(values: list[Value], where: str, tmp_path: Path) -> None:
    """Rows and deletes of one table do not reach the object of another."""
    found = sample(*values)
    look = looked(found)
    assert [
        ("orders", {where: ("orders",)}),
        ("people", {where: ("people",)}),
    ] == [(route.object, route.where) for route, _ in look.routes]
    orders, people = tried(found, tmp_path, look)
    assert {"upsert": 1, "filtered where": 2} == orders.outcomes
    assert {"upsert": 1, "delete": 1, "filtered where": 1} == people.outcomes
    assert "2 tables in this topic" in " ".join(look.routes[0][1])


def test_each_object_of_a_salesforce_channel_has_a_route(tmp_path: Path) -> None:
    """Such as `/data/ChangeEvents`."""
    found = sample(
        salesforce("Account", "001", Industry="x"), salesforce("Contact", "003", Title="y")
    )
    accounts, contacts = tried(found, tmp_path)
    assert ("Account", {"001"}) == (accounts.route.object, accounts.keys)
    assert ("Contact", {"003"}) == (contacts.route.object, contacts.keys)


def test_tables_of_the_same_name_differ_in_their_database() -> None:
    """Both names stand in the condition, and the objects have different names."""
    found = sample(
        debezium("c", {"id": 1, "total": 2}, db="eu", table="orders"),
        debezium("c", {"id": 1, "sum": 2}, db="us", table="orders"),
    )
    one, other = (route for route, _ in looked(found).routes)
    assert {"$envelope.source.db": ("eu",)} == one.where
    assert {"$envelope.source.db": ("us",)} == other.where
    assert one.object != other.object


def test_a_table_with_deletes_only_does_not_delete_rows_of_another(tmp_path: Path) -> None:
    """It gets no route, because its columns are not known."""
    found = sample(
        maxwell("insert", "orders", {"id": 1, "total": 2}), maxwell("delete", "people", {"id": 1})
    )
    (trial,) = tried(found, tmp_path)
    assert {"upsert": 1, "filtered where": 1} == trial.outcomes


def test_the_shard_of_debezium_s_topic_routing_is_in_the_key(tmp_path: Path) -> None:
    """Two shards have the same ids; the Kafka key names the physical table."""
    keys: list[object] = [
        {"id": 1, "__dbz__physicalTableIdentifier": f"s.shop.t{one}"} for one in (1, 2, 1)
    ]
    row = {"id": 1, "v": "a"}
    found = sample(
        debezium("c", row, table="t1"),
        debezium("c", row, table="t2"),
        debezium("d", row, table="t1"),
        keys=keys,
    )
    (trial,) = tried(found, tmp_path)
    assert {"s.shop.t1-1", "s.shop.t2-1"} == trial.keys
    assert {"upsert": 2, "delete": 1} == trial.outcomes


def test_a_shard_under_another_name_in_the_kafka_key_is_in_the_key(tmp_path: Path) -> None:
    """The name is `key.field.name` of ByLogicalTableRouter."""
    keys: list[object] = [{"id": 1, "shard": "t1"}, {"id": 1, "shard": "t2"}]
    row = {"id": 1, "v": "a"}
    (trial,) = tried(sample(debezium("c", row), debezium("c", row), keys=keys), tmp_path)
    assert {"1-t1", "1-t2"} == trial.keys


def test_tables_whose_names_differ_in_numbers_are_shards(tmp_path: Path) -> None:
    """One route, with the table in the key."""
    found = sample(
        canal("INSERT", "orders_01", {"id": 1}, pk=["id"]),
        canal("INSERT", "orders_02", {"id": 1}, pk=["id"]),
        canal("DELETE", "orders_02", {"id": 1}, pk=["id"]),
    )
    (trial,) = tried(found, tmp_path)
    assert {"orders_01-1", "orders_02-1"} == trial.keys
    assert {"upsert": 2, "delete": 1} == trial.outcomes


@pytest.mark.parametrize(
    ("value", "system"),
    [
        (
            {"magic": "atMSG", "message": {"data": {"ID": 1}, "headers": {"operation": "INSERT"}}},
            "Qlik Replicate",
        ),
        ({"data": {"ID": 1}, "beforeData": None, "headers": {"operation": "I"}}, "Qlik Replicate"),
        ({"after": {"id": 1}, "key": [1], "updated": "1700000000.0"}, "CockroachDB"),
        ({"after": {"id": 1}, "mvcc_timestamp": "1700000000.0"}, "CockroachDB"),
        (
            {"metadata": {"OperationName": "INSERT", "TableName": "T"}, "data": {"ID": 1}},
            "Striim",
        ),
        (
            {"payload": {"op": "INSERT", "after": {"dataColumn": {"id": 1}}}, "schema": {}},
            "Aliyun DTS",
        ),
        (
            {"ID": 1, "op_type": "I", "op_ts": "1", "table": "T", "scn": "9", "row_id": "A"},
            "Confluent's Oracle CDC connector",
        ),
        (
            {"ID": 1, "op_type": "I", "op_ts": "2023-01-01", "table": "T", "pos": "9"},
            "GoldenGate with format json_row",
        ),
        (
            {"eventName": "INSERT", "dynamodb": {"NewImage": {"id": {"N": "1"}}}},
            "DynamoDB Streams",
        ),
        (
            {"action": "I", "table": "t", "columns": [{"name": "id", "value": 1}]},
            "wal2json",
        ),
        ({"change": [{"kind": "insert", "columnvalues": [1]}]}, "wal2json"),
        (
            {"operationType": "insert", "documentKey": {"_id": 1}, "fullDocument": {}},
            "MongoDB change streams",
        ),
        ({"data": {"id": 1}, "op": "+I"}, "Flink changelog-json"),
        ({"id": 1, "_cdc": {"op": "I", "ts": 1}}, "a row with the column `_cdc`"),
        ({"id": 1, "_peerdb_is_deleted": False}, "PeerDB"),
        ({"id": 1, "__$operation": 2}, "SQL Server change tables"),
        ({"operation": "UPDATE", "record": {"id": 1}}, "a change format that is not known"),
        ({"eventType": "deleted", "old": {"id": 1}}, "a change format that is not known"),
        ({"meta": {"op": "INSERT"}, "row": {"id": 1}}, "a change format that is not known"),
        ({"before": None, "after": {"id": 1}}, "CockroachDB or Materialize"),
        ({"before": None, "after": {"id": 1}, "verb": "x"}, "a change format that is not known"),
        (
            {"before": None, "after": {"id": 1}, "operation": "INSERT", "key": 1},
            "a change format that is not known",
        ),
        ({"id": 1, "__crdb__": {"updated": "1700000000.0"}}, "CockroachDB"),
        ({"event": "mutation", "bySeqno": 1, "key": "k", "content": "e30="}, "Couchbase"),
        ({"id": "x", "event": {"operation": "c", "state": {"after": {}}}}, "Neo4j"),
        ({"recordType": "INSERT", "prevStruct": None, "postStruct": {"id": 1}}, "OceanBase"),
        (
            {"id": "x", "trigger": {}, "event": {"op": "INSERT", "data": {"new": {"id": 1}}}},
            "Hasura",
        ),
        ({"meta": {"op": "upd", "table": "T"}, "data": {"A": 1}, "key": {"B": 1}}, "SharePlex"),
        ({"current": {"id": "1"}, "metadata": {"operationType": "create"}}, "Azure Cosmos DB"),
        (
            {"source_metadata": {"change_type": "INSERT"}, "payload": {"ID": 1}},
            "Google Datastream",
        ),
        ({"record": {"id": 1}, "changes": None, "action": "insert"}, "Sequin"),
        ({"type": "INSERT", "record": {"id": 1}, "old_record": None}, "Supabase"),
        ({"id": 1, "_meta": {"op": "c"}}, "Estuary Flow"),
        ({"id": 1, "hvr_op": 1}, "Fivetran HVR"),
        ({"id": 1, "_change_type": "insert"}, "Delta Lake's change data feed"),
        (
            {
                "specversion": "1.0",
                "id": "1",
                "source": "/",
                "type": "com.microsoft.SQL.CES.DML.V1",
                "operation": "INS",
                "data": "{}",
            },
            "SQL Server change event streaming",
        ),
    ],
)
def test_change_records_of_other_systems_are_named(value: Value, system: str) -> None:
    """Taken as rows, a delete would be a new row; so no route is written unless json is chosen."""
    found = sample(*[value] * 3)
    with pytest.raises(NoSample) as refused:
        looked(found)
    assert f"3 of 3 values look like {system};" in str(refused.value)
    ((_, remarks),) = looked(found, "json").routes
    assert f"from --format; of the values, 3 look like {system}" in " ".join(remarks)


@pytest.mark.parametrize(
    "value",
    [
        {"id": 1, "type": "update", "name": "x"},
        {"id": 1, "action": "create", "items": ["a"]},
        {"id": 1, "type": "order.created", "data": {"total": 2}},
        {"id": 1, "operation": "mow the lawn", "row": {"length": 3}},
        {"id": 1, "before": 3},
    ],
)
def test_rows_and_events_are_not_taken_for_change_records(value: Value) -> None:
    """An operation needs a row beside it, and a name of an operation."""
    ((route, remarks),) = looked(sample(value, {**value, "id": 2})).routes
    assert "json" == route.format
    assert "look like" not in " ".join(remarks)


def test_json_is_always_called_a_guess() -> None:
    """It is the format of values that have no sign of another."""
    ((_, remarks),) = looked(sample({"id": 1})).routes
    assert "format json (a guess: no value has a member that marks another format)" in remarks


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"data": [{"id": 1}], "type": "INSERT"}, "canal"),
        ({"data": [{"id": 1}], "type": "INSERT", "database": "d", "table": "t", "ts": MS}, "canal"),
        ({"before": None, "after": {"id": 1}, "op": "c"}, "debezium"),
        ({"before": None, "after": {"id": 1}, "op_type": "I"}, "goldengate"),
        ({"data": {"id": 1}, "type": "insert"}, "maxwell"),
        (maxwell("insert", "t", {"id": 1}), "maxwell"),
    ],
)
def test_the_short_forms_of_flink_are_recognised(value: Value, form: str) -> None:
    """Flink leaves out the database, the table or the source."""
    ((route, _),) = looked(sample(value)).routes
    assert (form, "id") == (route.format, route.primary_key.value)


def test_columns_with_any_name_are_written_as_paths(tmp_path: Path) -> None:
    """In quotes, if the name has a dot, a quote or another sign of the grammar."""
    names = [
        'a"b',
        "a\\b",
        "a.b",
        "$lib",
        "a[0]",
        "tab\there",
        "caf\u00e9",
        "\U0001f642 b",
        "{x}",
        "it's",
        "a: b",
        " ",
        "",
    ]
    rows: list[Value] = [
        {"id": one, **{name: f"{position}" for position, name in enumerate(names)}}
        for one in (1, 2)
    ]
    found = sample(*rows)
    look = looked(found)
    ((route, _),) = look.routes
    assert () == route.left_out
    (trial,) = tried(found, tmp_path, look)
    assert ({"upsert": 2}, []) == (trial.outcomes, trial.never_filled)
    assert len(names) == len([one for one in trial.route.fields.values() if one.source])


def test_key_columns_with_any_name_are_joined(tmp_path: Path) -> None:
    """A template has their paths in quotes."""
    row: Value = {"a.b": "1", "c}d": "2", "v": "x"}
    found = sample(canal("INSERT", "t", row, pk=["a.b", "c}d"]))
    (trial,) = tried(found, tmp_path)
    assert {"1-2"} == trial.keys


def test_compound_fields_of_salesforce_have_a_field_for_each_part(tmp_path: Path) -> None:
    """An update sends only the parts that changed; as one field they would replace the others."""
    name = {"FirstName": "Ann", "LastName": "Lee"}
    address = {"City": "Bern", "PostalCode": "3000"}
    found = sample(
        salesforce("Contact", "003A", Name=name, MailingAddress=None),
        salesforce("Contact", "003B", Name={"LastName": "Ray"}, MailingAddress=address),
    )
    look = looked(found)
    ((route, _),) = look.routes
    rules = {field.name: field.rule for field in route.fields}
    assert {
        "Name_FirstName": {"from": "Name.FirstName"},
        "Name_LastName": {"from": "Name.LastName"},
        "MailingAddress_City": {"from": "MailingAddress.City"},
        "MailingAddress_PostalCode": {"from": "MailingAddress.PostalCode"},
    }.items() <= rules.items()
    assert {"Name", "MailingAddress"}.isdisjoint(rules)
    (trial,) = tried(found, tmp_path, look)
    assert {"upsert": 2} == trial.outcomes
    assert "MailingAddress_City" not in trial.never_filled


def test_a_flat_route_without_a_prefix_has_columns() -> None:
    """Every name begins with an empty prefix."""
    value: Value = {"id": 1, "op": "c", "table": "t"}
    assert {"id", "op", "table"} == rows_of(
        sample(value).records, "debezium_flat", ""
    ).columns.keys()


def test_an_oracle_number_is_a_key(tmp_path: Path) -> None:
    """A pair of scale and bytes, in a record without a schema."""
    rows: list[Value] = [{"ID": {"scale": 0, "value": text}, "V": "a"} for text in ("A+k=", "A+o=")]
    one, two = rows
    found = sample(
        debezium("c", one), debezium("d", two), keys=[{"ID": one["ID"]}, {"ID": two["ID"]}]
    )
    (trial,) = tried(found, tmp_path)
    assert {"1001", "1002"} == trial.keys
