"""Login properties: the settings that clients get, and the ones that are rejected."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer

from consumer.source.login import connection, librdkafka_properties, login_faults
from consumer.source.properties import check

MSK = "b-1.shop.abc.c2.kafka.eu-west-1.amazonaws.com:9098"
IAM = {"sasl.mechanisms": "AWS_MSK_IAM"}


def test_other_mechanisms_are_passed_through() -> None:
    """Passwords are handled by librdkafka."""
    properties = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "u",
    }
    assert (properties, properties) == (
        librdkafka_properties(properties),
        connection(MSK, properties),
    )


@pytest.mark.parametrize("name", ["sasl.mechanisms", "sasl.mechanism"])
def test_iam_is_oauthbearer_over_tls(name: str) -> None:
    """Under either of the two names that librdkafka has."""
    made = connection(MSK, {name: "aws_msk_iam", "client.id": "c"})
    assert callable(made.pop("oauth_cb"))
    assert {"security.protocol": "SASL_SSL", name: "OAUTHBEARER", "client.id": "c"} == made


@pytest.mark.usefixtures("no_aws")
def test_the_client_accepts_the_properties() -> None:
    """Also without credentials: its constructor neither waits nor fails."""
    made = connection("127.0.0.1:1", {**IAM, "aws.region": "eu-west-1"})
    Consumer(
        {**made, "bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": "0"}
    ).close()


@pytest.mark.parametrize(
    ("bootstrap", "properties"),
    [
        pytest.param(MSK, IAM, id="from-the-host-name"),
        pytest.param(
            "boot-x.c3.kafka-serverless.us-east-1.amazonaws.com:9098", IAM, id="serverless"
        ),
        pytest.param("b-1.x.c2.kafka.cn-north-1.amazonaws.com.cn:9098", IAM, id="china"),
        pytest.param(
            "kafka.example.com:9098", {**IAM, "aws.region": "us-gov-west-1"}, id="configured"
        ),
        pytest.param(MSK, {**IAM, "security.protocol": "SASL_SSL"}, id="protocol-configured"),
        pytest.param(
            MSK,
            {"sasl.mechanisms": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc"},
            id="tokens-of-librdkafka",
        ),
        pytest.param(
            MSK,
            {"sasl.mechanisms": "OAUTHBEARER", "enable.sasl.oauthbearer.unsecure.jwt": "true"},
            id="tokens-of-development",
        ),
    ],
)
def test_a_login_that_can_work_has_no_fault(bootstrap: str, properties: dict[str, str]) -> None:
    """Neither by our rules nor by the client's."""
    assert [] == login_faults(bootstrap, properties)
    assert [] == [fault for fault in check(properties) if "such property" in fault[1]]


@pytest.mark.parametrize(
    ("bootstrap", "properties", "name", "words"),
    [
        pytest.param(
            "kafka.example.com:9098",
            IAM,
            "sasl.mechanisms",
            "add aws.region, such as eu-west-1",
            id="no-region",
        ),
        pytest.param(
            MSK,
            {**IAM, "aws.region": "Ireland"},
            "aws.region",
            "`Ireland` is not an AWS region",
            id="no-such-region",
        ),
        pytest.param(
            MSK,
            {**IAM, "sasl.username": "u"},
            "sasl.username",
            "which uses AWS credentials; remove it",
            id="a-user-beside",
        ),
        pytest.param(
            MSK,
            {**IAM, "security.protocol": "SSL"},
            "security.protocol",
            "write SASL_SSL or remove it",
            id="no-sasl",
        ),
        pytest.param(
            MSK,
            {"aws.region": "eu-west-1"},
            "aws.region",
            "only used with sasl.mechanisms",
            id="only-region",
        ),
        pytest.param(
            MSK,
            {"sasl.mechanisms": "OAUTHBEARER"},
            "sasl.mechanisms",
            "OAUTHBEARER has no source of tokens",
            id="no-tokens",
        ),
    ],
)
def test_a_login_that_cannot_work_has_a_next_step(
    bootstrap: str, properties: dict[str, str], name: str, words: str
) -> None:
    """Found before anything is read: the client accepts each of these and never connects."""
    [(seen, text)] = login_faults(bootstrap, properties)
    assert name == seen
    assert words in text


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setattr("consumer.extras.find_spec", lambda _name: None)
    [(_, text)] = login_faults(MSK, IAM)
    assert "pip install datacloud-consumer[msk]" in text
