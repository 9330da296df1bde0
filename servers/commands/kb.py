"""`salambot kb`: a tenant's knowledge, looked at and kept through a running gateway."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from servers.commands.api import Api, run
from servers.commands.kb_import import import_
from servers.commands.kb_move import move
from servers.commands.kb_options import Tenant, Url
from servers.kit.errors import InvalidInput

app = typer.Typer(help="A tenant's knowledge: import, look, search, delete.", no_args_is_help=True)
app.command("import")(import_)
app.command("move")(move)

_WIDTH = 100  # of tables, where there is no terminal

Source = Annotated[str, typer.Option(help="Only this source.")]


@app.command("list")
def list_(source: Source = "", url: Url = "", tenant: Tenant = "demo") -> None:
    """List the documents."""

    async def work(api: Api) -> None:
        table = Table("document", "title", "language", "audience", "source", "passages", "state", box=None)
        async for document in api.pages("/v1/rag/documents", "documents", source=source):
            state = document["state"] + (f": {document['problem']}" if document["problem"] else "")
            table.add_row(
                document["id"], document["title"], document["language"], document["audience"], document["source"],
                str(document["passage_count"]), state,
            )  # fmt: skip
        _show(table, "no documents yet: salambot kb import FOLDER")

    run(url, tenant, work)


@app.command()
def show(
    document: Annotated[str, typer.Argument(help="Id of the document.")], url: Url = "", tenant: Tenant = "demo"
) -> None:
    """Show a document, passage by passage, as searches find it."""

    async def work(api: Api) -> None:
        found = (await api.get(f"/v1/rag/documents/{document}"))["document"]
        screen = _screen()
        screen.print(found["title"], style="bold", markup=False)
        facts = [found[name] for name in ("language", "category", "audience", "source", "origin", "media_type", "url")]
        facts += [f"version {found['version']}", found["state"], found["problem"], *found["warnings"]]
        screen.print(" · ".join(filter(None, facts)), style="dim", markup=False)
        async for passage in api.pages(f"/v1/rag/documents/{document}/passages", "passages"):
            screen.print()
            screen.print(f"{passage['loc']}  {passage['title']}", style="cyan", markup=False)
            screen.print(passage["text"], markup=False)

    run(url, tenant, work)


@app.command()
def sources(url: Url = "", tenant: Tenant = "demo") -> None:
    """List the sources that documents come from."""

    async def work(api: Api) -> None:
        table = Table("source", "documents", "unavailable", "passages", "last change", box=None)
        for source in (await api.get("/v1/rag/sources"))["sources"]:
            figures = [str(source[name]) for name in ("documents", "unavailable", "passages")]
            table.add_row(source["name"] or "(none)", *figures, source["updated_at"])
        _show(table, "no documents yet: salambot kb import FOLDER")

    run(url, tenant, work)


@app.command()
def delete(
    document: Annotated[str, typer.Argument(help="Id of the document.")] = "",
    *,
    source: Annotated[str, typer.Option(help="Delete all documents of this source.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Delete all documents of the tenant.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = "",
    tenant: Tenant = "demo",
) -> None:
    """Delete a document, a source, or everything. No search finds them from then on."""
    what = document or (f"all documents of the source {source}" if source else f"all documents of {tenant}")

    async def work(api: Api) -> None:
        if sum(map(bool, (document, source, everything))) != 1:
            raise InvalidInput("say what to delete: a document, --source NAME, or --all")
        if not yes and not typer.confirm(f"Delete {what}?"):
            return
        if document:
            deleted = int((await api.delete(f"/v1/rag/documents/{document}"))["deleted"])
        else:
            which: dict[str, Any] = {"source": source} if source else {"all": True}
            deleted = (await api.post("/v1/rag/documents:delete", **which))["deleted"]
        _screen().print(f"deleted: {deleted}" if deleted else "there was nothing to delete")

    run(url, tenant, work)


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="A question as a customer would ask it.")],
    limit: Annotated[int, typer.Option(help="How many passages at most.")] = 5,
    url: Url = "",
    tenant: Tenant = "demo",
) -> None:
    """Search the knowledge as the chatbot does; with a key that may do more than chat, internal documents too."""

    async def work(api: Api) -> None:
        found = await api.post("/v1/rag/retrieve", query=question, limit=limit)
        screen = _screen()
        if not found["passages"]:
            screen.print("nothing was found")
        for passage, score, citation in zip(found["passages"], found["scores"], found["citations"], strict=True):
            screen.print(
                f"{score:.2f}  {citation['id']}{citation['loc']}  {citation['title']}", style="cyan", markup=False
            )
            screen.print(passage, markup=False)
            screen.print()

    run(url, tenant, work)


def _screen() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _show(table: Table, nothing: str) -> None:
    screen = Console(highlight=False)
    screen.width = max(_WIDTH, screen.width)
    screen.print(table if table.row_count else nothing)
