"""Which names the admin port answers to."""

from __future__ import annotations

import pytest

from consumer.admin.host_header import is_known_host

NAMES = {"daemon.example.com"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8080",
        "[::1]:8080",
        "[fd00::7]",
        "10.1.2.3:8080",
        "localhost:8080",
        "LOCALHOST",
        "shop-datacloud-consumer:8080",
        "shop.payments.svc",
        "shop.payments.svc.cluster.local.:8080",
        "daemon.example.com",
        "DAEMON.example.com.:443",
    ],
)
def test_an_address_or_a_name_of_the_cluster_is_known(host: str) -> None:
    """Probes use the pod's address, scrapers may use the service's name."""
    assert is_known_host(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "other.example.com",
        "daemon.example.com.evil.net",
        "10.1.2.3.evil.net",
        "127.0.0.1.evil.net:8080",
        "svc.evil.net",
        "evil.net.",
        "[::1",
        "[evil.net]",
        "1.2.3",
        "a b",
        "user@localhost",
        "localhost/x",
        "localhost:8080:1",
        "",
    ],
)
def test_any_other_name_is_refused(host: str) -> None:
    """A page on the internet cannot read the port under its own name (DNS rebinding)."""
    assert not is_known_host(host, NAMES)
