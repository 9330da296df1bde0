"""The echo service over both transports of the kit, with real credentials and limits behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from salambot.common.v1 import options_pb2

from servers.kit.platform import Platform
from tests.kit.echo.contract import compile_echo
from tests.kit.echo.wire import IN_PROCESS, SOCKET, Echo, Wire


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Echo:
    """The generated code of the echo service."""
    return Echo(*compile_echo(tmp_path_factory.mktemp("echo")))


@pytest.fixture
async def key(base_platform: Platform, tenant: str) -> str:
    """An API key of `tenant` that may chat."""
    return await base_platform.tenants.create_key(tenant, name="test", scopes=[options_pb2.SCOPE_CHAT])


@pytest.fixture(params=[SOCKET, IN_PROCESS])
async def wire(
    request: pytest.FixtureRequest, echo: Echo, base_platform: Platform, tenant: str, key: str
) -> AsyncIterator[Wire]:
    """The echo service over each transport."""
    async with echo.open(request.param, base_platform.chain, tenant, key) as opened:
        yield opened
