"""`config init` and `lint --sample` on the embedded broker: formats, guesses, files, refusals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from consumer.config.load import inspect
from consumer.operations.sampling.first_look import TopicHints, look_at
from consumer.operations.sampling.sampler import Sampler
from consumer.operations.sampling.trial import run_trials
from consumer.sandbox.broker import EmbeddedBroker
from consumer.source.settings import KafkaSettings
from tests.contract.first_topics import documented, plain, recorded
from tests.unit.conftest import EXAMPLES, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consumer.mapping.settings import FormatName
    from consumer.operations.sampling.guessed_route import GuessedRoute

__all__ = ["run"]

WALL_MS = 1_900_000_000_000
WITHOUT_ROWS = (".message", ".transaction")
"""Ends of the topics that Debezium writes for itself."""
OF_CHANGES = {
    topic for topic, *_ in (*recorded(), *documented()) if not topic.endswith(WITHOUT_ROWS)
}
KEYLESS = {topic for topic in OF_CHANGES if topic.endswith((".keyless", ".no_pk"))}
NOT_NAMED = {"pages.goldengate": "CUST_CODE"}
"""Topics whose records do not name their key, with the column that the user names."""
ROWS = [*sorted(OF_CHANGES - KEYLESS), "shop.orders", "web.clicks"]


@pytest.fixture(scope="module")
def brokers() -> Iterator[EmbeddedBroker]:
    """Return one broker with all topics."""
    with EmbeddedBroker() as broker:
        for topic, key, value, headers in (*recorded(), *documented(), *plain()):
            broker.put(topic, value, key=key, headers=headers, timestamp_ms=1_800_000_000_000)
        broker.create_topic("empty")
        broker.flush()
        yield broker


@pytest.fixture
def started(brokers: EmbeddedBroker, run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs `config init` for topics into a folder."""

    def call(*topics: str, words: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - what `run` returns
        named = [word for topic in topics for word in ("--topic", topic)]
        return run(
            "config",
            "init",
            "--bootstrap",
            brokers.bootstrap_servers,
            "--output-dir",
            str(tmp_path),
            *named,
            *words,
        )

    return call


def look(
    brokers: EmbeddedBroker, topic: str, form: FormatName | None = None, zone: str | None = None
) -> GuessedRoute:
    """Return the guessed route of a topic with one table."""
    ((route, _),) = looked(brokers, topic, form, zone)
    return route


def looked(
    brokers: EmbeddedBroker,
    topic: str,
    form: FormatName | None = None,
    zone: str | None = None,
    key: tuple[str, ...] = (),
) -> tuple[tuple[GuessedRoute, tuple[str, ...]], ...]:
    """Return the guessed routes of a topic with their remarks."""
    with Sampler(
        KafkaSettings(bootstrap_servers=brokers.bootstrap_servers, group_id="g")
    ) as sampler:
        hints = TopicHints("rows", form, zone, key)
        return look_at(sampler.sample(topic, 200), hints).routes


def words_for(topic: str) -> tuple[str, ...]:
    """Return the option that names the key of a topic whose records do not."""
    return ("--key", NOT_NAMED[topic]) if topic in NOT_NAMED else ()


@pytest.mark.parametrize("topic", sorted(KEYLESS))
def test_a_table_without_a_key_is_refused(
    topic: str, started: Callable[..., Any], tmp_path: Path
) -> None:
    """Offsets would keep every version of a row, and a delete would not find it."""
    ran = started(topic)
    assert (1, "") == (ran.code, ran.out)
    assert "names columns that identify a row" in ran.err
    assert "--key COLUMN" in ran.err
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("topic", ROWS)
def test_what_is_written_loads_and_maps_its_samples(
    topic: str, started: Callable[..., Any], tmp_path: Path
) -> None:
    """No fault, and every row maps, except for rows with a time beyond the calendar."""
    ran = started(topic, words=words_for(topic))
    assert (0, "") == (ran.code, ran.err)
    found = inspect(tmp_path / "consumer.yaml", environ={}, overrides=[])
    assert () == found.faults
    assert found.settings is not None
    with Sampler(found.settings.kafka) as sampler:
        sample = sampler.sample(topic, 200)
    (trial,) = run_trials(found.settings, sample.records, WALL_MS)
    assert {"ENVELOPE_TRUNCATE", "ENVELOPE_OP", "TIME_RANGE"} >= {
        fault.reason for fault in trial.faults
    }


@pytest.mark.parametrize("name", sorted({topic for topic, *_ in documented()}))
def test_every_format_is_recognised(name: str, brokers: EmbeddedBroker) -> None:
    """By all records of its page in the documentation."""
    for route, remarks in looked(brokers, name, key=words_for(name)[1:]):
        assert name == f"pages.{route.format}"
        assert (
            f"format {route.format} ({'a guess:' if route.format == 'json' else 'all values'}"
            in remarks[1]
        )


def test_types_are_those_that_the_source_declares(brokers: EmbeddedBroker) -> None:
    """In a table with Debezium's schema nothing is guessed."""
    route = look(brokers, "pg_schemas_enabled.shop.public.customers")
    types = {field.name: str(field.guess.type) for field in route.fields}
    assert {
        "balance": "number",
        "vip": "boolean",
        "born": "date",
        "created_at": "date-time",
    }.items() <= types.items()
    assert "date-time" == types["updated_at"]


def test_types_are_guessed_from_the_values(brokers: EmbeddedBroker) -> None:
    """Numbers with the name and size of a time, nested values, text, booleans.

    Names that Data 360 does not accept get a valid name.
    """
    fields = {field.name: field for field in look(brokers, "shop.orders").fields}
    assert {
        "order_id": ("string", {}),
        "total": ("number", {}),
        "placed_at": ("date-time", {"from": "placed_at", "unit": "ms"}),
        "customer": ("string", {"from": "customer", "json": True}),
        "gift": ("boolean", {}),
        "note": ("string", {}),
        "zip": ("string", {}),
        "created": ("string", {}),
        "a_b": ("string", {"from": "a b"}),
        "version_value": ("number", {"from": "version"}),
    } == {name: (str(field.guess.type), field.rule) for name, field in fields.items()}


def test_a_zone_makes_times_of_texts_without_one(brokers: EmbeddedBroker) -> None:
    """The route has the zone too."""
    route = look(brokers, "shop.orders", zone="Europe/Berlin")
    types = {field.name: str(field.guess.type) for field in route.fields}
    assert ("date-time", "Europe/Berlin") == (types["created"], route.zone)


@pytest.mark.parametrize(
    ("topic", "key", "category"),
    [
        ("dbz36-schemas-off.nos.inv.orders", "id", "other"),
        ("dbz36-schemas-off.nos.inv.comp_pk", "rows_key", "other"),
        ("shop.orders", "order_id", "engagement"),
        ("web.clicks", "click_id", "engagement"),
        ("pages.salesforce_cdc", "Id", "other"),
        ("pages.cloudevents", "event_key", "other"),
    ],
)
def test_keys_and_categories_are_guessed(
    topic: str, key: str, category: str, brokers: EmbeddedBroker
) -> None:
    """The Kafka key's columns, a column equal to it, a usual name, an event's identity.

    If none of them fits: topic, partition and offset.
    """
    route = look(brokers, topic)
    assert (key, category) == (route.primary_key.value, route.category.value)


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("empty", "topic `empty` is empty"),
        (
            "framed.avro",
            (
                "topic `framed.avro` has 60 of 60 values in schema registry framing (by their"
                " bytes, encoding avro); add --registry"
            ),
        ),
        ("framed.protobuf", "in schema registry framing (by their bytes, encoding protobuf)"),
        ("framed.json", "in schema registry framing (by their bytes, encoding json_schema)"),
        ("framed.header", "in schema registry framing (by their bytes, encoding avro)"),
        ("mixed", "has values of several formats: 40 debezium, 20 json; choose one with --format"),
        ("binary", "topic `binary` has no value that is a JSON object: 60 DECODE_ENCODING"),
        ("nulls", "topic `nulls` has only null values among 60 records"),
        (
            "dbz36-unw.unw.message",
            "has only records that its source writes for itself (1 message) among 1 record;",
        ),
        (
            "dbz36-bare.bare.transaction",
            "has only records that its source writes for itself (",
        ),
    ],
)
def test_a_topic_without_rows_of_one_format_is_refused(
    topic: str, message: str, started: Callable[..., Any], tmp_path: Path
) -> None:
    """The message says what the topic has; exit code 1, and no file is written."""
    ran = started(topic)
    assert (1, "") == (ran.code, ran.out)
    assert message in ran.err
    assert [] == list(tmp_path.iterdir())


def test_a_format_can_be_chosen_instead(started: Callable[..., Any]) -> None:
    """For a topic with several formats; the dead letters of the others are reported."""
    ran = started("mixed", words=("--format", "debezium"))
    assert (0, True) == (ran.code, "20 dead letters: ENVELOPE_SHAPE" in ran.out)


def test_no_file_is_overwritten(started: Callable[..., Any], tmp_path: Path) -> None:
    """Exit code 2 and an unchanged file, unless there is --force."""
    (tmp_path / "consumer.yaml").write_text("mine")
    refused = started("web.clicks")
    assert (2, "mine") == (refused.code, (tmp_path / "consumer.yaml").read_text())
    assert "--force" in refused.err
    assert (0, True) == (
        started("web.clicks", words=("--force",)).code,
        (tmp_path / "connector.yaml").exists(),
    )


def test_several_topics_make_several_routes(started: Callable[..., Any], tmp_path: Path) -> None:
    """Objects are named after their topics, with more parts of the name if two are equal."""
    topics = ("shop.orders", "dbz36-schemas-off.nos.inv.orders", "web.clicks")
    assert started(*topics).code == 0
    found = inspect(tmp_path / "consumer.yaml", environ={}, overrides=[])
    assert found.settings is not None
    assert ["orders", "inv_orders", "clicks"] == [route.object for route in found.settings.routes]


def test_no_value_of_a_record_is_written_or_printed(
    started: Callable[..., Any], tmp_path: Path
) -> None:
    """Neither in the files nor on the screen."""
    ran = started("pg_default_schemaless.shop.public.customers")
    written = "".join(path.read_text() for path in tmp_path.iterdir()) + ran.out
    assert not re.findall(r"a@x\.io|Ann Lee|EtaH|toast toast|1767323045678901", written)


def test_a_second_run_prints_the_same(started: Callable[..., Any]) -> None:
    """No position was committed."""
    assert started("web.clicks").out == started("web.clicks", words=("--force",)).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "debezum"), "did you mean `debezium`"),
        (("--zone", "Berlin/Mitte"), "expected a time zone name such as Europe/Berlin, got"),
        (("--object", "a__b"), "without `__`, got `a__b`; try `a_b`"),
        (("--property", "security.protocol"), "expected NAME=VALUE"),
    ],
)
def test_options_are_checked_before_anything_is_read(
    words: tuple[str, ...], message: str, started: Callable[..., Any]
) -> None:
    """Wrong usage, exit code 2."""
    ran = started("web.clicks", words=words)
    assert (2, True) == (ran.code, message in re.sub(r"[│\s]+", " ", ran.err))


def test_a_secret_on_the_command_line_is_refused(started: Callable[..., Any]) -> None:
    """As in the file it has to be a reference to the environment; its value is not repeated."""
    ran = started("web.clicks", words=("--property", "sasl.password=hunter2"))
    assert (78, True, False) == (
        ran.code,
        "a secret must not be written as text" in ran.err,
        "hunter2" in ran.err,
    )


@pytest.mark.parametrize("option", ["--property", "--registry"])
@pytest.mark.parametrize("text", ["hunter2", "=hunter2", "hunter2=", "SHVudGVyMg==", "Hunter2=a"])
def test_text_without_a_name_is_not_repeated(
    option: str, text: str, started: Callable[..., Any]
) -> None:
    """It may be a secret whose name was forgotten."""
    ran = started("web.clicks", words=(option, text))
    shown = re.sub(r"[│\s]+", " ", ran.out + ran.err)
    assert (2, True) == (ran.code, "got text without a name or a value" in shown)
    assert not re.search("hunter2|SHVudGVyMg", shown, re.IGNORECASE)


CONFIG = """\
kafka:
  {{bootstrap_servers: "{bootstrap}", group_id: g, properties: {{security.protocol: PLAINTEXT}}}}
salesforce: {{flow: client_credentials, client_id: an-app, client_secret: "${{SF_CLIENT_SECRET}}"}}
connector:
  name: shop
  schema_file: connector.yaml
  objects:
    customers: {{primary_key: id, category: other, record_modified: updated_at}}
routes:
  - topics: [{topic}]
    format: {form}
    object: customers
"""


@pytest.fixture
def sampled(brokers: EmbeddedBroker, run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs `lint --sample` with one route."""
    (tmp_path / "connector.yaml").write_text((EXAMPLES / "sandbox-connector.yaml").read_text())

    def call(topic: str, form: str, *words: str, rules: str = "") -> Any:  # noqa: ANN401 - what `run` returns
        text = CONFIG.format(bootstrap=brokers.bootstrap_servers, topic=topic, form=form) + rules
        (tmp_path / "consumer.yaml").write_text(text)
        return run("lint", "--sample", "-c", str(tmp_path / "consumer.yaml"), *words)

    return call


def test_lint_warns_of_records_that_would_be_dead_lettered(sampled: Callable[..., Any]) -> None:
    """By reason and field, with the count and the first place; exit 1 beyond the fuse's share."""
    ran = sampled("pg_default_schemaless.shop.public.customers", "debezium")
    assert ran.code == 1
    assert "the daemon holds the topic (MASS_REJECT) from a share of 5.0% on" in ran.out
    (line,) = [line for line in ran.out.splitlines() if "FIELD_TYPE in balance" in line]
    assert re.search(
        r"consumer.yaml:10: warning: \S+: \d+ of 10 records would be dead-lettered: FIELD_TYPE",
        line,
    )
    assert re.search(r"first at pg_default_schemaless\.shop\.public\.customers\[\d\]@\d+$", line)


def test_lint_exits_with_0_while_the_fuse_allows_the_dead_letters(
    sampled: Callable[..., Any],
) -> None:
    """Warnings do not change the exit code."""
    fuse = "dead_letter.fuse={ratio: 1.0, consecutive: 11}"
    topic = "pg_default_schemaless.shop.public.customers"
    ran = sampled(topic, "debezium", "--set", fuse)
    assert (0, False) == (ran.code, "MASS_REJECT" in ran.out)


def test_lint_can_deny_warnings_of_a_sample(sampled: Callable[..., Any]) -> None:
    """Exit code 1, for a CI pipeline."""
    assert (
        sampled("pg_default_schemaless.shop.public.customers", "debezium", "--deny-warnings").code
        == 1
    )


@pytest.mark.parametrize(
    ("topic", "form", "message"),
    [
        (
            "pg_replica_full_unwrap.shop.public.customers",
            "json",
            "that look like debezium_flat: set format: debezium_flat on the route",
        ),
        (
            "framed.avro",
            "json",
            (
                "expected encoding json, got schema registry framing in 60 of 60 values: set"
                " encoding: avro on the route"
            ),
        ),
        ("empty", "json", "empty: the topic has no records, so nothing was checked"),
        ("unknown", "json", "topic `unknown` does not exist at "),
    ],
)
def test_lint_warns_of_another_format_or_no_sample(
    topic: str, form: str, message: str, sampled: Callable[..., Any]
) -> None:
    """Another format, schema registry framing, an empty topic, a topic that does not exist."""
    assert message in sampled(topic, form).out


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            "    fields: {email: {from: emial, default: none}}\n",
            "fields.email reads column `emial`, but no sampled row has it; did you mean `email`?",
        ),
        (
            '    fields: {bio: {template: "{full_name} {nowhere.at_all}"}}\n',
            "fields.bio reads column `nowhere`, but no sampled row has it\n",
        ),
        (
            "    where: {vipp: [true]}\n",
            "where.vipp reads column `vipp`, but no sampled row has it; did",
        ),
    ],
)
def test_lint_warns_of_columns_that_no_row_has(
    rules: str, message: str, sampled: Callable[..., Any]
) -> None:
    """Otherwise a default hides a misspelled column, and a condition on one filters everything."""
    ran = sampled("pg_default_schemaless.shop.public.customers", "debezium", rules=rules)
    assert (
        f"consumer.yaml:10: warning: pg_default_schemaless.shop.public.customers: {message}"
        in ran.out
    )
    assert 1 == ran.out.count("no sampled row")


def test_lint_does_not_warn_of_columns_that_exist(sampled: Callable[..., Any]) -> None:
    """Nor of Kafka coordinates and envelope members."""
    rules = (
        '    fields: {bio: {template: "{full_name} {$kafka.offset} {$envelope.source.lsn}"},'
        " email: email}\n"
    )
    ran = sampled("pg_default_schemaless.shop.public.customers", "debezium", rules=rules)
    assert "no sampled row" not in ran.out


def test_lint_prints_samples_as_json(sampled: Callable[..., Any]) -> None:
    """Topics with the outcomes of each route."""
    ran = sampled("pg_default_schemaless.shop.public.customers", "debezium", "--output", "json")
    (report,) = json.loads(ran.out)
    (topic,) = report["sample"]
    assert (10, {"debezium": 8}) == (topic["records"], topic["formats"])
    assert ("FIELD_TYPE", "balance") in {
        (one["reason"], one["field"]) for one in topic["routes"][0]["dead_letters"]
    }


def test_without_brokers_there_is_an_error(run: Callable[..., Any], tmp_path: Path) -> None:
    """The message has the address; exit code 1."""
    ran = run(
        "config",
        "init",
        "--topic",
        "t",
        "--bootstrap",
        "127.0.0.1:1",
        "--output-dir",
        str(tmp_path),
    )
    assert (1, True) == (ran.code, "the brokers at 127.0.0.1:1" in ran.err)
