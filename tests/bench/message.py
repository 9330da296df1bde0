"""The whole message: HTTP in, NLU, retrieval, extractive reply, turn stored, HTTP out; everything real, one process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
from pathlib import Path

import orjson
import uvloop

from servers.demo import load_demo
from servers.kit.embedded.progress import silent
from servers.kit.settings import read_settings
from servers.registry import COMPONENTS
from servers.runtime import running
from tests.bench import load
from tests.bench.load import Load
from tests.bench.processes import serving
from tests.bench.result import Result

CONCURRENCY, REQUESTS, ROUNDS = 16, 3000, 3
TRITON = Path(__file__).parents[2] / ".salambot" / "triton" / "venv"  # shared with the tests: 300 MB
CORPUS = Path(__file__).parents[2] / "training" / "corpora" / "intents"
BASELINE = 310  # messages/s of a LangGraph service on such a machine, without storing


async def message() -> list[Result]:
    """The median round."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALAMBOT_HOME"] = folder
        try:
            async with serving("tests.bench.message") as port:
                key = (Path(folder) / "demo.key").read_text().strip()
                bodies = _bodies()
                reports = []
                for number in range(ROUNDS):
                    marked = [body.replace("{n}", f"{number}-{{n}}") for body in bodies]
                    headers = {"authorization": f"Bearer {key}"}
                    reports.append(await load.run(Load(port, "/v1/messages", marked, REQUESTS, CONCURRENCY, headers)))
        finally:
            del os.environ["SALAMBOT_HOME"]
    report = sorted(reports, key=lambda item: item.per_second)[ROUNDS // 2]
    rate, p95 = report.per_second, report.quantile(0.95)
    return [
        Result("message.throughput_c16", round(rate), "messages/s", "LangGraph, nothing stored (quoted)", BASELINE, rate / BASELINE, "≥ 300/s", rate >= 300),
        Result("message.latency_p95_c16", round(p95, 1), "ms", "", None, None, "≤ 100 ms", p95 <= 100),
    ]  # fmt: skip


def _bodies() -> list[str]:
    """Sentences of the corpus in all languages and intents: no two in a row are alike."""
    lines = [line for file in sorted(CORPUS.glob("*.tsv")) for line in file.read_text().splitlines()]
    random.Random(7).shuffle(lines)
    return [
        orjson.dumps(
            {
                "tenant": "demo",
                "channel": "facebook",
                "message_id": "m{n}",
                "data": {"user_text": line.split("\t")[3], "user_id": f"customer-{number % 200}"},
            }
        ).decode()
        for number, line in enumerate(lines)
    ]


async def _main() -> None:
    settings = read_settings(http_port=0, grpc_port=0, log_level="error", triton_venv=TRITON)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with running(settings, COMPONENTS, gateway=True, grpc=True, progress=silent) as process:
        await load_demo(process.platform, settings.home, silent)
        print(process.http_port, flush=True)
        await stopped.wait()


if __name__ == "__main__":
    uvloop.run(_main())
