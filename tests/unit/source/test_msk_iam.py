"""The token for Amazon MSK; the brokers' verification is tested with a real one."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from botocore.exceptions import CredentialRetrievalError
from botocore.session import Session

from consumer.source.msk_iam import LIFETIME_S, RETRY_S, MskIam

pytestmark = pytest.mark.usefixtures("no_aws")

NOW_S = 1_800_000_000.0


class Stopped:
    """A clock that does not advance."""

    def now_s(self) -> float:
        """A `Clock` method."""
        return NOW_S

    def wall_ms(self) -> int:
        """A `Clock` method."""
        return int(NOW_S * 1000)

    async def sleep(self, duration_s: float) -> None:
        """A `Clock` method."""


@pytest.fixture
def _credentials(no_aws: pytest.MonkeyPatch) -> None:
    no_aws.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", "open-sesame")


@pytest.mark.usefixtures("_credentials")
def test_a_token_is_a_request_to_connect() -> None:
    """Signed for the region, valid for 15 minutes, without the secret."""
    token, end_s = MskIam("eu-west-1", Stopped())(None)
    request = urlsplit(base64.urlsafe_b64decode(token + "==").decode())
    query = {name: values[0] for name, values in parse_qs(request.query).items()}
    assert ("https", "kafka.eu-west-1.amazonaws.com", "/") == (
        request.scheme,
        request.netloc,
        request.path,
    )
    assert ("kafka-cluster:Connect", str(LIFETIME_S)) == (query["Action"], query["X-Amz-Expires"])
    assert query["X-Amz-Credential"].startswith("AKIDEXAMPLE/")
    assert query["X-Amz-Credential"].endswith("/eu-west-1/kafka-cluster/aws4_request")
    assert "open-sesame" not in request.query
    assert NOW_S + LIFETIME_S == end_s
    assert "=" not in token


def test_without_credentials_the_client_asks_again_soon() -> None:
    """One log line reports it, however often the client asks."""
    login = MskIam("eu-west-1", Stopped())
    with structlog.testing.capture_logs() as logged:
        answers = [login(None) for _ in range(3)]
    assert [NOW_S + RETRY_S] * 3 == [end_s for _, end_s in answers]
    [line] = logged
    assert ("aws_credentials_missing", "eu-west-1") == (line["event"], line["region"])
    assert "NoCredentialsError" in line["detail"]


def test_a_token_file_that_does_not_exist_raises_nothing(no_aws: pytest.MonkeyPatch) -> None:
    """The library opens the file of a service account without translating the error."""
    no_aws.setenv("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/shop")
    no_aws.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    with structlog.testing.capture_logs() as logged:
        _, end_s = MskIam("eu-west-1", Stopped())(None)
    assert NOW_S + RETRY_S == end_s
    assert ["aws_credentials_missing"] == [line["event"] for line in logged]
    assert "FileNotFoundError" in logged[0]["detail"]


@pytest.mark.usefixtures("_credentials")
def test_a_token_is_used_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays valid for some minutes; the credential provider may answer before it expires."""
    login = MskIam("eu-west-1", Stopped())
    first, _ = login(None)
    with structlog.testing.capture_logs() as logged, monkeypatch.context() as broken:
        broken.setattr(Session, "get_credentials", _refuse)
        assert (first, NOW_S + RETRY_S) == login(None)
    with structlog.testing.capture_logs() as later:
        _, end_s = login(None)
    assert NOW_S + LIFETIME_S == end_s
    assert [("aws_credentials_missing", None), ("aws_credentials_found", 0.0)] == [
        (line["event"], line.get("lasted_s")) for line in (*logged, *later)
    ]


def _refuse(_session: Session) -> None:
    raise CredentialRetrievalError(provider="container-role", error_msg="no answer")
