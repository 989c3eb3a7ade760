"""Logins to Amazon MSK by IAM: a presigned request to AWS is the token that brokers judge.

Credentials are found where AWS's own programs look for them: environment, the role of a service
account, the pod's identity, a profile, the instance. Those that end are asked for anew before they
do.

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
"""Of a token: what AWS's own signers ask for. The client wants the next one after four fifths of
it."""

AGAIN_S: Final = 10.0
"""What the client is told of a token when no new one could be made: it asks again after four fifths
of it."""

_SERVICE: Final = "kafka-cluster"
_ACTION: Final = f"{_SERVICE}:Connect"
_PLACEHOLDER: Final = "none"


class MskIam:
    """The client's `oauth_cb`, called on a thread of the client's own.

    It never raises: in its constructor the client would wait ten seconds for a token and end in an
    error that says nothing. Without a new token it gets the last one, or what is none; the brokers
    refuse what they do not take, and that is a hold like every other refusal.
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
        """Return a token and the time of its end, in seconds since the epoch."""
        now_s = self._clock.wall_ms() / 1000
        try:
            self._token = self._signed()
        except (BotoCoreError, ClientError) as error:
            self._note(f"{type(error).__name__}: {' '.join(str(error).split())}")
            return self._token, now_s + AGAIN_S
        self._note(None)
        return self._token, now_s + LIFETIME_S

    def _signed(self) -> str:
        """Return the request that a broker could send on, signed.

        As text that fits into a login.
        """
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
        # Who asks stands in the brokers' access log; it is not part of what is signed.
        url = f"{request.url}&User-Agent=datacloud-consumer%2F{__version__}"
        return base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")

    def _note(self, fault: str | None) -> None:
        """Tell what is new."""
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
