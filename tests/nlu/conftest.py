from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from servers.kit.errors import UpstreamError
from servers.kit.inference.interfaces import Inference, Tensor
from servers.kit.inference.onnx import OnnxInference
from servers.kit.settings import read_settings
from servers.nlu.labels import Labels, read_labels
from servers.nlu.reader import Reader

MODELS = read_settings().models


@pytest.fixture(scope="session")
def labels() -> Labels:
    """The labels of the model in the repository."""
    return read_labels(MODELS / "nlu" / "labels.json")


@pytest.fixture(scope="session")
async def reader(labels: Labels) -> AsyncIterator[Reader]:
    """A reader over the model in the repository, run in this process."""
    inference = await OnnxInference.open(MODELS)
    yield Reader(inference, labels)
    await inference.close()


class Unreachable(Inference):
    """A model server that is down."""

    async def infer(self, model: str, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Raises UpstreamError."""
        raise UpstreamError("the model server is down")


@pytest.fixture
def rules_reader(labels: Labels) -> Reader:
    """A reader whose model server is down."""
    return Reader(Unreachable(), labels)
