"""`salambot doctor`: what runs, what is missing, how to mend it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import version
from typing import Any

import asyncpg
import grpc
import grpc.aio
import httpx
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis.asyncio import Redis
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from servers.commands.process import run
from servers.kit.embedded.triton_host import find_libpython
from servers.kit.inference.triton import TritonInference
from servers.kit.settings import Settings
from servers.registry import COMPONENTS
from servers.state import State, read

Row = tuple[str, bool | None, str]
"""What was looked at; true: well, false: not well, None: not asked for; what to know, or how to mend it."""

_LIMIT_S = 3.0


def doctor() -> None:
    """Look at this installation. Ends with 1 when something that should run does not."""
    rows: list[Row] = []

    async def work(settings: Settings) -> None:
        rows.extend(_machine(settings))
        state = read(settings.home)
        if state is None:
            rows.append(("process", False, "nothing serves from this home folder: start `salambot up`"))
        else:
            rows.extend(await _services(state))

    run(work)
    table = Table("", "", "", box=None, show_header=False)
    for name, well, note in rows:
        table.add_row({True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]–[/]"}[well], name, escape(note))
    Console(highlight=False).print(table)
    if any(well is False for _, well, _ in rows):
        raise typer.Exit(1)


def _machine(settings: Settings) -> Iterable[Row]:
    yield "salambot", True, f"{version('salambot')}, Python {sys.version.split()[0]}, home {settings.home}"
    models = [folder.name for folder in settings.models.glob("*") if (folder / "1" / "model.onnx").exists()]
    yield "models", bool(models), ", ".join(sorted(models)) or f"no model in {settings.models}: run `make train`"
    library = find_libpython()
    if settings.triton_url is None and settings.embedded_triton:
        package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
        mend = f"Triton cannot run embedded without it, ONNX Runtime stands in: apt-get install {package}"
        yield "libpython", None if library is None else True, str(library) if library else mend
    llm = settings.llm_url or "SALAMBOT_LLM_URL is not set: replies are extractive, quoted from the knowledge"
    yield "model server", True if settings.llm_url else None, llm


async def _services(state: State) -> list[Row]:
    rows: list[Row] = [("process", True, f"pid {state.pid}")]
    rows.append(await _ask("postgres", lambda: _postgres(state.database), "see logs/postgres.log in the home folder"))
    rows.append(
        await _ask("redis", lambda: _redis(state.redis), "no cache and no limits until it is back; see logs/redis.log")
    )
    if state.triton is None:
        rows.append(("triton", None, f"ONNX Runtime serves the models in process: {state.without_triton}"))
    else:
        address = state.triton
        rows.append(
            await _ask("triton", lambda: _triton(address), "rules answer until it is back; see logs/triton.log")
        )
    if state.http:
        rows.append(await _ask("gateway", lambda: _gateway(state.http), "is the process busy or stopping?"))
    if state.grpc:
        rows.extend(await _components(state.grpc))
    return rows


async def _ask(name: str, question: Callable[[], Awaitable[str]], mend: str) -> Row:
    try:
        async with asyncio.timeout(_LIMIT_S):
            return name, True, await question()
    except Exception as error:  # whatever a driver raises, it does not answer
        return name, False, f"{error or type(error).__name__}: {mend}"


async def _postgres(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        text = await connection.fetchval("SELECT version()")
        return " ".join(str(text).split()[:2])
    finally:
        await connection.close()


async def _redis(url: str) -> str:
    redis = Redis.from_url(url)
    try:
        return f"Redis {(await redis.info('server'))['redis_version']}"
    finally:
        await redis.aclose()


async def _triton(address: str) -> str:
    triton = TritonInference(address)
    try:
        if not await triton.ready("encoder"):
            raise ConnectionError("the model nlu is not ready")
        return address
    finally:
        await triton.close()


async def _gateway(url: str) -> str:
    async with httpx.AsyncClient(base_url=url) as client:
        (await client.get("/healthz")).raise_for_status()
        return url


async def _components(address: str) -> list[Row]:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return [
            await _component(stub, component.name, component.full_name, component.built) for component in COMPONENTS
        ]


async def _component(stub: Any, name: str, service: str, built: bool) -> Row:
    try:
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=_LIMIT_S)
    except grpc.aio.AioRpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            return name, None, "not served by this process"
        return name, False, error.details() or error.code().name
    if not built:
        return name, None, "not built yet"
    serving = reply.status == health_pb2.HealthCheckResponse.SERVING
    return name, serving, "serving" if serving else "something it needs is out of reach: see /readyz"
