"""The reader alone, and NLU as a process serves it over real stores and the real models, with clients of tenants on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.server import serving
from servers.kit.inference.onnx import OnnxInference
from servers.kit.platform import Addresses, Platform, open_platform
from servers.kit.settings import read_settings
from servers.nlu.labels import Labels, read_labels
from servers.nlu.reader import Reader
from tests.conftest import SECRET
from tests.nlu.installation import Client, Process, Unreachable, new_client, process
from tests.nlu.wire import GRPC, REST, Analyze, over_grpc, over_rest

MODELS = read_settings().models


@pytest.fixture(scope="session")
def labels() -> Labels:
    """The labels of the model in the repository."""
    return read_labels(MODELS / "encoder" / "labels.json")


@pytest.fixture(scope="session")
async def reader(labels: Labels) -> AsyncIterator[Reader]:
    """A reader over the model in the repository, run in this process."""
    inference = await OnnxInference.open(MODELS)
    yield Reader(inference, labels)
    await inference.close()


@pytest.fixture
def rules_reader(labels: Labels) -> Reader:
    """A reader whose model server is down."""
    return Reader(Unreachable(), labels)


@pytest.fixture(scope="session")
async def platform(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform with models."""
    settings = read_settings(home=stores / "nlu")
    needs = ("postgres", "inference")
    async with open_platform(settings, Addresses(database_url, redis_url), SECRET, needs) as platform:
        yield platform


@pytest.fixture(scope="session")
async def served(platform: Platform) -> AsyncIterator[Process]:
    """A process that serves and trains."""
    async with process(platform) as opened:
        yield opened


@pytest.fixture
async def client(served: Process) -> Client:
    """A client of a tenant of the test's own."""
    return await new_client(served)


@pytest.fixture
async def stranger(served: Process) -> Client:
    """A client of another tenant."""
    return await new_client(served)


@pytest.fixture(scope="session")
async def http(served: Process) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway before the process."""
    async with (
        serving(create_app(served.platform), "127.0.0.1", 0, drain_seconds=1) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
    ):
        yield client


@pytest.fixture(params=[GRPC, REST])
def analyze(request: pytest.FixtureRequest, http: httpx.AsyncClient) -> Analyze:
    """Analyze over each transport."""
    return over_grpc if request.param == GRPC else over_rest(http)
