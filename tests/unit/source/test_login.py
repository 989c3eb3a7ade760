"""What of the user's properties concerns the login, and what of it is refused."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer

from consumer.source.login import connection, librdkafka_properties, login_faults
from consumer.source.properties import check

MSK = "b-1.shop.abc.c2.kafka.eu-west-1.amazonaws.com:9098"
IAM = {"sasl.mechanisms": "AWS_MSK_IAM"}


def test_other_logins_are_left_as_they_are() -> None:
    """A password is librdkafka's own affair."""
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
def test_a_login_by_iam_is_one_by_tokens_over_tls(name: str) -> None:
    """Under either of the two names that librdkafka has."""
    made = connection(MSK, {name: "aws_msk_iam", "client.id": "c"})
    assert callable(made.pop("oauth_cb"))
    assert {"security.protocol": "SASL_SSL", name: "OAUTHBEARER", "client.id": "c"} == made


@pytest.mark.usefixtures("no_aws")
def test_the_client_takes_what_is_made() -> None:
    """Without credentials too: its constructor neither waits nor fails."""
    made = connection("127.0.0.1:1", {**IAM, "aws.region": "eu-west-1"})
    Consumer(
        {**made, "bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": "0"}
    ).close()


@pytest.mark.parametrize(
    ("bootstrap", "properties"),
    [
        pytest.param(MSK, IAM, id="by-the-name-of-the-broker"),
        pytest.param(
            "boot-x.c3.kafka-serverless.us-east-1.amazonaws.com:9098", IAM, id="serverless"
        ),
        pytest.param("b-1.x.c2.kafka.cn-north-1.amazonaws.com.cn:9098", IAM, id="china"),
        pytest.param(
            "kafka.example.com:9098", {**IAM, "aws.region": "us-gov-west-1"}, id="written"
        ),
        pytest.param(MSK, {**IAM, "security.protocol": "SASL_SSL"}, id="protocol-written"),
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
    """Neither by our rules nor by the client's of what each property takes."""
    assert [] == login_faults(bootstrap, properties)
    assert [] == [fault for fault in check(properties) if "such property" in fault[1]]


@pytest.mark.parametrize(
    ("bootstrap", "properties", "name", "words"),
    [
        pytest.param(
            "kafka.example.com:9098",
            IAM,
            "sasl.mechanisms",
            "write aws.region, such as eu-west-1",
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
            "takes the AWS credentials of the process; remove it",
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
            MSK, {"aws.region": "eu-west-1"}, "aws.region", "AWS_MSK_IAM alone; remove", id="alone"
        ),
        pytest.param(
            MSK,
            {"sasl.mechanisms": "OAUTHBEARER"},
            "sasl.mechanisms",
            "nobody makes the tokens",
            id="no-tokens",
        ),
    ],
)
def test_a_login_that_cannot_work_says_what_to_write(
    bootstrap: str, properties: dict[str, str], name: str, words: str
) -> None:
    """Before anything is read: the client itself takes each of these and never connects."""
    [(seen, text)] = login_faults(bootstrap, properties)
    assert name == seen
    assert words in text


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to type."""
    monkeypatch.setattr("consumer.extras.find_spec", lambda _name: None)
    [(_, text)] = login_faults(MSK, IAM)
    assert "pip install datacloud-consumer[msk]" in text
