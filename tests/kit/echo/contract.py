"""The generated code of echo.proto, made when the tests begin."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from grpc_tools import protoc

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def compile_echo(folder: Path) -> tuple[ModuleType, ModuleType]:
    """The modules of the messages and of the stubs."""
    status = protoc.main(
        [
            "protoc",
            *(f"-I{path}" for path in (HERE, ROOT / "proto", ROOT / "third_party" / "proto")),
            f"-I{Path(protoc.__file__).parent / '_proto'}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            "echo.proto",
        ]
    )
    assert status == 0
    sys.path.insert(0, str(folder))
    return import_module("echo_pb2"), import_module("echo_pb2_grpc")
