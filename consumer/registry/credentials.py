"""Reads the registry's credentials and certificates, again when a file changes."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from consumer.auth.secret_files import read_secret, signature_of
from consumer.auth.settings import Secret
from consumer.errors import Hold, HoldReason

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.auth.secret_files import Signature
    from consumer.registry.exchange import RegistryCredentials
    from consumer.registry.settings import RegistrySettings

_TLS: Final = "kafka.schema_registry: the TLS certificates cannot be used"


def credentials_of(settings: RegistrySettings) -> RegistryCredentials:
    """Read the token, or the user and the password.

    Raises: `Hold(AUTH)` for a file that cannot be read.
    """
    token = read_secret(settings.token)
    if token is not None:
        return "bearer", token
    password = read_secret(settings.password)
    return None if settings.username is None else ("basic", f"{settings.username}:{password or ''}")


def tls_signature(settings: RegistrySettings) -> Signature:
    """Return a signature that changes when any of the files for TLS is replaced."""
    paths = (settings.certificate, settings.authorities)
    files = [Secret(path=path) if path is not None else None for path in paths]
    return signature_of(*files, settings.private_key)


def tls_context(settings: RegistrySettings) -> ssl.SSLContext | None:
    """Build the TLS context; `None` without own authorities and without a client certificate.

    Raises: `Hold(AUTH)` for files that cannot be read or do not match; its detail never shows
    their content.
    """
    if settings.certificate is None and settings.authorities is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.authorities)
        if settings.certificate is not None:
            key = settings.private_key.path if settings.private_key is not None else None
            context.load_cert_chain(settings.certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise Hold(
            HoldReason.AUTH,
            f"{_TLS} ({error.reason or 'not PEM'}); check certificate_file, key_file and ca_file",
        ) from None
    except OSError as error:
        raise Hold(HoldReason.AUTH, f"{_TLS}: {_named(error, settings)}") from None
    return context


def _no_password() -> str:
    """Return an empty password for an encrypted private key.

    Without this function OpenSSL would ask on the terminal, and the daemon would block.
    """
    return ""


def _named(error: OSError, settings: RegistrySettings) -> str:
    """Return which file is at fault, if it can be determined."""
    paths: list[Path] = [
        path for path in (settings.certificate, settings.authorities) if path is not None
    ]
    if settings.private_key is not None and settings.private_key.path is not None:
        paths.append(settings.private_key.path)
    missing = next((path for path in paths if not path.exists()), None)
    return f"{error.strerror}" if missing is None else f"file {missing} does not exist"
