"""AWS credentials, signatures and addresses, by the library of the extra `glue`.

The credentials come from the usual places of AWS tools: environment, service account role, pod
identity, profile, instance. Temporary ones are renewed before they expire. To find them may need
requests and takes up to some seconds, so it is done on another thread; the library has no asyncio.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import Session

from consumer import __version__
from consumer.errors import Hold, HoldReason
from consumer.http.hosts import is_loopback_url, service_address_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import ReadOnlyCredentials

_TOKEN_SERVICE_S: Final = 5
"""Seconds for one request to the AWS token service: a shutdown may have to wait for it."""

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_GLUE", "AWS_ENDPOINT_URL")


class AwsSigner:
    """Signs requests to one AWS service in one region."""

    def __init__(self, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._session = Session()
        self._session.set_config_variable("region", region)
        self._session.set_default_client_config(
            Config(
                connect_timeout=_TOKEN_SERVICE_S,
                read_timeout=_TOKEN_SERVICE_S,
                retries={"total_max_attempts": 2},
            )
        )

    async def signed(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Return the headers of a signed POST request. Raises: `Hold(AUTH)` without credentials."""
        try:
            credentials = await asyncio.to_thread(self._credentials)
        except (BotoCoreError, ClientError, OSError) as error:
            detail = (
                f"no AWS credentials for AWS Glue ({_shown(error)}); give the process a role, or"
                f" set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
            raise Hold(HoldReason.AUTH, detail) from None
        named = {**headers, "User-Agent": f"datacloud-consumer/{__version__}"}
        request = AWSRequest("POST", url, headers=named, data=body)
        SigV4Auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())

    def _credentials(self) -> ReadOnlyCredentials:
        found = self._session.get_credentials()
        if found is None:
            raise NoCredentialsError
        return found.get_frozen_credentials()

    def address(self) -> str:
        """Return the base URL of the service, without a trailing slash.

        The variables of AWS tools for an endpoint, FIPS and dual-stack addresses count. Raises:
        `Hold(CONFIG)` for an endpoint to which no signed request may go.
        """
        written = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
        if written is not None:
            return _checked(written.rstrip("/"))
        try:
            return self._of_region()
        except BotoCoreError as error:
            detail = (
                f"no address of AWS Glue ({_shown(error)}); check kafka.schema_registry.region and"
                f" AWS_PROFILE"
            )
            raise Hold(HoldReason.CONFIG, detail) from None

    def _of_region(self) -> str:
        partition = self._session.get_partition_for_region(self._region)
        suffixes = next(
            one["outputs"]
            for one in self._session.get_data("partitions")["partitions"]
            if one["id"] == partition
        )
        is_dual = self._session.get_config_variable("use_dualstack_endpoint")
        is_fips = self._session.get_config_variable("use_fips_endpoint")
        return (
            f"https://{self._service}{'-fips' if is_fips else ''}.{self._region}"
            f".{suffixes['dualStackDnsSuffix' if is_dual else 'dnsSuffix']}"
        )


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _checked(endpoint: str) -> str:
    """Refuse an endpoint that is not an address, or is called without TLS and is not loopback."""
    fault = service_address_fault(endpoint)
    if fault is None and endpoint.startswith("http:") and not is_loopback_url(endpoint):
        fault = "expected https, got http to another machine"
    if fault is not None:
        detail = f"{' or '.join(_ENDPOINTS)}: {fault}; correct the variable of the environment"
        raise Hold(HoldReason.CONFIG, detail)
    return endpoint
