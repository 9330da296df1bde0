"""Jobs go on by themselves when Postgres comes back, and none is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from servers.kit.errors import UpstreamError
from servers.kit.jobs import Jobs, Payload, worker
from servers.kit.postgres import Postgres
from tests.kit.mortal import Mortal


async def test_jobs_go_on_after_postgres_was_killed(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LAPSE", timedelta(seconds=2))
    postgres = await Postgres.open(mortal.url, 2)
    jobs, began, seen = Jobs(postgres, mortal.url), asyncio.Event(), asyncio.Queue[Payload]()

    async def slow(payload: Payload) -> None:
        if not began.is_set():
            began.set()
            await asyncio.sleep(60)  # until its claim is lost with the connection
        seen.put_nowait(payload)

    jobs.register("slow", slow)
    async with jobs.running():
        await jobs.enqueue("slow", {"number": 1})
        await began.wait()
        mortal.kill()
        async with asyncio.timeout(30):
            while True:
                try:
                    await jobs.enqueue("slow", {"number": 2})
                    break
                except UpstreamError:
                    await asyncio.sleep(0.1)
            assert {(await seen.get())["number"] for _ in range(2)} == {1, 2}
    await postgres.close()
