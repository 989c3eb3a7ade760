"""Hosts that tokens and records may be sent to."""

from __future__ import annotations

import pytest

from consumer.http.hosts import Hosts, service_address_fault

PUBLIC = Hosts.known("https://login.salesforce.com", ["salesforce.com", "Example.COM"])
LOCAL = Hosts.known("http://127.0.0.1:8400", ["salesforce.com"])


@pytest.mark.parametrize(
    "url",
    [
        "https://salesforce.com",
        "https://x.c360a.salesforce.com/api/v1?a=b",
        "https://X.Salesforce.COM",
        "https://x.salesforce.com:443/",
        "https://tenant.example.com",
    ],
)
def test_known_hosts(url: str) -> None:
    """Hosts under an allowed domain are called by https."""
    assert PUBLIC.fault(url) is None


@pytest.mark.holds("I18")
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://login.salesforce.com.evil.test", id="I62"),
        pytest.param("https://evil.test/login.salesforce.com", id="I63-path"),
        pytest.param("https://login.salesforce.com@evil.test", id="I63-user"),
        pytest.param("https://evilsalesforce.com", id="label-border"),
        pytest.param("https://evil.test\\.salesforce.com", id="backslash"),
        pytest.param("https://evil.test#.salesforce.com", id="fragment"),
        pytest.param("https://evil.test?.salesforce.com", id="query"),
        pytest.param("https://x.salesforce.com\n.evil.test", id="line-end"),
        pytest.param("https://x.salesforce.com.", id="trailing-dot"),
        pytest.param("https://xn--slesforce-9na.com", id="lookalike"),
        pytest.param("https://s\u0430lesforce.com", id="cyrillic"),
        pytest.param("http://x.salesforce.com", id="I59"),
        pytest.param("https://x.salesforce.com:22", id="port"),
        pytest.param("https://x.salesforce.com:0", id="port-0"),
        pytest.param("https://x.salesforce.com:99999", id="port-99999"),
        pytest.param("https://127.0.0.1", id="loopback"),
        pytest.param("http://localhost:8400", id="localhost"),
        pytest.param("https://[::1]", id="loopback-6"),
        pytest.param("https://10.0.0.1", id="private"),
        pytest.param("//x.salesforce.com", id="no-scheme"),
        pytest.param("", id="empty"),
    ],
)
def test_unknown_hosts_i18(url: str) -> None:
    """Every other host is refused, however similar its name."""
    assert PUBLIC.fault(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8400/a",
        "http://localhost:1",
        "http://[::1]:8400",
        "https://127.0.0.2",
        "http://127.9.9.9",
    ],
)
def test_a_local_login_opens_this_machine_only_for_itself(url: str) -> None:
    """With a loopback login, loopback hosts are allowed, by either scheme and on any port."""
    assert LOCAL.fault(url) is None


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "http://x.salesforce.com", "http://128.0.0.1", "http://127.1"]
)
def test_a_local_login_opens_nothing_else(url: str) -> None:
    """Other hosts of the local network stay forbidden."""
    assert LOCAL.fault(url) is not None


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("x.c360a.salesforce.com", "https://x.c360a.salesforce.com"),
        ("https://x.c360a.salesforce.com", "https://x.c360a.salesforce.com"),
        ("https://x.c360a.salesforce.com/", "https://x.c360a.salesforce.com"),
        (" X.c360a.Salesforce.com ", "https://x.c360a.salesforce.com"),
        ("x.c360a.salesforce.com:443", "https://x.c360a.salesforce.com:443"),
    ],
)
def test_tenant_addresses_are_normalised(text: str, origin: str) -> None:
    """With or without scheme and slash the origin is the same."""
    assert origin == PUBLIC.tenant_origin(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("127.0.0.1:8400", "http://127.0.0.1:8400"),
        ("localhost:8400", "http://localhost:8400"),
        ("[::1]:8400", "http://[::1]:8400"),
        ("[::1]", "http://[::1]"),
        ("https://127.0.0.1:8400", "https://127.0.0.1:8400"),
        ("x.salesforce.com", "https://x.salesforce.com"),
    ],
)
def test_a_local_tenant_takes_the_logins_scheme(text: str, origin: str) -> None:
    """A loopback tenant without a scheme is called with the scheme of the login."""
    assert origin == LOCAL.tenant_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("https://x.c360a.salesforce.com.evil.test", id="K12"),
        pytest.param("https://x.c360a.salesforce.com:22", id="K14-port"),
        pytest.param("https://x.c360a.salesforce.com/path", id="K14-path"),
        pytest.param("https://x.c360a.salesforce.com?a=b", id="K14-query"),
        pytest.param("https://x.c360a.salesforce.com/?a=b", id="K14-path-query"),
        pytest.param("https://x.c360a.salesforce.com#a", id="K14-fragment"),
        pytest.param("https://u:p@x.c360a.salesforce.com", id="K14-user"),
        pytest.param("http://x.c360a.salesforce.com", id="plain"),
        pytest.param("javascript:alert", id="no-host"),
        pytest.param("/", id="slash"),
    ],
)
def test_tenant_addresses_that_are_refused(text: str) -> None:
    """A tenant address is a host and nothing more."""
    with pytest.raises(ValueError, match=r"\S"):
        PUBLIC.tenant_origin(text)


@pytest.mark.parametrize("address", ["101.53.164.1", "2600::1", "64:ff9b::6535:a401"])
def test_public_addresses_pass(address: str) -> None:
    """Addresses that are routed on the internet may be called."""
    assert PUBLIC.address_fault("x.salesforce.com", [address]) is None


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104 - an address to refuse, nothing binds to it
        "255.255.255.255",
        "224.0.0.1",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:a00:1::",
    ],
)
def test_private_addresses_do_not_j38(address: str) -> None:
    """A public name never leads into a private network, in any notation of the address."""
    assert PUBLIC.address_fault("x.salesforce.com", ["101.53.164.1", address]) is not None


def test_localhost_must_be_this_machine() -> None:
    """A loopback name must resolve to a loopback address."""
    assert LOCAL.address_fault("localhost", ["127.0.0.1", "::1"]) is None
    assert LOCAL.address_fault("localhost", ["10.0.0.1"]) is not None


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("x..salesforce.com", id="empty-label"),
        pytest.param(".salesforce.com", id="empty-first-label"),
        pytest.param(f"{'x' * 64}.salesforce.com", id="long-label"),
        pytest.param("x." * 120 + "salesforce.com", id="long-name"),
    ],
)
def test_a_name_that_dns_cannot_look_up_is_refused(host: str) -> None:
    """The resolver would raise `UnicodeError`, and nothing of a long name belongs into a log."""
    fault = PUBLIC.fault(f"https://{host}/x") or ""
    assert fault.startswith("expected a host name of at most 253 characters")
    assert host not in fault
    assert fault == service_address_fault(f"http://{host}:8081")
    with pytest.raises(ValueError, match="expected a host name"):
        PUBLIC.tenant_origin(host)


def test_the_longest_names_are_looked_up() -> None:
    """63 characters in a label, 253 in all."""
    host = f"{'x' * 63}." * 3 + f"{'x' * 46}.salesforce.com"
    assert 253 == len(host)
    assert PUBLIC.fault(f"https://{host}") is None
