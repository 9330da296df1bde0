"""`salambot kb`, as a person runs it, against a running gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest
from rich.console import Console
from salambot.common.v1 import options_pb2
from typer.testing import CliRunner, Result

from gateway.app import create_app
from gateway.server import serving
from servers.cli import _app
from servers.commands import process
from servers.kit.platform import Platform
from tests.rag.serving import rag

REFUND = "# Remboursements\n\n## Délai {#delai}\nLe remboursement prend dix jours.\n"

Command = Callable[..., Awaitable[Result]]

_numbers = count()


@pytest.fixture(scope="module")
async def platform(stores: Path, database_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform that serves RAG and does its jobs; its home is that of the others over the same stores."""
    async with rag(database_url, redis_url, stores / "rag") as platform, platform.jobs.running():
        yield platform


@pytest.fixture(scope="module")
async def url(platform: Platform) -> AsyncIterator[str]:
    """The gateway's address."""
    async with serving(create_app(platform), "127.0.0.1", 0, drain_seconds=1) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def kb(platform: Platform, url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `salambot kb …` for a tenant of the test's own; `Result.output` holds standard output, `stderr` the rest."""
    tenant = f"kb-{next(_numbers)}"
    await platform.tenants.put(tenant, name=tenant, locale="fr-MA", settings={})
    scopes = [options_pb2.SCOPE_CHAT, options_pb2.SCOPE_KNOWLEDGE]
    monkeypatch.setenv("SALAMBOT_KEY", await platform.tenants.create_key(tenant, name="test", scopes=scopes))
    monkeypatch.setattr(process, "console", Console(stderr=True, highlight=False, width=200))

    async def run(*arguments: str, answer: str = "") -> Result:
        command = ["kb", *arguments, "--url", url, "--tenant", tenant]
        return await asyncio.to_thread(CliRunner().invoke, _app(), command, input=answer)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good files, a bad one, and one that is hidden."""
    (tmp_path / "faq").mkdir()
    (tmp_path / "faq" / "remboursement.md").write_text(REFUND)
    (tmp_path / "livraison.md").write_text("## Frais {#frais}\nLa livraison coûte trente dirhams.")
    (tmp_path / "casse.pdf").write_bytes(b"%PDF-1.7 nothing of a PDF follows")
    (tmp_path / ".secret.md").write_text("caché")
    return tmp_path


async def test_a_folder_is_imported_looked_at_searched_and_deleted(kb: Command, folder: Path) -> None:
    result = await kb("import", str(folder), "--source", "site", "--language", "fr", "--category", "faq")
    assert result.exit_code == 1, result.output + result.stderr
    assert "casse.pdf" in result.output
    assert "failed" in result.output
    assert "site: done, 2 taken, 1 failed, 2 passages" in result.output
    assert "secret" not in result.output

    (folder / "casse.pdf").unlink()
    again = await kb("import", str(folder), "--source", "site", "--language", "fr", "--category", "faq", "--prune")
    assert (again.exit_code, again.output.strip()) == (0, "site: done, 2 unchanged")

    listed = (await kb("list")).output
    [line] = [line for line in listed.splitlines() if "remboursement" in line]
    document = line.split()[0]
    assert "site" in line
    shown = (await kb("show", document)).output
    assert "#delai" in shown
    assert "Le remboursement prend dix jours." in shown
    assert [line.split()[:4] for line in (await kb("sources")).output.splitlines()[1:]] == [["site", "2", "0", "2"]]
    assert f"{document}#delai" in (await kb("search", "délai de remboursement")).output

    (folder / "livraison.md").unlink()
    pruned = await kb("import", str(folder), "--source", "site", "--language", "fr", "--category", "faq", "--prune")
    assert "site: done, 1 unchanged, 1 removed" in pruned.output
    assert "livraison.md" in pruned.output

    assert "Delete" in (await kb("delete", document, answer="n\n")).output
    assert document in (await kb("list")).output
    assert "deleted: 1" in (await kb("delete", "--source", "site", "--yes")).output
    assert "kb import" in (await kb("list")).output
    assert "nothing" in (await kb("search", "délai de remboursement")).output


async def test_a_file_that_cannot_be_sent_does_not_keep_the_others_back(kb: Command, folder: Path) -> None:
    (folder / "casse.pdf").unlink()
    (folder / "empty.md").touch()
    with (folder / "huge.md").open("wb") as huge:
        huge.truncate(100_000_000)
    result = await kb("import", str(folder), "--source", "site", "--language", "fr", "--prune")
    assert result.exit_code == 1
    assert "larger than 50 MB" in result.output
    assert "must not be empty" in result.output
    assert "site: done, 2 taken, 2 failed" in result.output


async def test_one_file_and_no_watching(kb: Command, folder: Path) -> None:
    begun = await kb("import", str(folder / "livraison.md"), "--language", "fr", "--no-watch")
    assert begun.exit_code == 0
    assert len(begun.output.strip()) == 32


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["import", "nowhere"], "no file and no folder"),
        (["import", "http://127.0.0.1:1/"], "not public"),
        (["import", "s3://bucket", "--endpoint", "http://localhost:1"], "not public"),
        (["import", "http://example.com", "--depth", "9"], "depth"),
        (["import", __file__, "--language", "de"], "language"),
        (["show", "nothing"], "there is no document"),
        (["delete"], "--source"),
        (["delete", "x", "--all"], "--source"),
    ],
)
async def test_what_is_wrong_is_told_in_a_line(kb: Command, arguments: list[str], mend: str) -> None:
    result = await kb(*arguments)
    assert result.exit_code == 1
    assert mend in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
