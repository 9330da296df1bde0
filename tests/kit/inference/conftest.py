"""One Triton for the tests of the adapters, over the models that lie beside them."""

from pathlib import Path

import pytest

from servers.kit.embedded.progress import silent
from servers.kit.embedded.triton import open_triton
from servers.kit.inference.coalescing import Coalescing
from servers.kit.inference.onnx import OnnxInference
from servers.kit.inference.triton import TritonInference
from servers.kit.settings import read_settings

MODELS = Path(__file__).parent / "models"


@pytest.fixture(scope="session")
def triton_venv():
    settings = read_settings()
    return settings.triton_venv or settings.home.absolute() / "triton" / "venv"


@pytest.fixture(scope="session")
async def triton_url(tmp_path_factory, triton_venv):
    async with open_triton(tmp_path_factory.mktemp("triton"), MODELS, silent, venv=triton_venv) as url:
        yield url


@pytest.fixture(params=["triton", "coalescing", "onnx"])
async def inference(request, triton_url):
    match request.param:
        case "triton":
            adapter = TritonInference(triton_url)
        case "coalescing":
            adapter = Coalescing(TritonInference(triton_url))
        case _:
            adapter = await OnnxInference.open(MODELS)
    yield adapter
    await adapter.close()
