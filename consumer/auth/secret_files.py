"""Reads the secrets for each login, and detects when a secret file changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from consumer.auth.exchange import Secrets
from consumer.errors import Hold, HoldReason

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.auth.settings import SalesforceSettings, Secret

    Signature: TypeAlias = tuple[tuple[int, int, int] | None, ...]

_LARGEST_BYTES: Final = 64 * 1024


class SecretFiles:
    """The secrets of the `salesforce` section; a replaced file takes effect at the next login."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self._private_key = settings.private_key
        self._client_secret = settings.client_secret
        self._refresh_token = settings.refresh_token
        self._password = settings.password
        self._read: tuple[Signature, str | None] = ((), None)
        self._rotated: tuple[Signature, str] | None = None

    def read(self) -> Secrets:
        """Read all secrets that are configured.

        Raises: `Hold(AUTH)` that names a file which cannot be read or is empty.
        """
        signature = signature_of(self._refresh_token)
        # A token that the service rotated is newer than the file, until the file is replaced.
        if self._rotated is not None and self._rotated[0] == signature:
            refresh_token: str | None = self._rotated[1]
        else:
            refresh_token = read_secret(self._refresh_token)
        self._read = (signature, refresh_token)
        return Secrets(
            private_key=read_secret(self._private_key),
            client_secret=read_secret(self._client_secret),
            refresh_token=refresh_token,
            password=read_secret(self._password),
        )

    def remember(self, refresh_token: str | None) -> None:
        """Keep the refresh token that a login ended with, in memory only."""
        signature, used = self._read
        if refresh_token is not None and refresh_token != used:
            self._rotated = (signature, refresh_token)

    def signature(self) -> Signature:
        """Return a value that changes when any of the files is replaced or rewritten."""
        return signature_of(
            self._private_key, self._client_secret, self._refresh_token, self._password
        )


def read_secret(secret: Secret | None) -> str | None:
    """Read one secret; `None` when none is configured.

    Raises: `Hold(AUTH)` that names a file which cannot be read or is empty.
    """
    if secret is None or secret.path is None:
        return None if secret is None else secret.value
    try:
        with secret.path.open("rb") as file:
            text = file.read(_LARGEST_BYTES).decode().strip()
    except OSError as fault:
        raise _unreadable(secret.path, fault.strerror or type(fault).__name__) from None
    except UnicodeDecodeError:
        raise _unreadable(secret.path, "expected UTF-8 text, got other bytes") from None
    if not text:
        raise _unreadable(secret.path, "expected a secret, got an empty file")
    return text


def _unreadable(path: Path, why: str) -> Hold:
    return Hold(HoldReason.AUTH, f"secret file {path}: {why}")


def signature_of(*secrets: Secret | None) -> Signature:
    """Return a value that changes when the file of any of these is replaced or rewritten."""
    return tuple(
        [
            _stamp(secret.path)
            for secret in secrets
            if secret is not None and secret.path is not None
        ]
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return modification time, inode and size of the file that the path leads to.

    Mounted secrets are symbolic links.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size)
