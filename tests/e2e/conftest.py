"""A whole installation, as `make run` starts it: gateway, all components, embedded Postgres, Redis and Triton."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
import pytest_asyncio
from salambot.common.v1 import options_pb2

from servers.demo import load_demo
from servers.kit.embedded.progress import silent
from servers.kit.envelope import new_id
from servers.kit.settings import read_settings
from servers.registry import COMPONENTS
from servers.runtime import Running, running

REPOSITORY = Path(__file__).parents[2]
ALL_SCOPES = [value for value in options_pb2.Scope.values() if value]


@dataclass(frozen=True)
class Installation:
    """A running installation with two tenants."""

    process: Running
    home: Path
    http: httpx.AsyncClient
    grpc: grpc.aio.Channel
    demo_key: str
    other_key: str

    def headers(self, key: str | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {key or self.demo_key}"}

    async def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers={**self.headers(key), **headers})

    async def say(self, text: str, **more: Any) -> dict[str, Any]:
        """Sends a message for the demo tenant and returns the reply's data."""
        response = await self.post("/v1/messages", message(text, **more))
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body["data"]  # type: ignore[no-any-return]

    def pid(self, program: str) -> int:
        """The process id of an embedded service of this installation: our child that runs it from its home."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                running = (folder / "exe").readlink().name
                places = (folder / "cmdline").read_bytes().decode(errors="replace"), str((folder / "cwd").readlink())
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            if parent == os.getpid() and running == program and str(self.home) in "".join(places):
                return int(folder.name)
        raise AssertionError(f"no {program} runs here")

    def kill(self, program: str) -> None:
        """Kills a service with all its processes: each embedded one leads a session of its own."""
        os.killpg(self.pid(program), signal.SIGKILL)


def message(text: str, *, tenant: str = "demo", channel: str = "facebook", **data: Any) -> dict[str, Any]:
    """A message's flat envelope, with an id of its own."""
    message_id = data.pop("message_id", None) or new_id("msg")
    return {"tenant": tenant, "channel": channel, "message_id": message_id, "data": {"user_text": text, **data}}


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="salambot-") as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="session")
async def salambot(home: Path) -> AsyncIterator[Installation]:
    # Triton's environment (300 MB) is shared by all runs of this checkout.
    venv = os.environ.get("SALAMBOT_TRITON_VENV", str(REPOSITORY / ".salambot" / "triton" / "venv"))
    settings = read_settings(home=home, http_port=0, grpc_port=0, triton_venv=Path(venv), drain_seconds=1)
    async with running(settings, COMPONENTS, gateway=True, grpc=True, progress=silent) as process:
        demo_key = await load_demo(process.platform, home, silent)
        tenants = process.platform.tenants
        await tenants.put("other", name="Other", locale="ar-MA", settings={})
        other_key = await tenants.create_key("other", name="test", scopes=ALL_SCOPES)
        base = f"http://127.0.0.1:{process.http_port}"
        async with (
            httpx.AsyncClient(base_url=base, timeout=35) as http,
            grpc.aio.insecure_channel(f"127.0.0.1:{process.grpc_port}") as channel,
        ):
            yield Installation(process, home, http, channel, demo_key, other_key)
