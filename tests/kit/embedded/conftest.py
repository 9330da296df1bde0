"""What the tests of the embedded services share."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from servers.kit.settings import read_settings

MODELS = Path(__file__).parents[1] / "inference" / "models"

# Opens one service under a home folder, says so, and waits to be killed.
HOLD = """
import asyncio, sys
from importlib import import_module
from pathlib import Path
from servers.kit.embedded.progress import silent

async def hold(name, home):
    service = getattr(import_module(f"servers.kit.embedded.{name}"), f"open_{name}")
    async with service(Path(home), silent) as url:
        print(url, flush=True)
        await asyncio.sleep(600)

asyncio.run(hold(*sys.argv[1:]))
"""


@pytest.fixture
def models():
    return MODELS


@pytest.fixture
def triton_venv():
    settings = read_settings()
    return settings.triton_venv or settings.home.absolute() / "triton" / "venv"


@pytest.fixture
def hold(tmp_path):
    """Command line of another process that keeps a service open: `hold("postgres", home)`."""
    script = tmp_path / "hold.py"
    script.write_text(HOLD)
    return lambda name, home: [sys.executable, str(script), name, str(home)]


@pytest.fixture
def child():
    """The child process of ours that runs the program `name`."""

    def find(name):
        return next(process for process in psutil.Process().children() if process.name().startswith(name))

    return find


@pytest.fixture
def until():
    """Waits until `condition()` holds."""

    async def wait(condition):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)

    return wait
