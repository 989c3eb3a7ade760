"""Secrets that change under a running daemon: replaced, rotated, mounted late."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

import msgspec
import pytest

from consumer.auth.provider import TokenProvider
from consumer.auth.settings import Secret
from consumer.errors import Hold, Transient
from consumer.http.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.auth.settings import SalesforceSettings
    from tests.unit.auth.conftest import Answers, ScriptedTransport, StillClock

Provide: TypeAlias = "Callable[[SalesforceSettings], TokenProvider]"
REFUSED = Answer(400, (), b'{"error":"invalid_client"}')


class Silent:
    """Counts nothing."""

    def token_refresh(self, result: str) -> None:
        """Ignore the result."""

    def tenant_moved(self, old_host: str, new_host: str) -> None:
        """Ignore the move."""


@pytest.fixture
def provide(transport: ScriptedTransport, clock: StillClock) -> Provide:
    def made(settings: SalesforceSettings) -> TokenProvider:
        return TokenProvider(settings, transport, clock, jitter=lambda: 0.0, observer=Silent())

    return made


async def test_a_replaced_secret_ends_the_back_off(
    settings: SalesforceSettings, provide: Provide, transport: ScriptedTransport, tmp_path: Path
) -> None:
    """After a secret is replaced, the next call logs in at once."""
    secret = tmp_path / "client_secret"
    secret.write_text("wrong\n")
    configured = msgspec.structs.replace(settings, client_secret=Secret(path=secret))
    provider = provide(configured)
    transport.script = [REFUSED]
    for _ in range(3):
        with pytest.raises(Hold):
            await provider.current()
    assert 1 == len(transport.requests)
    replaced = tmp_path / "new"
    replaced.write_text("right\n")
    os.utime(replaced, ns=(1, 1))  # same size, older: only the inode and the time differ
    replaced.replace(secret)
    assert 1 == (await provider.current()).serial
    assert ["right"] == parse_qs(transport.requests[1].body.decode())["client_secret"]


def refresh_flow(settings: SalesforceSettings, path: Path) -> SalesforceSettings:
    return msgspec.structs.replace(settings, flow="refresh_token", refresh_token=Secret(path=path))


def sent_refresh_tokens(transport: ScriptedTransport) -> list[str]:
    forms: list[dict[str, Any]] = [
        parse_qs(request.body.decode()) for request in transport.requests
    ]
    return [form["refresh_token"][0] for form in forms if "refresh_token" in form]


async def test_a_rotated_refresh_token_is_used_next(
    settings: SalesforceSettings,
    provide: Provide,
    transport: ScriptedTransport,
    clock: StillClock,
    tmp_path: Path,
    *,
    core: Answers,
) -> None:
    """The newest refresh token is used, even when a later step of its flow failed."""
    path = tmp_path / "refresh"
    path.write_text("first")
    provider = provide(refresh_flow(settings, path))
    transport.script = [core(refresh_token="second"), Answer(503)]
    with pytest.raises(Transient):
        await provider.current()
    clock.at_s += 1
    await provider.current()
    assert ["first", "second"] == sent_refresh_tokens(transport)


async def test_a_replaced_refresh_token_file_counts_again(
    settings: SalesforceSettings,
    provide: Provide,
    transport: ScriptedTransport,
    clock: StillClock,
    tmp_path: Path,
    *,
    core: Answers,
) -> None:
    """A file that is newer than the rotation replaces the rotated token."""
    path = tmp_path / "refresh"
    path.write_text("first")
    provider = provide(refresh_flow(settings, path))
    transport.script = [core(refresh_token="second")]
    await provider.current()
    path.write_text("by the operator")
    clock.at_s += 10_000
    await provider.current()
    assert ["first", "by the operator"] == sent_refresh_tokens(transport)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"", "empty file"), (b" \n", "empty file"), (b"\xff\xfe", "expected UTF-8 text")],
)
async def test_a_secret_file_without_a_secret(
    settings: SalesforceSettings,
    provide: Provide,
    transport: ScriptedTransport,
    tmp_path: Path,
    *,
    content: bytes,
    text: str,
) -> None:
    """The file is named, and no request is made."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    configured = msgspec.structs.replace(settings, client_secret=Secret(path=path))
    provider = provide(configured)
    with pytest.raises(Hold, match=text) as held:
        await provider.current()
    assert str(path) in held.value.detail
    assert [] == transport.requests


async def test_a_missing_secret_file_is_waited_for(
    settings: SalesforceSettings, provide: Provide, tmp_path: Path
) -> None:
    """A secret that is mounted late ends the hold."""
    path = tmp_path / "late"
    configured = msgspec.structs.replace(settings, client_secret=Secret(path=path))
    provider = provide(configured)
    with pytest.raises(Hold, match="No such file"):
        await provider.current()
    path.write_text("s")
    assert 1 == (await provider.current()).serial
