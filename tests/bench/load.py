"""An HTTP load from a process of its own: raw keep-alive sockets, so that measuring costs as little as can be.

Run as `python -m tests.bench.load`: reads a Load as JSON from standard input, writes a Report to standard output.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict, dataclass, field

import orjson
import uvloop

WARM_UP = 0.1  # of the requests are sent first and not counted


@dataclass
class Load:
    """`bodies` are sent in turn to `path`; `{n}` in a body is replaced by the request's number."""

    port: int
    path: str
    bodies: list[str]
    requests: int
    concurrency: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """Milliseconds of each request counted, sorted; requests a second; statuses other than 200."""

    latencies_ms: list[float]
    per_second: float
    failures: dict[str, int]

    def quantile(self, share: float) -> float:
        """The latency that `share` of the requests did not exceed, in milliseconds."""
        return self.latencies_ms[min(int(len(self.latencies_ms) * share), len(self.latencies_ms) - 1)]


async def run(load: Load) -> Report:
    """Runs a load in another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(orjson.dumps(asdict(load)))
    report = Report(**orjson.loads(out))
    if report.failures:
        raise RuntimeError(f"requests failed: {report.failures}")
    return report


async def _send(load: Load) -> Report:
    numbers = iter(range(load.requests + int(load.requests * WARM_UP)))
    counted_from = int(load.requests * WARM_UP)
    latencies: list[float] = []
    failures: dict[str, int] = {}
    began = 0.0
    headers = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())

    async def client() -> None:
        nonlocal began
        reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
        for number in numbers:
            if number == counted_from:
                began = time.perf_counter()
            body = load.bodies[number % len(load.bodies)].replace("{n}", str(number)).encode()
            head = (
                f"POST {load.path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{headers}"
                f"content-length: {len(body)}\r\n\r\n"
            )
            sent = time.perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            if number >= counted_from:
                latencies.append((time.perf_counter() - sent) * 1000)
            status = answer[9:12].decode()
            if status != "200":
                failures[status] = failures.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(load.concurrency)))
    return Report(sorted(latencies), load.requests / (time.perf_counter() - began), failures)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asdict(uvloop.run(_send(Load(**orjson.loads(sys.stdin.buffer.read())))))))
