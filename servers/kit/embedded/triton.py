"""A real Triton inference server: the binary of the `nvidia-pytriton` wheel with our `onnxruntime` backend."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from servers.kit.embedded.process import Command
from servers.kit.embedded.progress import Progress
from servers.kit.embedded.supervisor import Service, supervised
from servers.kit.embedded.triton_environment import install
from servers.kit.embedded.triton_host import check_host, find_libpython

BACKENDS = Path(__file__).parent / "backends"

COMPLAINT = "failed to|error:"
HOST = "127.0.0.1"
FLAGS = (
    # Relative to the folder it runs in: Triton starts its Python processes through a shell without quoting paths.
    "--model-repository=models",
    "--backend-directory=backends",
    f"--grpc-address={HOST}",
    "--allow-http=false",
    "--allow-metrics=false",  # our own metrics time each inference, and gRPC answers ModelStatistics
    "--disable-auto-complete-config",  # our configurations are complete, and completing them starts each model twice
    "--pinned-memory-pool-byte-size=0",  # no GPU
    # By the time it is stopped nobody asks any more, and Triton checks only once a second whether it may end.
    "--exit-timeout-secs=0",
)


@asynccontextmanager
async def open_triton(
    home: Path,
    models: Path,
    progress: Progress,
    *,
    venv: Path | None = None,
    port: int | None = None,
    find: Callable[[], Path | None] = find_libpython,
) -> AsyncIterator[str]:
    """Runs Triton over the model repository `models`; its gRPC address, host:port.

    The first start installs some 300 MB into `venv` (default: `home`/triton/venv). Raises TritonUnavailable when it
    cannot run on this machine, StartError when it does not start, for instance because a model cannot be loaded.
    """
    libpython = check_host(find)
    folder = (home / "triton").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    logs = (home / "logs").absolute()
    venv = (venv or folder / "venv").absolute()
    site_packages = await install(venv, logs / "triton-install.log", progress)
    _assemble(folder, models, site_packages / "pytriton" / "tritonserver", libpython)

    address = f"{HOST}:{port or _free_port()}"
    environment = {
        # Its Python processes take their packages from the environment of the first python3 on the path.
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "LD_LIBRARY_PATH": f"{site_packages / 'nvidia_pytriton.libs'}:{folder / 'lib'}",
        "LC_ALL": "C.UTF-8",
    }
    server = site_packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"
    arguments: list[str | Path] = [server, *FLAGS, f"--grpc-port={address.partition(':')[2]}"]
    log = logs / "triton.log"
    progress("triton", "Loading the models")
    command = Command("Triton", arguments, log, [SIGTERM], environment, folder=folder, complaint=COMPLAINT)
    async with supervised(Service(command, lambda: _ready(address))):
        progress("triton", "Triton is ready", 1.0)
        yield address


def _assemble(folder: Path, models: Path, tritonserver: Path, libpython: Path) -> None:
    """Copies what Triton wants side by side: its Python backend with the stub of this Python, our backend, the models.

    libpython gets a folder of its own, for on the library path the one it lies in would bring all its neighbours.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = tritonserver / "backends" / "python"
    stub = "triton_python_backend_stub"
    files = {
        "backends/python/libtriton_python.so": python / "libtriton_python.so",
        "backends/python/triton_python_backend_utils.py": python / "triton_python_backend_utils.py",
        f"backends/python/{stub}": tritonserver / "python_backend_stubs" / version / stub,
        "backends/onnxruntime/model.py": BACKENDS / "onnxruntime" / "model.py",
        f"lib/{libpython.name}": libpython,
    }
    for name in ("backends", "lib"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)  # Triton refuses a backend that is a link out of its folder
    link = folder / "models"
    link.unlink(missing_ok=True)
    link.symlink_to(models.resolve())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _ready(address: str) -> bool:
    # A subchannel pool of its own: the shared one would remember the refused connection and wait before the next.
    async with grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            reply = await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=2)
        except grpc.aio.AioRpcError:
            return False
        return bool(reply.ready)
