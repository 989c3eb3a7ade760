"""The sandbox registry and a real one pass the same contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.sandbox.registry import Registry, RegistryServer
from tests.contract.apicurio import Apicurio, NotHereError
from tests.contract.registry_contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class TestSandboxRegistry(RegistryContract):
    """The registry that the other tests use."""

    @pytest.fixture
    async def candidate(self) -> AsyncIterator[str]:
        """Start a new registry for each test."""
        server = RegistryServer(Registry())
        await server.start()
        yield server.origin
        await server.close()


@pytest.fixture(scope="module")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    try:
        with Apicurio(tmp_path_factory.mktemp("registry")) as running:
            yield running
    except NotHereError as missing:
        pytest.skip(str(missing))


@pytest.mark.timeout(360)
class TestApicurio(RegistryContract):
    """A real registry."""

    @pytest.fixture
    def candidate(self, apicurio: Apicurio) -> str:
        """Use the registry of this module."""
        return apicurio.url
