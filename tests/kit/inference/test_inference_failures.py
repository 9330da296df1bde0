"""What is particular to one adapter: Triton gone and back, time that runs out, models that cannot be loaded."""

import asyncio
import shutil
import socket
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from servers.kit.call import Call, serving
from servers.kit.embedded.progress import silent
from servers.kit.embedded.triton import open_triton
from servers.kit.errors import Timeout, UpstreamError
from servers.kit.inference.onnx import OnnxInference
from servers.kit.inference.triton import TritonInference

MODELS = Path(__file__).parent / "models"
INPUTS = {"ids": np.array([[1]], np.int64), "weight": np.ones((1, 1), np.float32)}


async def test_no_triton():
    inference = TritonInference("127.0.0.1:1")
    with pytest.raises(UpstreamError, match="cannot be reached"):
        await inference.infer("lookup", INPUTS, ["total"])
    assert not await inference.ready("lookup")
    await inference.close()


async def forever(inference):
    while True:
        await inference.infer("lookup", INPUTS, ["total"])


async def test_a_triton_that_comes_back(tmp_path, triton_venv):
    """The same adapter fails at once while Triton is gone, and works again without being told."""
    async with open_triton(tmp_path, MODELS, silent, venv=triton_venv) as url:
        inference = TritonInference(url)
        assert await inference.infer("lookup", INPUTS, ["total"])
        port = url.split(":")[1]
        next(child for child in psutil.Process().children() if f"--grpc-port={port}" in child.cmdline()).kill()
        with pytest.raises(UpstreamError, match="cannot be reached"):
            await forever(inference)
        while True:
            if await inference.ready("lookup"):
                break
            await asyncio.sleep(0.05)
        assert await inference.infer("lookup", INPUTS, ["total"])
        await inference.close()


async def test_a_triton_that_does_not_answer():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        inference = TritonInference(f"127.0.0.1:{mute.getsockname()[1]}")
        with serving(Call(None, {}, time.monotonic() + 0.3)), pytest.raises(Timeout):
            await inference.infer("lookup", INPUTS, ["total"])
        await inference.close()


async def test_time_runs_out_while_all_threads_are_busy():
    inference = await OnnxInference.open(MODELS)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    for _ in range(2):
        inference._pool.submit(lambda: asyncio.run_coroutine_threadsafe(release.wait(), loop).result())
    with serving(Call(None, {}, time.monotonic() + 0.2)), pytest.raises(Timeout):
        await inference.infer("lookup", INPUTS, ["total"])
    release.set()
    assert await inference.infer("lookup", INPUTS, ["total"])
    await inference.close()


async def test_a_broken_model_is_named(tmp_path):
    shutil.copytree(MODELS / "lookup", tmp_path / "lookup")
    (tmp_path / "lookup" / "1" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(UpstreamError, match="model lookup cannot be loaded"):
        await OnnxInference.open(tmp_path)


async def test_batches_are_formed(triton_url):
    """Many requests at once reach the model in fewer runs, as Triton's own statistics tell."""
    import grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    inference = TritonInference(triton_url)
    async with grpc.aio.insecure_channel(triton_url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

        async def counts():
            reply = await stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name="lookup"))
            return reply.model_stats[0].inference_count, reply.model_stats[0].execution_count

        inferences, runs = await counts()
        await asyncio.gather(*(inference.infer("lookup", INPUTS, ["total"]) for _ in range(800)))
        inferences_after, runs_after = await counts()
    assert inferences_after - inferences == 800
    assert runs_after - runs < 800
    await inference.close()
