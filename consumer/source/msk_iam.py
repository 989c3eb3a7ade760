"""Logins to Amazon MSK with IAM: the token is a presigned AWS request that the brokers verify.

The credentials come from the usual places of AWS tools: environment, service account role, pod
identity, profile, instance. Temporary ones are renewed before they expire.

Source: the signers that AWS publishes for other languages (aws-msk-iam-sasl-signer-go and -python).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import structlog
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import Session

from consumer import __version__
from consumer.clock import SystemClock

if TYPE_CHECKING:
    from consumer.clock import Clock

LIFETIME_S: Final = 900
"""Lifetime of a token, the same as in AWS's own signers. The client asks for the next one after
four fifths of it."""

RETRY_S: Final = 10.0
"""Lifetime that is reported to the client when no new token could be created: it asks again
after four fifths of it."""

_SERVICE: Final = "kafka-cluster"
_ACTION: Final = f"{_SERVICE}:Connect"
_PLACEHOLDER: Final = "none"


class MskIam:
    """The client's `oauth_cb`, called on a thread of the client.

    It never raises: in its constructor the client would wait ten seconds for a token and then fail
    with an error that does not name the cause. Without a new token the client gets the last one, or
    a placeholder. If the brokers reject it, that is a hold like every other rejection.
    """

    def __init__(self, region: str, clock: Clock | None = None) -> None:
        self._region = region
        self._clock = clock or SystemClock()
        self._session = Session()
        self._session.set_config_variable("region", region)
        self._token = _PLACEHOLDER
        self._fault: str | None = None
        self._missing_since_s = 0.0
        self._log = structlog.get_logger()

    def __call__(self, _config: str | None) -> tuple[str, float]:
        """Return a token and its expiry time, in seconds since the epoch."""
        now_s = self._clock.wall_ms() / 1000
        try:
            self._token = self._signed()
        except (BotoCoreError, ClientError, OSError) as error:
            self._log_change(f"{type(error).__name__}: {' '.join(str(error).split())}")
            return self._token, now_s + RETRY_S
        self._log_change(None)
        return self._token, now_s + LIFETIME_S

    def _signed(self) -> str:
        """Return the signed request as text that fits into a login."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        signer = SigV4QueryAuth(
            credentials.get_frozen_credentials(), _SERVICE, self._region, expires=LIFETIME_S
        )
        request = AWSRequest(
            "GET", f"https://kafka.{self._region}.amazonaws.com/", params={"Action": _ACTION}
        )
        signer.add_auth(request)
        # The brokers' access log shows the user agent; it is not part of the signed text.
        url = f"{request.url}&User-Agent=datacloud-consumer%2F{__version__}"
        return base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")

    def _log_change(self, fault: str | None) -> None:
        """Log a change: credentials missing, or found."""
        if fault == self._fault:
            return
        before, self._fault = self._fault, fault
        now_s = self._clock.now_s()
        if before is None:
            self._missing_since_s = now_s
        if fault is None:
            lasted_s = round(now_s - self._missing_since_s, 1)
            self._log.info("aws_credentials_found", region=self._region, lasted_s=lasted_s)
        else:
            self._log.warning("aws_credentials_missing", region=self._region, detail=fault)
