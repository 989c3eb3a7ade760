"""Mutual TLS with the registry: client certificate, trusted authority, replaced files."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consumer.auth.settings import Secret
from consumer.clock import SystemClock
from consumer.errors import Hold, Transient
from consumer.registry.client import RegistryClient
from consumer.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Authority(NamedTuple):
    """A certificate authority."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(path: Path, name: str, authority: Authority | None = None) -> Authority:
    """Write a certificate and its key; without `authority` it is self-signed, an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = authority or Authority(named(name), key)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(signer.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()),
            critical=False,
        )
        .sign(signer.key, hashes.SHA256())
    )
    path.with_suffix(".crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Authority(named(name), key)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = certificate(tmp_path / "authority", "authority")
    certificate(tmp_path / "server", "server", made)
    certificate(tmp_path / "client", "client", made)
    certificate(tmp_path / "stranger", "stranger")
    return made


@pytest.fixture
async def url(authority: Authority, tmp_path: Path) -> AsyncIterator[str]:
    """A registry that requires a client certificate of the authority."""
    del authority
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "authority.crt")
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"schema": '"string"'})

    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def client(url: str, folder: Path, name: str | None, trusted: str = "authority") -> RegistryClient:
    settings = RegistrySettings(
        url=url,
        certificate=None if name is None else folder / f"{name}.crt",
        private_key=None if name is None else Secret(path=folder / f"{name}.key"),
        authorities=folder / f"{trusted}.crt",
    )
    return RegistryClient(settings, SystemClock())


async def test_both_sides_verify_the_certificate_of_the_other(url: str, tmp_path: Path) -> None:
    """Both certificates are signed by the same authority."""
    registry = client(url, tmp_path, "client")
    assert await registry.schema(1) is not None
    await registry.close()


@pytest.mark.parametrize(
    ("name", "trusted"),
    [
        pytest.param(None, "authority", id="no-client-certificate"),
        pytest.param("stranger", "authority", id="an-unknown-client"),
        pytest.param("client", "stranger", id="an-unknown-registry"),
    ],
)
async def test_a_certificate_of_another_authority_is_refused(
    url: str, tmp_path: Path, name: str | None, trusted: str
) -> None:
    """The registry refuses the client, and the client refuses the registry."""
    registry = client(url, tmp_path, name, trusted)
    with pytest.raises(Transient, match="the schema registry does not answer"):
        await registry.schema(1)
    await registry.close()


async def test_a_certificate_is_read_again_when_it_is_replaced(
    url: str, authority: Authority, tmp_path: Path
) -> None:
    """A mounted certificate is replaced before it expires."""
    certificate(tmp_path / "mounted", "stranger")
    registry = client(url, tmp_path, "mounted")
    with pytest.raises(Transient):
        await registry.schema(1)
    certificate(tmp_path / "mounted", "client", authority)
    assert await registry.schema(1) is not None
    await registry.close()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("client.crt", None, r"file .*client\.crt does not exist", id="no-certificate"),
        pytest.param("authority.crt", "nonsense", r"cannot be used \(", id="no-pem"),
        pytest.param("client.key", "nonsense", r"cannot be used \(", id="no-key"),
    ],
)
async def test_files_that_cannot_be_used_are_a_hold(
    url: str, tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    """The detail has the path of the file and never its content."""
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    registry = client(url, tmp_path, "client")
    with pytest.raises(Hold, match=said) as caught:
        await registry.schema(1)
    assert "nonsense" not in str(caught.value)
    await registry.close()
