"""The client of AWS Glue against a service that verifies its signatures, over a socket."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError
from botocore.session import Session

from consumer.clock import SystemClock
from consumer.decoding.written_schema import WrittenSchema
from consumer.errors import Hold, HoldReason, Transient
from consumer.registry.aws import AwsSigner
from consumer.registry.client import RegistryClient
from consumer.registry.glue import GlueClient
from consumer.registry.registries import registry_client
from consumer.registry.settings import GlueSettings, RegistrySettings
from tests.glue_service import KEY, REGION, SECRET, GlueService, glue_service, use_glue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SETTINGS = GlueSettings(region=REGION)
ROW = '{"type":"record","name":"Row","fields":[{"name":"id","type":"long"}]}'


@pytest.fixture
def service(no_aws: pytest.MonkeyPatch) -> Iterator[GlueService]:
    with glue_service() as made:
        use_glue(no_aws, made)
        yield made


@pytest.fixture
async def client(service: GlueService) -> AsyncIterator[GlueClient]:
    del service  # its address is in the environment
    made = GlueClient(SETTINGS, SystemClock())
    yield made
    await made.close()


@pytest.mark.parametrize("kind", ["AVRO", "JSON", "PROTOBUF"])
async def test_a_schema_version_is_found_by_its_id(
    kind: str, service: GlueService, client: GlueClient
) -> None:
    """With its data format, and the way in which AWS Glue counts message types."""
    version = service.register(ROW, kind)
    assert WrittenSchema(kind, ROW, indexes="glue") == await client.schema(version.bytes)
    assert 1 == service.asked[str(version)]


async def test_a_version_that_does_not_exist_is_none(client: GlueClient) -> None:
    """It is a fault of the records that name it."""
    assert await client.schema(uuid4().bytes) is None


async def test_an_id_of_another_registry_is_none(client: GlueClient) -> None:
    """AWS Glue has no numbers."""
    assert await client.schema(7) is None


async def test_a_session_token_is_sent_and_signed(
    service: GlueService, no_aws: pytest.MonkeyPatch
) -> None:
    """Temporary credentials have one."""
    service.session_token = "a/token+of=a-role"
    no_aws.setenv("AWS_SESSION_TOKEN", service.session_token)
    version = service.register(ROW)
    client = GlueClient(SETTINGS, SystemClock())
    assert await client.schema(version.bytes) is not None
    await client.close()


async def test_renewed_credentials_are_used(
    service: GlueService, client: GlueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library renews them; every request asks for the present ones."""
    version = service.register(ROW)
    given = [Credentials(KEY, "an old one"), Credentials(KEY, SECRET)]
    monkeypatch.setattr(Session, "get_credentials", lambda _session: given.pop(0))
    with pytest.raises(Hold, match=r"^AUTH: AWS Glue answered 400 InvalidSignatureException"):
        await client.schema(version.bytes)
    assert await client.schema(version.bytes) is not None


async def test_credentials_are_looked_for_beside_the_loop(
    service: GlueService, client: GlueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library may send requests for them."""
    version, threads = service.register(ROW), list[threading.Thread]()

    def looked(_session: Session) -> Credentials:
        threads.append(threading.current_thread())
        return Credentials(KEY, SECRET)

    monkeypatch.setattr(Session, "get_credentials", looked)
    assert await client.schema(version.bytes) is not None
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.parametrize(
    ("secret", "region", "code"),
    [
        (SECRET + "x", REGION, "InvalidSignatureException"),
        (SECRET, "eu-west-2", "InvalidSignatureException"),
    ],
)
async def test_a_refused_signature_is_a_hold(
    secret: str, region: str, code: str, service: GlueService, no_aws: pytest.MonkeyPatch
) -> None:
    """Another secret, another region; the secret is never shown."""
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", secret)
    client = GlueClient(GlueSettings(region=region), SystemClock())
    with pytest.raises(Hold) as caught:
        await client.schema(service.register(ROW).bytes)
    await client.close()
    assert HoldReason.AUTH is caught.value.reason
    assert caught.value.detail.startswith(f"AWS Glue answered 400 {code}")
    assert secret not in str(caught.value)


async def test_a_missing_permission_is_a_hold_that_ends(
    service: GlueService, client: GlueClient
) -> None:
    """The detail names the permission."""
    version = service.register(ROW)
    service.may_read = False
    with pytest.raises(Hold, match=r"^AUTH: AWS Glue answered 400 AccessDeniedException: User is"):
        await client.schema(version.bytes)
    service.may_read = True
    assert await client.schema(version.bytes) is not None


async def test_without_credentials_the_hold_says_what_to_set(
    service: GlueService, no_aws: pytest.MonkeyPatch
) -> None:
    """No request is sent."""
    no_aws.delenv("AWS_ACCESS_KEY_ID")
    version = service.register(ROW)
    client = GlueClient(SETTINGS, SystemClock())
    with pytest.raises(Hold, match=r"^AUTH: no AWS credentials for AWS Glue \(NoCredentialsError"):
        await client.schema(version.bytes)
    assert not service.asked
    await client.close()


@pytest.mark.parametrize(
    ("variables", "detail"),
    [
        (
            {
                "AWS_ROLE_ARN": "arn:aws:iam::000000000000:role/shop",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token",
            },
            "AUTH: no AWS credentials for AWS Glue (FileNotFoundError: ",
        ),
        ({"AWS_PROFILE": "gone"}, "AUTH: no AWS credentials for AWS Glue (ProfileNotFound: "),
        (
            {"AWS_PROFILE": "gone", "AWS_ENDPOINT_URL_GLUE": ""},
            "CONFIG: no address of AWS Glue (ProfileNotFound: ",
        ),
    ],
)
async def test_a_mistake_in_the_environment_is_a_hold(
    variables: dict[str, str], detail: str, service: GlueService, no_aws: pytest.MonkeyPatch
) -> None:
    """It ends no daemon, whatever the library raises."""
    no_aws.delenv("AWS_ACCESS_KEY_ID")
    for name, value in variables.items():
        no_aws.setenv(name, value)
    client = GlueClient(SETTINGS, SystemClock())
    with pytest.raises(Hold) as caught:
        await client.schema(service.register(ROW).bytes)
    await client.close()
    assert str(caught.value).startswith(detail)


async def test_a_region_that_aws_does_not_have_is_a_hold(no_aws: pytest.MonkeyPatch) -> None:
    """The detail names the key to check."""
    del no_aws
    client = GlueClient(GlueSettings(region="xx-moon-1"), SystemClock())
    with pytest.raises(
        Hold, match=r"^CONFIG: no address of AWS Glue \(UnknownRegionError: .*region"
    ):
        await client.schema(uuid4().bytes)
    await client.close()


async def test_a_source_of_credentials_that_does_not_answer_is_a_hold(
    service: GlueService, client: GlueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again with the next request."""

    def refuse(_session: Session) -> None:
        raise CredentialRetrievalError(provider="container-role", error_msg="no answer")

    version = service.register(ROW)
    with monkeypatch.context() as broken:
        broken.setattr(Session, "get_credentials", refuse)
        with pytest.raises(Hold, match=r"^AUTH: no AWS credentials .*container-role"):
            await client.schema(version.bytes)
    assert await client.schema(version.bytes) is not None


async def test_a_throttled_request_is_repeated(service: GlueService, client: GlueClient) -> None:
    """It is a hold that ends by itself, never a dead letter."""
    version = service.register(ROW)
    service.trouble = 400, "ThrottlingException", "Rate exceeded"
    with pytest.raises(
        Transient, match=r"^AWS Glue answered 400 ThrottlingException: Rate exceeded"
    ):
        await client.schema(version.bytes)
    service.trouble = None
    assert await client.schema(version.bytes) is not None


async def test_a_service_that_is_down_is_asked_again(no_aws: pytest.MonkeyPatch) -> None:
    """No connection is a fault of no record."""
    with glue_service() as gone:
        use_glue(no_aws, gone)
    client = GlueClient(SETTINGS, SystemClock())
    with pytest.raises(Transient, match=r"^AWS Glue does not answer: connection refused"):
        await client.schema(uuid4().bytes)
    await client.close()


@pytest.mark.parametrize(
    ("region", "variables", "address"),
    [
        ("eu-west-1", {}, "https://glue.eu-west-1.amazonaws.com"),
        ("cn-north-1", {}, "https://glue.cn-north-1.amazonaws.com.cn"),
        (
            "us-east-1",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "https://glue-fips.us-east-1.amazonaws.com",
        ),
        ("eu-west-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://glue.eu-west-1.api.aws"),
        (
            "eu-west-1",
            {
                "AWS_ENDPOINT_URL_GLUE": "https://vpce-1.glue.eu-west-1.vpce.amazonaws.com/",
                "AWS_ENDPOINT_URL": "https://other.example.com",
            },
            "https://vpce-1.glue.eu-west-1.vpce.amazonaws.com",
        ),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "http://localhost:4566"}, "http://localhost:4566"),
    ],
)
def test_the_address_is_that_of_the_region_or_the_environment(
    region: str, variables: dict[str, str], address: str, no_aws: pytest.MonkeyPatch
) -> None:
    """By the variables that other AWS tools read."""
    for name, value in variables.items():
        no_aws.setenv(name, value)
    assert address == AwsSigner("glue", region).address()


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("http://glue.example.com", "expected https, got http to another machine"),
        ("https://ann:secret@glue.example.com", "not a plain URL"),
        ("glue.example.com", "not a plain URL"),
    ],
)
async def test_an_endpoint_that_is_not_safe_is_a_hold(
    endpoint: str, fault: str, no_aws: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to it, and nothing of it is shown."""
    no_aws.setenv("AWS_ENDPOINT_URL_GLUE", endpoint)
    client = GlueClient(SETTINGS, SystemClock())
    with pytest.raises(Hold) as caught:
        await client.schema(uuid4().bytes)
    assert str(caught.value).startswith(
        f"CONFIG: AWS_ENDPOINT_URL_GLUE or AWS_ENDPOINT_URL: {fault}"
    )
    assert "secret" not in str(caught.value)


def test_the_type_decides_which_client_is_built(no_aws: pytest.MonkeyPatch) -> None:
    """The AWS library is only imported for AWS Glue."""
    del no_aws
    clock = SystemClock()
    assert isinstance(registry_client(SETTINGS, clock), GlueClient)
    confluent = RegistrySettings(url="https://registry.example.com")
    assert isinstance(registry_client(confluent, clock), RegistryClient)
    assert ("glue", "confluent") == (SETTINGS.type, confluent.type)
