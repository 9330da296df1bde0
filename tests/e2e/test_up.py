"""`salambot up` as a person runs it: the banner, the example, chat, doctor, one trace a message, Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.e2e.collector import Collector, collecting
from tests.e2e.conftest import REPOSITORY, message

pytestmark = pytest.mark.xdist_group("up")

LIMIT_S = 170  # a first start may install Triton


@dataclass(frozen=True)
class Up:
    """A running `salambot up`."""

    process: asyncio.subprocess.Process
    home: Path
    environment: dict[str, str]
    banner: str
    collector: Collector

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Another command of the same installation: its exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "servers", *arguments,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode()


@pytest_asyncio.fixture(scope="module")
async def up() -> AsyncIterator[Up]:
    with tempfile.TemporaryDirectory(prefix="salambot-") as folder:
        async with collecting() as collector:
            venv = REPOSITORY / ".salambot" / "triton" / "venv"
            environment = {
                "SALAMBOT_TRITON_VENV": str(venv),
                **os.environ,
                "SALAMBOT_HOME": folder,
                "SALAMBOT_HTTP_PORT": "0",
                "SALAMBOT_GRPC_PORT": "0",
                "SALAMBOT_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
                "OTEL_BSP_SCHEDULE_DELAY": "100",
                "COLUMNS": "200",
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "servers", "up",
                env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            assert process.stdout is not None
            banner = ""
            async with asyncio.timeout(LIMIT_S):
                while "Ctrl-C" not in banner:
                    line = await process.stdout.readline()
                    assert line, f"salambot up ended:\n{banner}"
                    banner += line.decode()
            draining = asyncio.create_task(process.stdout.read())
            yield Up(process, Path(folder), environment, banner, collector)
            if process.returncode is None:
                process.kill()
                await process.wait()
            await draining


async def test_the_banner_says_all_one_needs(up: Up) -> None:
    key = (up.home / "demo.key").read_text().strip()
    assert key in up.banner
    assert (up.home / "demo.key").stat().st_mode & 0o077 == 0
    [base] = set(re.findall(r"http://127\.0\.0\.1:\d+(?=/v1/messages)", up.banner))
    async with httpx.AsyncClient(base_url=base, headers={"authorization": f"Bearer {key}"}, timeout=30) as http:
        answered = await http.post("/v1/messages", json=message("salam 3afak fin n9der nshouf la facture ?"))
        assert answered.json()["data"]["citations"][0]["loc"] == "#voir-facture"
        trace = await _trace_of(up.collector, answered.json()["correlation_id"])
    names = [span.name for span in trace]
    assert len({span.trace_id for span in trace}) == 1
    assert any("/v1/messages" in name for name in names)
    for rpc in ("orchestrator.v1.OrchestratorService/SendMessage", "nlu.v1.NLUService/Analyze", "rag.v1.RAGService/Retrieve", "llm.v1.LLMService/Generate"):  # fmt: skip
        assert f"salambot.{rpc}" in names
    scopes = " ".join(
        f"{attribute.key}={attribute.value.string_value}" for span in trace for attribute in span.attributes
    )
    assert "db.system=postgresql" in scopes
    assert "facture" not in scopes, "spans hold names and codes, never a customer's text"


async def _trace_of(collector: Collector, correlation_id: str) -> list[object]:
    """The spans of the trace of a message, once they have all come."""
    async with asyncio.timeout(20):
        while True:
            traces = {
                span.trace_id
                for span in collector.spans
                for attribute in span.attributes
                if attribute.value.string_value == correlation_id
            }
            spans = [span for span in collector.spans if span.trace_id in traces]
            if any("/v1/messages" in span.name for span in spans):  # the outermost ends last
                return spans
            await asyncio.sleep(0.05)


async def test_chat_streams_a_reply(up: Up) -> None:
    status, out = await up.run("chat", "-m", "Comment payer ma facture ?")
    assert status == 0, out
    assert "facture" in out
    assert "bill_pay" in out
    assert "#payer-facture" in out


async def test_doctor_finds_everything_well(up: Up) -> None:
    status, out = await up.run("doctor")
    assert status == 0, out
    for name in ("postgres", "redis", "gateway", "orchestrator"):
        assert re.search(rf"✓\s+{name}", out), out
    assert re.search(r"–\s+ticketing\s+not built yet", out)


async def test_tenants_from_the_command_line(up: Up) -> None:
    assert (await up.run("tenant", "create", "shop", "--name", "Shop"))[0] == 0
    status, key = await up.run("tenant", "key", "shop", "--scope", "chat")
    assert status == 0
    assert key.startswith("sk_")
    assert (await up.run("tenant", "create", "shop"))[0] == 1


async def test_a_second_one_in_the_same_home_says_why_not(up: Up) -> None:
    status, out = await up.run("up")
    assert status == 1
    assert "another SalamBot is running" in out


async def test_ctrl_c_stops_it_and_leaves_nothing(up: Up) -> None:
    up.process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(up.process.wait(), 30) == 0
    left = [
        folder.name
        for folder in Path("/proc").glob("[0-9]*")
        if str(up.home).encode() in ((folder / "cmdline").read_bytes() if (folder / "cmdline").exists() else b"")
    ]
    assert not left
    status, out = await up.run("doctor")
    assert status == 1
    assert "start `salambot up`" in out
