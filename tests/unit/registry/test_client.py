"""The client against our own registry, by HTTP."""

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
    """Both name the same one."""
    number = registry.register("t-value", '"string"')
    assert WrittenSchema("AVRO", '"string"') == await client.schema(number)
    assert WrittenSchema("AVRO", '"string"') == await client.schema(registry.guid(number).bytes)


async def test_what_is_not_there_is_no_fault(client: RegistryClient) -> None:
    """The records that name it are at fault."""
    assert await client.schema(7) is None
    assert await client.schema(bytes(16)) is None


async def test_references_come_with_the_schema_the_innermost_first(
    registry: Registry, client: RegistryClient
) -> None:
    """Each once, however often it is referred to."""
    registry.register("a/b c", "inner", "PROTOBUF")
    inner: dict[str, str | int] = {"name": "inner.proto", "subject": "a/b c", "version": 1}
    registry.register("middle", "middle", "PROTOBUF", [inner])
    middle: dict[str, str | int] = {"name": "middle.proto", "subject": "middle", "version": 1}
    number = registry.register("t-value", "outer", "PROTOBUF", [middle, inner])
    references = (Reference("inner.proto", "inner"), Reference("middle.proto", "middle"))
    assert WrittenSchema("PROTOBUF", "outer", references) == await client.schema(number)
    assert 1 == registry.asked["/subjects/a%2Fb%20c/versions/1"]


async def test_schemas_that_refer_to_each_other_end(
    registry: Registry, client: RegistryClient
) -> None:
    """A registry would not take them; a broken one must not keep us busy for ever."""
    to_two: dict[str, str | int] = {"name": "two", "subject": "two", "version": 1}
    to_one: dict[str, str | int] = {"name": "one", "subject": "one", "version": 1}
    registry.register("one", "1", "JSON", [to_two])
    number = registry.register("two", "2", "JSON", [to_one])
    found = await client.schema(number)
    assert found is not None
    assert {"one", "two"} == {one.name for one in found.references}


async def test_more_references_than_anybody_has_are_refused(
    registry: Registry, client: RegistryClient
) -> None:
    """By name, and without an end to it."""
    registry.register("s0", "0")
    for number in range(1, MOST_REFERENCES + 3):
        at: dict[str, str | int] = {"name": f"n{number}", "subject": f"s{number - 1}", "version": 1}
        last = registry.register(f"s{number}", str(number), "AVRO", [at])
    with pytest.raises(Hold, match="refers to more than 200 others"):
        await client.schema(last)


async def test_a_schema_whose_reference_is_gone_is_gone(
    registry: Registry, client: RegistryClient
) -> None:
    """Nobody can read its records any more."""
    lost: dict[str, str | int] = {"name": "n", "subject": "deleted", "version": 1}
    assert await client.schema(registry.register("t", '"n"', "AVRO", [lost])) is None


async def test_a_password_is_read_again_when_its_file_changes(
    server: RegistryServer, tmp_path: Path
) -> None:
    """A mounted secret is replaced while the daemon runs."""
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


async def test_a_token_is_shown(server: RegistryServer) -> None:
    """From the environment as well as from a file."""
    number = server._registry.register("t", '"string"')
    server._registry.authorization = "Bearer abc"
    client = RegistryClient(
        RegistrySettings(url=server.origin, token=Secret(value="abc")), SystemClock()
    )
    assert await client.schema(number) is not None
    await client.close()


async def test_trouble_ends(server: RegistryServer, client: RegistryClient) -> None:
    """A registry that is down, or says that it is, is asked again and answers."""
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
