"""The registry client against the sandbox registry, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.auth.settings import Secret
from consumer.clock import SystemClock
from consumer.decoding.written_schema import Reference, WrittenSchema
from consumer.errors import Hold, Transient
from consumer.registry.client import MOST_REFERENCES, RegistryClient
from consumer.registry.settings import RegistrySettings
from consumer.sandbox.registry import Registry, RegistryServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def server() -> AsyncIterator[RegistryServer]:
    made = RegistryServer(Registry())
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def registry(server: RegistryServer) -> Registry:
    return server._registry


@pytest.fixture
async def client(server: RegistryServer) -> AsyncIterator[RegistryClient]:
    made = RegistryClient(RegistrySettings(url=server.origin), SystemClock())
    yield made
    await made.close()


async def test_a_schema_is_found_by_id_and_by_guid(
    registry: Registry, client: RegistryClient
) -> None:
    """Both name the same schema."""
    number = registry.register("t-value", '"string"')
    assert WrittenSchema("AVRO", '"string"') == await client.schema(number)
    assert WrittenSchema("AVRO", '"string"') == await client.schema(registry.guid(number).bytes)


async def test_a_schema_that_does_not_exist_is_none(client: RegistryClient) -> None:
    """It is a fault of the records that name it, not of the registry."""
    assert await client.schema(7) is None
    assert await client.schema(bytes(16)) is None


async def test_references_come_with_the_schema_the_innermost_first(
    registry: Registry, client: RegistryClient
) -> None:
    """Each is fetched once, even if several schemas refer to it."""
    registry.register("a/b c", "inner", "PROTOBUF")
    inner: dict[str, str | int] = {"name": "inner.proto", "subject": "a/b c", "version": 1}
    registry.register("middle", "middle", "PROTOBUF", [inner])
    middle: dict[str, str | int] = {"name": "middle.proto", "subject": "middle", "version": 1}
    number = registry.register("t-value", "outer", "PROTOBUF", [middle, inner])
    references = (Reference("inner.proto", "inner"), Reference("middle.proto", "middle"))
    assert WrittenSchema("PROTOBUF", "outer", references) == await client.schema(number)
    assert 1 == registry.asked["/subjects/a%2Fb%20c/versions/1"]


async def test_schemas_that_refer_to_each_other_are_fetched_once(
    registry: Registry, client: RegistryClient
) -> None:
    """A registry refuses such a cycle; a broken one must not make the client loop for ever."""
    to_two: dict[str, str | int] = {"name": "two", "subject": "two", "version": 1}
    to_one: dict[str, str | int] = {"name": "one", "subject": "one", "version": 1}
    registry.register("one", "1", "JSON", [to_two])
    number = registry.register("two", "2", "JSON", [to_one])
    found = await client.schema(number)
    assert found is not None
    assert {"one", "two"} == {one.name for one in found.references}


async def test_more_than_200_references_are_refused(
    registry: Registry, client: RegistryClient
) -> None:
    """The hold names the limit."""
    registry.register("s0", "0")
    for number in range(1, MOST_REFERENCES + 3):
        at: dict[str, str | int] = {"name": f"n{number}", "subject": f"s{number - 1}", "version": 1}
        last = registry.register(f"s{number}", str(number), "AVRO", [at])
    with pytest.raises(Hold, match="expected at most 200 schemas referred to by one schema"):
        await client.schema(last)


async def test_a_schema_with_a_deleted_reference_is_none(
    registry: Registry, client: RegistryClient
) -> None:
    """Its records cannot be decoded any more."""
    lost: dict[str, str | int] = {"name": "n", "subject": "deleted", "version": 1}
    assert await client.schema(registry.register("t", '"n"', "AVRO", [lost])) is None


async def test_a_password_is_read_again_when_its_file_changes(
    server: RegistryServer, tmp_path: Path
) -> None:
    """A mounted secret may be replaced while the daemon runs."""
    number = server._registry.register("t", '"string"')
    server._registry.authorization = "Basic YW5uOm5ldw=="
    (tmp_path / "password").write_text("old\n")
    secret = Secret(path=tmp_path / "password")
    client = RegistryClient(
        RegistrySettings(url=server.origin, username="ann", password=secret), SystemClock()
    )
    with pytest.raises(Hold, match=r"^AUTH: the schema registry answered 401"):
        await client.schema(number)
    (tmp_path / "password").write_text("new\n")
    assert await client.schema(number) is not None
    (tmp_path / "password").unlink()
    with pytest.raises(Hold, match=r"^AUTH: secret file .*password: No such file"):
        await client.schema(number)
    await client.close()


async def test_a_token_is_sent(server: RegistryServer) -> None:
    """It may come from the environment or from a file."""
    number = server._registry.register("t", '"string"')
    server._registry.authorization = "Bearer abc"
    client = RegistryClient(
        RegistrySettings(url=server.origin, token=Secret(value="abc")), SystemClock()
    )
    assert await client.schema(number) is not None
    await client.close()


async def test_the_client_recovers_from_an_outage(
    server: RegistryServer, client: RegistryClient
) -> None:
    """A registry that is down, or answers 503, is asked again and answers."""
    number = server._registry.register("t", '"string"')
    server._registry.trouble = 503
    with pytest.raises(Transient, match="answered 503"):
        await client.schema(number)
    server._registry.trouble = None
    await server.close()
    with pytest.raises(Transient, match="does not answer: connection refused"):
        await client.schema(number)
    await server.start()
    assert await client.schema(number) is not None
