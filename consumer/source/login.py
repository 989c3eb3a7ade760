"""Authentication of the Kafka clients: librdkafka's own mechanisms, and Amazon MSK IAM.

`sasl.mechanisms: AWS_MSK_IAM` is the name that other Kafka clients use. librdkafka does not support
it. To the brokers it is OAUTHBEARER with a signed request to AWS as the token, signed with the AWS
credentials of the process.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from consumer.extras import not_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fault = tuple[str, str]

MSK_IAM: Final = "AWS_MSK_IAM"
REGION: Final = "aws.region"
"""Our property for brokers whose host names do not contain the AWS region."""

_MECHANISM: Final = ("sasl.mechanisms", "sasl.mechanism")
_OAUTHBEARER: Final = "OAUTHBEARER"
_PROTOCOL: Final = "security.protocol"
_REGION_FORMAT: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_MSK_HOST: Final = re.compile(
    r"\.kafka(?:-serverless)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::\d+)?$",
    re.IGNORECASE,
)
_TRUE: Final = ("true", "1", "t")


def librdkafka_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties with names and values that librdkafka knows."""
    name, mechanism = _mechanism(properties)
    kept = {one: value for one, value in properties.items() if one != REGION}
    return {_PROTOCOL: "SASL_SSL", **kept, name: _OAUTHBEARER} if mechanism == MSK_IAM else kept


def connection(bootstrap_servers: str, properties: Mapping[str, str]) -> dict[str, Any]:
    """Return the properties that a client is created with.

    Besides librdkafka's own, they contain the callback that creates tokens.
    """
    region = _region(bootstrap_servers, properties)
    if region is None or _mechanism(properties)[1] != MSK_IAM:
        return dict(properties)
    signer: Callable[[str], object] = import_module("consumer.source.msk_iam").MskIam
    return {**librdkafka_properties(properties), "oauth_cb": signer(region)}


def login_faults(bootstrap_servers: str, properties: Mapping[str, str]) -> list[Fault]:
    """Find settings with which no client can ever log in.

    Returns: (property, fault and next step) for each fault.
    """
    name, mechanism = _mechanism(properties)
    if mechanism == MSK_IAM:
        return _iam_faults(name, bootstrap_servers, properties)
    faults = []
    if REGION in properties:
        faults.append((REGION, f"is only used with sasl.mechanisms: {MSK_IAM}; remove it"))
    if mechanism == _OAUTHBEARER and not _has_token_source(properties):
        text = (
            f"{_OAUTHBEARER} has no source of tokens; set sasl.oauthbearer.method: oidc and its"
            f" token endpoint, or for Amazon MSK {name}: {MSK_IAM}"
        )
        faults.append((name, text))
    return faults


def _iam_faults(name: str, bootstrap_servers: str, properties: Mapping[str, str]) -> list[Fault]:
    faults = [
        (
            other,
            f"cannot be combined with {MSK_IAM}, which uses AWS credentials; remove it",
        )
        for other in properties
        if other.startswith("sasl.") and other not in _MECHANISM
    ]
    if not properties.get(_PROTOCOL, "sasl_ssl").strip().lower().startswith("sasl_"):
        faults.append(
            (
                _PROTOCOL,
                f"{MSK_IAM} is a SASL mechanism: expected SASL_SSL; write SASL_SSL or remove it",
            )
        )
    region = _region(bootstrap_servers, properties)
    if region is None:
        faults.append(
            (
                name,
                (
                    f"the brokers' host names do not contain the AWS region; add {REGION}, such as"
                    " eu-west-1"
                ),
            )
        )
    elif _REGION_FORMAT.fullmatch(region) is None:
        faults.append(
            (REGION, f"`{region[:60]}` is not an AWS region; write one such as eu-west-1")
        )
    if (missing := not_installed("botocore", "msk")) is not None:
        faults.append((name, f"{MSK_IAM} {missing}"))
    return faults


def _mechanism(properties: Mapping[str, str]) -> tuple[str, str]:
    """Return the name under which the mechanism is set (librdkafka has two), and its value."""
    name = next((one for one in _MECHANISM if one in properties), _MECHANISM[0])
    return name, properties.get(name, "").strip().upper()


def _region(bootstrap_servers: str, properties: Mapping[str, str]) -> str | None:
    """Return the configured region, else the one in a broker's host name."""
    found = (_MSK_HOST.search(broker.strip()) for broker in bootstrap_servers.split(","))
    return properties.get(REGION) or next(
        (match["region"].lower() for match in found if match is not None), None
    )


def _has_token_source(properties: Mapping[str, str]) -> bool:
    """Return whether librdkafka creates tokens itself.

    Without a source of tokens it never connects, and reports no error.
    """
    if properties.get("sasl.oauthbearer.method", "").strip().lower() == "oidc":
        return True
    return properties.get("enable.sasl.oauthbearer.unsecure.jwt", "").strip().lower() in _TRUE
