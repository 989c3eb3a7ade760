"""How we show who asks: secrets and certificates as they stand at this moment.

Read again when a file changes.
"""

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

_TLS: Final = "kafka.schema_registry: the certificates are not usable"


def credentials_of(settings: RegistrySettings) -> RegistryCredentials:
    """Read who we are by name, or by token. Raises: `Hold(AUTH)` for a file that cannot be read."""
    token = read_secret(settings.token)
    if token is not None:
        return "bearer", token
    password = read_secret(settings.password)
    return None if settings.username is None else ("basic", f"{settings.username}:{password or ''}")


def tls_signature(settings: RegistrySettings) -> Signature:
    """Return what changes when any of the files that TLS needs is replaced."""
    paths = (settings.certificate, settings.authorities)
    files = [Secret(path=path) if path is not None else None for path in paths]
    return signature_of(*files, settings.private_key)


def tls_context(settings: RegistrySettings) -> ssl.SSLContext | None:
    """Make what TLS needs; `None` where the system's authorities do and nothing is shown of us.

    Raises: `Hold(AUTH)` for files that cannot be read or do not fit together; their content is not
    repeated.
    """
    if settings.certificate is None and settings.authorities is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.authorities)
        if settings.certificate is not None:
            key = settings.private_key.path if settings.private_key is not None else None
            context.load_cert_chain(settings.certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise Hold(HoldReason.AUTH, f"{_TLS} ({error.reason or 'not PEM'})") from None
    except OSError as error:
        raise Hold(HoldReason.AUTH, f"{_TLS}: {_named(error, settings)}") from None
    return context


def _no_password() -> str:
    """Answer for a key that wants one.

    Without this the terminal would be asked, and the daemon stand still.
    """
    return ""


def _named(error: OSError, settings: RegistrySettings) -> str:
    """Say which file is at fault, as far as the system tells."""
    paths: list[Path] = [
        path for path in (settings.certificate, settings.authorities) if path is not None
    ]
    if settings.private_key is not None and settings.private_key.path is not None:
        paths.append(settings.private_key.path)
    missing = next((path for path in paths if not path.exists()), None)
    return f"{error.strerror}" if missing is None else f"no file {missing}"
