"""Imports go on by themselves after whatever cut them off, and take everything once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rag_client import Client
from salambot.rag.v1 import import_pb2, rag_pb2

from servers.kit.blobs import Blobs
from servers.kit.errors import UpstreamError
from servers.kit.jobs import worker
from servers.kit.platform import Platform
from servers.rag.imports import importer
from servers.rag.uploads.store import Store as Uploads
from tests.awaiting import until
from tests.kit.mortal import Mortal, mortal
from tests.rag.serving import rag

ROOT = Path(__file__).parents[2]
FRENCH = import_pb2.DocumentDefaults(language="LANGUAGE_FR")

__all__ = ["mortal"]


def _files(count: int, text: str = "réponse") -> dict[str, bytes]:
    return {
        f"f{number}.md": "\n".join(f"## Q{part} {{#q{part}}}\n{text} {number}.{part}" for part in range(5)).encode()
        for number in range(count)
    }


def _out_of_reach(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, tenant: str) -> Callable[[], None]:
    """Puts a method of a store out of reach for one tenant, until what is returned is called."""
    working, down = getattr(owner, name), [True]

    async def failing(store: Any, whose: str, *arguments: Any) -> Any:
        if down and whose == tenant:
            raise UpstreamError("the store is out of reach; try again later")
        return await working(store, whose, *arguments)

    monkeypatch.setattr(owner, name, failing)
    return down.clear


@pytest.mark.parametrize("fault", ["blobs.get", "blobs.put", "vectors.put"])
async def test_a_store_that_is_down_is_waited_for(
    client: Client, stranger: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    await client.take(_files(4, "avant"), defaults=FRENCH)
    ids = [await client.upload(name, content) for name, content in _files(4, "après").items()]
    store, _, method = fault.partition(".")
    up = _out_of_reach(monkeypatch, type(getattr(platform, store)), method, client.tenant)
    origin = import_pb2.Origin(files=import_pb2.Files(ids=ids))
    job = (await client.call("StartImport", source="guides", origin=origin, defaults=FRENCH)).job
    assert (await stranger.take(_files(4), defaults=FRENCH)).taken == 4
    waiting = (await client.call("GetImport", id=job.id)).job
    assert (waiting.state, waiting.failed) == (import_pb2.IMPORT_STATE_RUNNING, 0)
    up()
    done = (await client.watch(job))[-1]
    assert (done.state, done.taken, done.unchanged, done.failed) == (import_pb2.IMPORT_STATE_DONE, 4, 0, 0)
    await _check_whole(client, _files(4, "après"), version=2)


async def test_a_source_that_never_answers_fails_its_items_in_the_end(
    client: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PATIENCE", 2)
    ids = [await client.upload(name, content) for name, content in _files(2).items()]
    _out_of_reach(monkeypatch, Blobs, "get", client.tenant)
    origin = import_pb2.Origin(files=import_pb2.Files(ids=ids))
    job = (await client.call("StartImport", source="guides", origin=origin, defaults=FRENCH)).job
    done = (await client.watch(job))[-1]
    assert (done.state, done.failed, done.progress) == (import_pb2.IMPORT_STATE_DONE, 2, 1.0)
    assert "out of reach" in (await client.report(job))[0].reason


async def test_an_import_without_a_job_and_old_uploads_are_looked_after(client: Client, platform: Platform) -> None:
    """A job may be lost for good; the sweep finds the import, and what was sent for none."""
    job = await client.start(_files(3), defaults=FRENCH)
    await client.watch(job)
    forgotten = await client.upload("a.md", b"text")
    waiting = await client.upload("b.md", b"text")
    async with platform.postgres.tenant(client.tenant) as connection:
        await connection.execute("UPDATE rag_imports SET state = 1, ended_at = NULL")
        await connection.execute("UPDATE rag_files SET sent_at = now() - interval '25 hours' WHERE id = $1", forgotten)
    await platform.jobs.enqueue(importer.SWEEP, {})

    async def swept() -> bool:
        done = (await client.call("GetImport", id=job.id)).job.state == import_pb2.IMPORT_STATE_DONE
        return done and await Uploads(platform.postgres).held(client.tenant) == len(b"text")

    await until(swept)
    assert [file.id for file in await Uploads(platform.postgres).find(client.tenant, [forgotten, waiting])] == [waiting]


async def test_an_import_goes_on_after_its_process_was_killed(
    mortal: Mortal, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LAPSE", timedelta(seconds=2))
    command = [sys.executable, "-m", "tests.rag.serving", mortal.url, redis_url, str(tmp_path)]
    async with rag(mortal.url, redis_url, tmp_path) as platform:
        client, stranger = await _client(platform, "atlas"), await _client(platform, "rif")
        files = _files(80)
        job, theirs = await client.start(files, defaults=FRENCH), await stranger.start(_files(5), defaults=FRENCH)
        child = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            await until(lambda: _has_taken(client, job, 10))
        finally:
            child.kill()
            await child.wait()
        cut_off = (await client.call("GetImport", id=job.id)).job
        assert cut_off.state == import_pb2.IMPORT_STATE_RUNNING
        assert cut_off.taken < len(files), "it was killed too late to show anything"
        await _check_nothing_half_visible(client)
        async with platform.jobs.running():
            steps = await client.watch(job)
            assert all(step.progress >= cut_off.progress for step in steps)
            assert (steps[-1].taken, steps[-1].unchanged, steps[-1].failed) == (80, 0, 0)
            assert (await stranger.watch(theirs))[-1].taken == 5
        await _check_whole(client, files)
        await _check_whole(stranger, _files(5))


async def test_an_import_goes_on_after_postgres_was_killed(
    mortal: Mortal, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LAPSE", timedelta(seconds=2))
    async with rag(mortal.url, redis_url, tmp_path) as platform, platform.jobs.running():
        client = await _client(platform, "atlas")
        files = _files(60)
        job = await client.start(files, defaults=FRENCH)
        await until(lambda: _has_taken(client, job, 5))
        mortal.kill()

        async def done() -> bool:
            try:
                return bool((await client.call("GetImport", id=job.id)).job.state == import_pb2.IMPORT_STATE_DONE)
            except UpstreamError:
                return False

        await until(done)
        await _check_whole(client, files)


async def _client(platform: Platform, tenant: str) -> Client:
    await platform.tenants.put(tenant, name=tenant, locale="fr-MA", settings={})
    return Client(tenant, platform)


async def _has_taken(client: Client, job: import_pb2.ImportJob, count: int) -> bool:
    return bool((await client.call("GetImport", id=job.id)).job.taken >= count)


async def _check_nothing_half_visible(client: Client) -> None:
    """Every document is there with all its passages, or with none."""
    for document in (await client.page(200)).documents:
        passages = (await client.call("ListPassages", document=document.id)).passages
        assert len(passages) == (5 if document.state == rag_pb2.DOCUMENT_STATE_READY else 0)


async def _check_whole(client: Client, files: Mapping[str, bytes], version: int = 1) -> None:
    """Every file is one document with its five passages, in Postgres and in the vector store, and nothing else is."""
    documents = (await client.page(200)).documents
    assert sorted(document.origin for document in documents) == sorted(files)
    assert {(one.state, one.version, one.passage_count) for one in documents} == {
        (rag_pb2.DOCUMENT_STATE_READY, version, 5)
    }
    platform = client.platform
    held = Counter((match.payload["document"], match.payload["version"]) for match in await client.items())
    assert held == {(document.id, str(version)): 5 for document in documents}
    async with platform.postgres.tenant(client.tenant) as connection:
        assert await connection.fetchval("SELECT count(*) FROM rag_passages") == 5 * len(files)
