"""Plays the AWS Glue Schema Registry over a real socket, and verifies every signature itself.

Source: Signature Version 4 in the AWS documentation, and the API reference of AWS Glue.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

KEY: Final = "AKIDEXAMPLE"
SECRET: Final = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION: Final = "eu-west-1"

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/[^/]+/glue/aws4_request,"
    r" SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_MUST_BE_SIGNED: Final = {"host", "x-amz-date"}
_LATEST: Final = timedelta(minutes=5)


class GlueService:
    """The registry: `register` stores a schema version; `trouble` is the answer while it is set.

    `may_read` is the permission glue:GetSchemaVersion. `session_token` must come with each request.
    """

    def __init__(self) -> None:
        self.may_read = True
        self.session_token: str | None = None
        self.trouble: tuple[int, str, str] | None = None
        self.asked: Counter[str] = Counter()
        self.endpoint = ""
        self._schemas: dict[str, tuple[str, str]] = {}

    def register(self, schema: str, kind: str = "AVRO") -> UUID:
        """Store a schema version."""
        version = uuid4()
        self._schemas[str(version)] = schema, kind
        return version

    def answer(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, object]]:
        """Answer one request."""
        if self.trouble is not None:
            status, code, message = self.trouble
            return status, {"__type": code, "message": message}
        fault = self._fault(path, headers, body)
        if fault is not None:
            return 400, {"__type": fault, "message": "The request is refused."}
        if headers.get("x-amz-target") != "AWSGlue.GetSchemaVersion":
            return 400, {"__type": "UnknownOperationException"}
        version = json.loads(body)["SchemaVersionId"]
        self.asked[version] += 1
        if not self.may_read:
            denied = "User is not authorized to perform: glue:GetSchemaVersion"
            return 400, {"__type": "AccessDeniedException", "Message": denied}
        found = self._schemas.get(version)
        if found is None:
            return 400, {"__type": "EntityNotFoundException", "Message": "Schema is not found."}
        return 200, {
            "SchemaVersionId": version,
            "SchemaDefinition": found[0],
            "DataFormat": found[1],
            "SchemaArn": f"arn:aws:glue:{REGION}:000000000000:schema/shop/rows",
            "VersionNumber": 1,
            "Status": "AVAILABLE",
            "CreatedTime": "2026-01-01T00:00:00.000Z",
        }

    def _fault(self, path: str, headers: dict[str, str], body: bytes) -> str | None:
        """Return the code of the error in a signature, computed step by step by the document."""
        match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if match is None:
            return "MissingAuthenticationTokenException"
        if match["key"] != KEY:
            return "UnrecognizedClientException"
        signed = match["signed"].split(";")
        if not _MUST_BE_SIGNED.issubset(signed) or signed != sorted(signed):
            return "IncompleteSignatureException"
        if headers.get("x-amz-security-token") != self.session_token:
            return "UnrecognizedClientException"
        at = headers["x-amz-date"]
        sent = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(datetime.now(UTC) - sent) > _LATEST or not at.startswith(match["day"]):
            return "InvalidSignatureException"
        lines = [
            "POST",
            path,
            "",
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed),
            "",
            match["signed"],
            hashlib.sha256(body).hexdigest(),
        ]
        scope = f"{match['day']}/{REGION}/glue/aws4_request"
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256",
                at,
                scope,
                hashlib.sha256("\n".join(lines).encode()).hexdigest(),
            )
        )
        key = f"AWS4{SECRET}".encode()
        for part in (match["day"], REGION, "glue", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        expected = hmac.digest(key, text.encode(), "sha256").hex()
        return (
            None
            if hmac.compare_digest(expected, match["signature"])
            else ("InvalidSignatureException")
        )


@contextmanager
def glue_service() -> Iterator[GlueService]:
    """Serve a registry on loopback."""
    service = GlueService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, content = service.answer(self.path, headers, body)
            written = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - of the base class
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


def use_glue(environment: pytest.MonkeyPatch, service: GlueService) -> None:
    """Give this process the service's address and credentials."""
    environment.setenv("AWS_ENDPOINT_URL_GLUE", service.endpoint)
    environment.setenv("AWS_ACCESS_KEY_ID", KEY)
    environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
