"""IAM logins to a real broker that verifies them like Amazon MSK."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from consumer.clock import SystemClock
from consumer.dead_letter.producer import KafkaDeadLetterTopic
from consumer.errors import HoldReason
from consumer.source.login import connection
from tests.kafka.broker import KafkaBroker, fetched_jars
from tests.kafka.conftest import require_none, require_tools
from tests.kafka.member import Member

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120), pytest.mark.usefixtures("no_aws")]

KEY: Final = "AKIDEXAMPLE"
SECRET: Final = "open/sesame+1"
IAM: Final = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanisms": "AWS_MSK_IAM",
    "aws.region": "eu-west-1",
}

_VERIFIER: Final = Path(__file__).with_name("MskLogins.java")
_LISTENER: Final = "listener.name.login.oauthbearer.sasl"
_SETTINGS: Final = {
    "sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER",
    f"{_LISTENER}.server.callback.handler.class": "MskLogins",
    # A login is valid for two seconds per connection, so that it is renewed during a test.
    f"{_LISTENER}.jaas.config": (
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
        f' unsecuredLoginStringClaim_sub="broker" accessKey="{KEY}" secretKey="{SECRET}"'
        f' region="eu-west-1"'
        ' lifetimeMs="2000";'
    ),
    "listener.name.login.connections.max.reauth.ms": "2000",
}


class Msk:
    """The broker, its log of logins, and a topic with a record."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.broker = broker
        self.topic = f"t-{uuid4().hex[:12]}"
        broker.create_topic(self.topic)
        self._producer = Producer({"bootstrap.servers": broker.bootstrap})
        self.produce(b"first")

    def produce(self, value: bytes) -> None:
        """Append a record."""
        self._producer.produce(self.topic, value)
        assert 0 == self._producer.flush(20)

    def accepted(self) -> int:
        """Return how many logins it accepted."""
        return (self.broker.folder / "broker.log").read_bytes().count(b"login accepted")

    def member(self) -> Member:
        """Return a member of a new group that logs in with IAM."""
        return Member(self.broker.login_bootstrap, f"g-{uuid4()}", self.topic, properties=IAM)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    require_tools()
    compiler = shutil.which("javac") or ""
    require_none(
        None if compiler else "install a JDK (Debian: openjdk-17-jdk-headless) to verify IAM logins"
    )
    classes = tmp_path_factory.mktemp("classes")
    subprocess.run(
        [compiler, "-cp", f"{fetched_jars()}/*", "-d", str(classes), str(_VERIFIER)], check=True
    )
    with KafkaBroker(tmp_path_factory.mktemp("msk") / "broker", _SETTINGS, classes=classes) as made:
        yield made


@pytest.fixture
def msk(broker: KafkaBroker) -> Msk:
    return Msk(broker)


def give(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


async def test_logins_are_accepted_and_renewed(msk: Msk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker closes connections that do not log in again in time.

    Reading continues without a hold.
    """
    give(monkeypatch, SECRET)
    before = msk.accepted()
    async with msk.member() as member:
        await member.listener.until(lambda: [b"first"] == member.listener.values())
        await member.listener.until(lambda: msk.accepted() >= before + 8)
        msk.produce(b"second")
        await member.listener.until(lambda: [b"first", b"second"] == member.listener.values())
    assert [] == [what for name, what in member.listener.log if name == "held"]


async def test_dead_letters_log_in_the_same_way(msk: Msk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their producer describes the topic with its own login."""
    give(monkeypatch, SECRET)
    where = msk.broker.login_bootstrap
    dead_letters = KafkaDeadLetterTopic(where, connection(where, IAM), msk.topic, SystemClock())
    before = msk.accepted()
    await dead_letters.check()
    await dead_letters.close()
    assert msk.accepted() > before


async def test_a_signature_with_another_secret_is_rejected(
    msk: Msk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker really verifies signatures: a hold, without a secret in its detail."""
    give(monkeypatch, "another")
    async with msk.member() as member:
        await member.listener.until(lambda: member.listener.held_now)
    assert HoldReason.AUTH is member.listener.held_now[0].reason
    assert "another" not in member.listener.held_now[0].detail


async def test_credentials_that_come_late_end_the_hold(
    msk: Msk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod identity without credentials is a hold.

    Reading starts as soon as there are credentials.
    """
    with pod_identity() as identity:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", identity.url)
        async with msk.member() as member:
            await member.listener.until(
                lambda: HoldReason.AUTH in [held.reason for held in member.listener.held_now]
            )
            identity.ready = True
            await member.listener.until(
                lambda: member.listener.values() and not member.listener.held_now, within_s=45
            )
    assert [b"first"] == member.listener.values()


class PodIdentity:
    """The agent on a node that gives a pod its credentials."""

    def __init__(self) -> None:
        self.ready = False
        self.url = ""

    def answer(self) -> tuple[int, bytes]:
        """Return status and body."""
        if not self.ready:
            return 503, b"{}"
        end = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
        credentials = {
            "AccessKeyId": KEY,
            "SecretAccessKey": SECRET,
            "Token": None,
            "Expiration": end,
        }
        return 200, json.dumps(credentials).encode()


@contextmanager
def pod_identity() -> Iterator[PodIdentity]:
    identity = PodIdentity()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = identity.answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        identity.url = f"http://127.0.0.1:{server.server_port}/v1/credentials"
        Thread(target=server.serve_forever, daemon=True).start()
        yield identity
        server.shutdown()
