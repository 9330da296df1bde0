"""The embedded Triton: where it can run, how it is installed, started and started again."""

import asyncio
import shutil
import sys

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from servers.kit.embedded import triton_host
from servers.kit.embedded.process import StartError
from servers.kit.embedded.progress import silent
from servers.kit.embedded.triton import open_triton
from servers.kit.embedded.triton_environment import STAMP, install
from servers.kit.embedded.triton_host import TritonUnavailable, check_host


async def ready(url):
    async with grpc.aio.insecure_channel(url, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            return (await stub.ModelReady(service_pb2.ModelReadyRequest(name="lookup"), timeout=1)).ready
        except grpc.aio.AioRpcError:
            return False


async def when_ready(url):
    while True:
        if await ready(url):
            return
        await asyncio.sleep(0.05)


async def test_it_serves_and_is_started_again_when_it_is_killed(tmp_path, models, triton_venv, child):
    async with open_triton(tmp_path / "a folder with 'quotes' & spaces", models, silent, venv=triton_venv) as url:
        assert await ready(url)
        server = child("tritonserver")
        stubs = server.children()
        assert stubs
        server.kill()
        server.wait()
        await when_ready(url)
        assert child("tritonserver").pid != server.pid
    assert url.startswith("127.0.0.1:")
    assert not await ready(url)


async def test_a_model_that_cannot_be_loaded_is_named(tmp_path, models, triton_venv):
    shutil.copytree(models, tmp_path / "models")
    (tmp_path / "models" / "lookup" / "1" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(StartError, match=r"(?s)Triton ended while starting.*lookup"):
        async with open_triton(tmp_path, tmp_path / "models", silent, venv=triton_venv):
            pass


async def test_a_configuration_that_does_not_fit_its_model(tmp_path, models, triton_venv):
    shutil.copytree(models / "lookup", tmp_path / "models" / "lookup")
    config = tmp_path / "models" / "lookup" / "config.pbtxt"
    config.write_text(config.read_text().replace('"ids"', '"tokens"'))
    with pytest.raises(StartError, match="has no input tokens: it has ids, weight"):
        async with open_triton(tmp_path, tmp_path / "models", silent, venv=triton_venv):
            pass


async def test_an_environment_that_is_there_is_used_at_once(tmp_path, triton_venv):
    await install(triton_venv, tmp_path / "log", silent)
    steps = []
    site_packages = await install(triton_venv, tmp_path / "log", lambda *step: steps.append(step))
    assert (site_packages / "pytriton").is_dir()
    assert not steps


async def test_packages_that_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(TritonUnavailable, match=r"(?s)could not be installed.*No matching distribution"):
        await install(tmp_path / "venv", tmp_path / "log", silent)
    assert (tmp_path / "venv" / STAMP).read_text() == "", "the next start must build it again"


async def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "precious").touch()
    with pytest.raises(TritonUnavailable, match="not made by SalamBot"):
        await install(tmp_path / "venv", tmp_path / "log", silent)
    assert (tmp_path / "venv" / "precious").exists()


def test_this_machine_or_why_not(monkeypatch):
    monkeypatch.setattr(triton_host.platform, "libc_ver", lambda: ("glibc", "2.31"))
    with pytest.raises(TritonUnavailable, match=r"glibc 2\.35 or newer; this is glibc 2\.31|x86-64 Linux only"):
        check_host()


@pytest.mark.parametrize(("platform", "machine"), [("darwin", "arm64"), ("linux", "aarch64"), ("darwin", "x86_64")])
def test_machines_without_triton(monkeypatch, platform, machine):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(triton_host.platform, "machine", lambda: machine)
    with pytest.raises(TritonUnavailable, match=f"x86-64 Linux only.*{machine}"):
        check_host()


def test_a_python_without_packages(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(TritonUnavailable, match=r"needs Python 3\.11 or 3\.12; this is 3\.14"):
        check_host()


def test_a_python_without_its_shared_library():
    with pytest.raises(TritonUnavailable, match="apt install libpython3"):
        check_host(lambda: None)
