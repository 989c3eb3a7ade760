"""Login settings: allowed hosts, and file modes of private keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.config.load import inspect, load

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"SF_SECRET": "a-secret"}


def login(path: Path, address: str) -> str:
    """Return the origin of a login address."""
    return load(
        path, environ=ENVIRON, overrides=[f"salesforce.login_url={address}"]
    ).salesforce.login_url


def key_file(path: Path, mode: int) -> tuple[list[str], list[str]]:
    """Return faults and warnings of a JWT configuration whose key file has this mode."""
    key = path.with_name("key.pem")
    key.write_text("-----BEGIN PRIVATE KEY-----\n", "utf-8")
    key.chmod(mode)
    options = ["flow=jwt_bearer", "username=u@example.com", "private_key_file=key.pem"]
    found = inspect(path, environ=ENVIRON, overrides=[f"salesforce.{option}" for option in options])
    return [fault.text for fault in found.faults], [warning.text for warning in found.warnings]


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://login.salesforce.com/", "https://login.salesforce.com"),
        ("https://Acme.my.Salesforce.com", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:443", "https://acme.my.salesforce.com:443"),
        ("http://127.0.0.1:8021", "http://127.0.0.1:8021"),
        ("http://localhost:8021", "http://localhost:8021"),
        ("http://[::1]:8021", "http://[::1]:8021"),
        ("https://127.0.0.1:8021", "https://127.0.0.1:8021"),
    ],
)
def test_a_login_address_is_reduced_to_its_origin(
    consumer_yaml: Path, address: str, origin: str
) -> None:
    """A host in an allowed domain with https, and a loopback address, are accepted."""
    assert origin == login(consumer_yaml, address)


def test_the_audience_is_the_origin_by_default(consumer_yaml: Path) -> None:
    """The audience of the assertion is the login host unless it is set."""
    settings = load(
        consumer_yaml,
        environ=ENVIRON,
        overrides=["salesforce.login_url=https://a.my.salesforce.com/"],
    )
    assert settings.salesforce.audience == "https://a.my.salesforce.com"


def test_an_allowed_domain_permits_its_hosts(consumer_yaml: Path) -> None:
    """Hosts of a domain in allowed_domains are accepted."""
    options = [
        "salesforce.allowed_domains=[salesforce.com, Example.org]",
        "salesforce.login_url=https://x.example.org",
    ]
    assert load(consumer_yaml, environ=ENVIRON, overrides=options).salesforce.allowed_domains == (
        "salesforce.com",
        "example.org",
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://evilsalesforce.com",
        "https://salesforce.com.evil.test",
        "http://localhost.evil.test",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "https://login.salesforce.com:22",
        "https://login.salesforce.com:0",
        "ftp://login.salesforce.com",
        "https://",
        "https://login.salesforce.com/?",
        "https://\u2488login.salesforce.com",
    ],
)
def test_another_address_is_refused(consumer_yaml: Path, address: str) -> None:
    """I59 to I63 for an option: the host must end with an allowed domain, with https."""
    found = inspect(consumer_yaml, environ=ENVIRON, overrides=[f"salesforce.login_url={address}"])
    assert ["salesforce.login_url"] == [fault.path for fault in found.faults]


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600])
def test_a_protected_key_is_accepted(consumer_yaml: Path, mode: int) -> None:
    """A key file may have one of three modes."""
    assert ([], []) == key_file(consumer_yaml, mode)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        pytest.param(
            0o644,
            "expected file mode 0400, 0440 or 0600, got 0644: other users can access it; change it"
            " with chmod",
            id="I54",
        ),
        pytest.param(
            0o604,
            "expected file mode 0400, 0440 or 0600, got 0604: other users can access it; change it"
            " with chmod",
            id="I54-others-only",
        ),
        pytest.param(
            0o660,
            "expected file mode 0400, 0440 or 0600, got 0660: the group can access it; change it"
            " with chmod",
            id="I54-group-writes",
        ),
        pytest.param(
            0o640,
            "expected file mode 0400, 0440 or 0600, got 0640: the group can access it; change it"
            " with chmod",
            id="I54-mixed",
        ),
    ],
)
def test_an_unprotected_key_is_refused(consumer_yaml: Path, mode: int, said: str) -> None:
    """I54: a private key that other users can access is a fault."""
    assert ([said], []) == key_file(consumer_yaml, mode)


def test_a_key_that_is_not_mounted_yet_is_a_warning(consumer_yaml: Path) -> None:
    """A missing key is a warning: a CI check has no secrets, and a pod may mount them later."""
    options = [
        "salesforce.flow=jwt_bearer",
        "salesforce.username=u",
        "salesforce.private_key_file=/no/such/key.pem",
    ]
    found = inspect(consumer_yaml, environ=ENVIRON, overrides=options)
    assert ["file /no/such/key.pem does not exist; the login is on hold until it does"] == [
        one.text for one in found.warnings
    ]
    assert found.settings is not None


def test_a_secret_of_another_flow_is_ignored(consumer_yaml: Path) -> None:
    """A private key next to a client secret is not checked."""
    found = inspect(
        consumer_yaml, environ=ENVIRON, overrides=["salesforce.private_key_file=/no/such/key.pem"]
    )
    assert ((), ()) == (found.faults, found.warnings)
