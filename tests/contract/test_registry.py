"""Our own schema registry and a real one sit the same exam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.sandbox.registry import Registry, RegistryServer
from tests.contract.apicurio import Apicurio, NotHereError
from tests.contract.registry_contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class TestSandboxRegistry(RegistryContract):
    """The double that the other tests run on."""

    @pytest.fixture
    async def candidate(self) -> AsyncIterator[str]:
        """Start one for each question."""
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
    """A registry that others wrote."""

    @pytest.fixture
    def candidate(self, apicurio: Apicurio) -> str:
        """Take the one of this module."""
        return apicurio.url
