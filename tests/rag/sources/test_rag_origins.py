"""Imports from a web site, a folder and a bucket, through the wire."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from rag_client import Client
from salambot.rag.v1 import import_pb2
from starlette.requests import Request
from starlette.responses import Response

from servers.kit.errors import InvalidInput
from servers.rag.imports import importer
from tests.awaiting import until
from tests.rag.sources.conftest import S3, Site

FRENCH = import_pb2.DocumentDefaults(language="LANGUAGE_FR")
REFUND = "Le remboursement prend dix jours."
DELIVERY = "La livraison coûte trente dirhams."
_OUTCOMES = import_pb2.ItemOutcome


def _page(title: str, text: str, *links: str) -> str:
    anchors = "".join(f'<a href="{link}">plus</a>' for link in links)
    body = f"<article><h1>{title}</h1><p>{text} {'Nos conseillers répondent tous les jours. ' * 5}</p></article>"
    return f"<!doctype html><html><head><title>{title}</title></head><body>{body}{anchors}</body></html>"


async def _import(client: Client, **origin: object) -> tuple[import_pb2.ImportJob, dict[str, str]]:
    """An import to its end, and what became of each item."""
    asked = {"source": "site", "origin": import_pb2.Origin(**origin), "defaults": FRENCH, "prune": True}
    job = (await client.watch((await client.call("StartImport", **asked)).job))[-1]
    report = await client.report(job)
    return job, {item.name: _OUTCOMES.Name(item.outcome).removeprefix("ITEM_OUTCOME_").lower() for item in report}


async def test_a_site_and_the_pages_it_links_to(client: Client, stranger: Client, site: Site) -> None:
    site.pages |= {
        "/robots.txt": "User-agent: *\nDisallow: /staff",
        "/": _page("Accueil", REFUND, "/livraison", "/staff/salaires", "/nulle-part"),
        "/livraison": _page("Livraison", DELIVERY),
        "/staff/salaires": _page("Salaires", "Secret."),
    }
    origin = {"web": import_pb2.WebPages(url=f"{site.url}/", depth=1)}
    job, outcomes = await _import(client, **origin)
    assert outcomes == {
        f"{site.url}/": "taken",
        f"{site.url}/livraison": "taken",
        f"{site.url}/staff/salaires": "skipped",
        f"{site.url}/nulle-part": "skipped",
    }
    assert (job.taken, job.skipped, job.failed) == (2, 2, 0)
    found = await client.retrieve("frais de livraison")
    assert found.citations[0].url == f"{site.url}/livraison"
    assert not any("Secret" in passage for passage in found.passages)
    assert "/staff/salaires" not in site.asked
    assert not (await stranger.page()).documents

    site.pages |= {
        "/": _page("Accueil", REFUND, "/livraison", "/nouveau"),
        "/livraison": _page("Livraison", DELIVERY.replace("trente", "vingt")),
        "/nouveau": _page("Nouveau", "Nous ouvrons une agence à Fès."),
    }
    assert (await _import(client, **origin))[0].taken == 3
    assert "vingt dirhams" in (await client.retrieve("frais de livraison")).passages[0]

    del site.pages["/livraison"]  # though the first page still leads there
    job, outcomes = await _import(client, **origin)
    assert (job.unchanged, job.removed) == (2, 1)
    assert outcomes[f"{site.url}/livraison"] == "removed"
    assert not [one for one in (await client.retrieve("frais de livraison")).passages if "vingt" in one]


async def test_listing_a_site_is_cancelled_too(client: Client, site: Site) -> None:
    site.pages["/"] = _page("Accueil", REFUND, *(f"/{number}" for number in range(20)))
    site.pages |= {f"/{number}": _page(f"Page {number}", DELIVERY) for number in range(20)}
    origin = import_pb2.Origin(web=import_pb2.WebPages(url=f"{site.url}/", depth=2))
    job = (await client.call("StartImport", source="site", origin=origin, defaults=FRENCH)).job

    async def listing() -> bool:
        return bool((await client.call("GetImport", id=job.id)).job.items)

    await until(listing)
    cancelled = (await client.call("CancelImport", id=job.id)).job
    assert not cancelled.listed
    await asyncio.sleep(2)
    asked = len(site.asked)
    await asyncio.sleep(1)
    assert len(site.asked) == asked < 20
    assert not (await client.page()).documents


async def test_nothing_is_pruned_behind_a_page_that_fails(
    client: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PATIENCE", 1)

    async def broken(_request: Request) -> Response:
        return Response("later", 503)

    site.pages |= {"/": _page("Accueil", REFUND, "/aide"), "/aide": _page("Aide", DELIVERY, "/suite")}
    site.pages["/suite"] = _page("Suite", "Les retours sont gratuits.")
    origin = {"web": import_pb2.WebPages(url=f"{site.url}/", depth=2)}
    assert (await _import(client, **origin))[0].taken == 3
    site.pages["/aide"] = broken
    job, _ = await _import(client, **origin)
    assert (job.failed, job.removed) == (1, 0)
    assert "nothing was removed" in job.problem
    assert len((await client.page()).documents) == 3


async def test_a_folder_that_is_open_and_nothing_beside_it(client: Client, stores: Path, tmp_path: Path) -> None:
    root = stores / "open" / client.tenant
    (root / "faq").mkdir(parents=True)
    (root / "faq" / "a.md").write_text(REFUND)
    (root / "b.txt").write_text(DELIVERY)
    (root / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    folder = {"folder": import_pb2.Folder(path=str(root))}
    job, outcomes = await _import(client, **folder)
    assert outcomes == {"b.txt": "taken", "faq/a.md": "taken", "photo.png": "skipped"}
    (root / "b.txt").unlink()
    job, outcomes = await _import(client, **folder)
    assert outcomes == {"faq/a.md": "unchanged", "photo.png": "skipped", "b.txt": "removed"}
    assert (job.unchanged, job.skipped, job.removed) == (1, 1, 1)
    for path in (tmp_path, root / ".." / ".." / ".."):
        with pytest.raises(InvalidInput, match="not open"):
            await _import(client, folder=import_pb2.Folder(path=str(path)))
    (root / "faq" / "a.md").unlink()
    (root / "photo.png").unlink()
    job, outcomes = await _import(client, **folder)
    assert (job.state, outcomes) == (import_pb2.IMPORT_STATE_FAILED, {})
    assert "no documents" in job.problem
    assert len((await client.page()).documents) == 1, "an empty folder is more likely a wrong one"


async def test_a_bucket_whose_credentials_are_seen_by_nobody(
    client: Client, s3: S3, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    s3.put("guides/a.md", REFUND.encode())
    s3.put("guides/b.md", DELIVERY.encode())
    s3.put("other.md", b"Autre chose.")
    keys = {"access_key": "AKIA-of-the-shop", "secret_key": "sesame-open"}
    bucket = import_pb2.Bucket(url=f"s3://{s3.bucket}/guides", endpoint=s3.endpoint, **keys)
    asked = {"source": "site", "origin": import_pb2.Origin(bucket=bucket), "defaults": FRENCH}
    begun = (await client.call("StartImport", **asked)).job
    steps = await client.watch(begun)
    assert (steps[-1].state, steps[-1].taken) == (import_pb2.IMPORT_STATE_DONE, 2)
    for job in (begun, *steps, (await client.call("GetImport", id=begun.id)).job):
        assert (job.origin.bucket.url, job.origin.bucket.access_key, job.origin.bucket.secret_key) == (
            bucket.url,
            "",
            "",
        )
    async with client.platform.postgres.tenant(client.tenant) as connection:
        rows = await connection.fetch("SELECT origin, credentials FROM rag_imports")
        waiting = await connection.fetch("SELECT convert_from(payload, 'UTF8') AS told FROM pgqueuer")
    assert [row["credentials"] for row in rows] == [None]
    assert b"sesame" not in rows[0]["origin"]
    assert not [row for row in waiting if "sesame" in row["told"]]
    assert "sesame" not in caplog.text + "".join(capfd.readouterr())
    assert {one.origin for one in (await client.page()).documents} == {"a.md", "b.md"}


@pytest.mark.parametrize(
    "origin",
    [
        {"web": import_pb2.WebPages(url="https://user:sesame@shop.example/")},
        {"bucket": import_pb2.Bucket(url="s3://bucket", endpoint="https://user:sesame@s3.example")},
        {"web": import_pb2.WebPages(url="https://[x/")},
        {"bucket": import_pb2.Bucket(url="s3://bucket", endpoint="https://[x")},
    ],
)
async def test_what_is_no_address_or_holds_credentials_is_refused(client: Client, origin: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="must") as refusal:
        await _import(client, **origin)
    assert "sesame" not in refusal.value.message
    assert not (await client.call("ListImports")).jobs
