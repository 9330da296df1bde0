"""`salambot kb move`: a tenant's vectors, from one store to another."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from servers.commands.process import console, run
from servers.kit.cache import Cache
from servers.kit.changes import Changes
from servers.kit.credentials import Signer
from servers.kit.errors import InvalidInput
from servers.kit.inference.onnx import OnnxInference
from servers.kit.postgres import Postgres
from servers.kit.settings import Settings
from servers.kit.tenants import Tenants
from servers.kit.vectors.stores import VectorStores
from servers.rag.embedding import Embedder
from servers.rag.placement import Placements
from servers.rag.placement.move import Move
from servers.state import read


def move(
    tenant: Annotated[str, typer.Argument(help="The tenant to move.")],
    to: Annotated[str, typer.Option(help="Where to: pgvector, milvus or qdrant.")],
) -> None:
    """Move a tenant's vectors to another store, while it is served; run again, it goes on where it was cut off."""

    async def work(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            await _move(stack, settings, tenant, to)

    run(work)


async def _move(stack: AsyncExitStack, settings: Settings, tenant: str, to: str) -> None:
    state = read(settings.home)
    database = settings.database_url or (state.database if state else None)
    redis = settings.redis_url or (state.redis if state else None)
    if database is None or redis is None:
        raise InvalidInput(
            "nothing serves from this home folder: start `salambot up`, or set SALAMBOT_DATABASE_URL and SALAMBOT_REDIS_URL"
        )
    postgres = await Postgres.open(database, connections=4)
    stack.push_async_callback(postgres.close)
    await Tenants(postgres, Signer("")).get(tenant)
    cache = Cache.open(redis)
    stack.push_async_callback(cache.close)
    stores = VectorStores.of(settings, postgres)
    stack.push_async_callback(stores.close)
    inference = await OnnxInference.open(settings.models)
    stack.push_async_callback(inference.close)

    placements = Placements(postgres, Changes(cache), stores.default)
    move = Move(postgres, stores, placements, Embedder(inference))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{tenant} → {to}", total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)
            if done == total:
                progress.update(task, description=f"{tenant} → {to}: waiting until every process knows")

        count = await move.run(tenant, to, told)
    console.print(f"{tenant} is in {to}: {count} passages copied and read back")
