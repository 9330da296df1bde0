"""Whether the embedded Triton can run on this machine, and if not, why."""

from __future__ import annotations

import platform
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from servers.kit.embedded.process import StartError

PYTHONS = ((3, 11), (3, 12))  # requirements/triton.lock has packages for them, and Triton a stub
GLIBC = (2, 35)


class TritonUnavailable(StartError):
    """Triton cannot run on this machine; the message says why and, where something helps, what."""


def find_libpython() -> Path | None:
    """The shared library of this Python, which Triton's Python processes are linked to; None when there is none."""
    name = f"libpython{_python()}.so.1.0"
    folders = [sysconfig.get_config_var("LIBDIR"), Path(sys.base_prefix, "lib")]
    if multiarch := sysconfig.get_config_var("MULTIARCH"):
        folders += [folder and Path(folder, multiarch) for folder in tuple(folders)]
        folders += [Path("/usr/lib", multiarch), Path("/lib", multiarch)]
    candidates = (Path(folder, name) for folder in folders if folder)
    return next((path.resolve() for path in candidates if path.is_file()), None)


def check_host(find: Callable[[], Path | None] = find_libpython) -> Path:
    """The path of libpython. Raises TritonUnavailable when Triton cannot run here."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise TritonUnavailable(
            f"Triton runs on x86-64 Linux only; this is {platform.system()} on {platform.machine()}"
        )
    name, version = platform.libc_ver()
    if name != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < GLIBC:
        wanted = ".".join(map(str, GLIBC))
        raise TritonUnavailable(
            f"Triton needs glibc {wanted} or newer; this is {name or 'another C library'} {version}"
        )
    python = _python()
    if sys.version_info[:2] not in PYTHONS:
        wanted = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        raise TritonUnavailable(f"Triton needs Python {wanted}; this is {python}")
    library = find()
    if library is None:
        raise TritonUnavailable(
            f"Triton needs the shared library of Python {python}, which is not installed "
            f"(Debian, Ubuntu: apt install libpython{python})"
        )
    return library


def _python() -> str:
    return ".".join(map(str, sys.version_info[:2]))
