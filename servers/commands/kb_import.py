"""`salambot kb import`: a folder, a file, a web site or a bucket into a tenant's knowledge, with a report."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from servers.commands import process
from servers.commands.api import Api, run
from servers.commands.kb_options import Tenant, Url
from servers.kit.errors import InvalidInput, Timeout

MOST_FILES = 1000
MOST_BYTES = 50 * 1024 * 1024

_WIDTH = 100  # of the report, where there is no terminal
_NOT_IN_NAME = re.compile(r"[^a-z0-9_-]+")
_TELLING = ("skipped", "failed", "removed")


class Line(NamedTuple):
    """A line of the report."""

    name: str
    outcome: str
    reason: str


def import_(
    where: Annotated[str, typer.Argument(help="A file, a folder, http(s)://… or s3://bucket/prefix.")],
    *,
    source: Annotated[str, typer.Option(help="Name of the source; made from the place when left out.")] = "",
    language: Annotated[
        str, typer.Option(help="fr, ar, en, darija_arabizi or darija_arabic; recognised when left out.")
    ] = "",
    category: Annotated[str, typer.Option(help="Category that filters match.")] = "",
    audience: Annotated[Literal["public", "internal"], typer.Option(help="Who may see the documents.")] = "public",
    prune: Annotated[bool, typer.Option("--prune", help="Remove what is in the source but there no more.")] = False,
    depth: Annotated[int, typer.Option(help="Web: how many links away pages may be, 0 to 3.")] = 0,
    most: Annotated[int, typer.Option(help="Web: how many pages at most.")] = 100,
    endpoint: Annotated[str, typer.Option(help="Bucket: address of a server other than Amazon's.")] = "",
    region: Annotated[str, typer.Option(help="Bucket: region.")] = "",
    watch: Annotated[bool, typer.Option(help="Follow the import to its end.")] = True,
    url: Url = "",
    tenant: Tenant = "demo",
) -> None:
    """Import documents. The same command again takes what is new or changed.

    Credentials of a bucket are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Ends with 1 when something failed.
    """

    async def work(api: Api) -> None:
        refused: list[Line] = []
        with _bars() as bars:
            origin = await _origin(api, where, refused, bars, depth=depth, most=most, endpoint=endpoint, region=region)
            defaults = {"language": language, "category": category, "audience": audience}
            asked = {"source": source or _source_of(where), "origin": origin, "prune": prune and not refused}
            asked["defaults"] = {name: value for name, value in defaults.items() if value}
            job = (await api.post("/v1/rag/imports", **asked))["job"]
            if watch:
                job = await _watch(api, job, bars)
        if watch:
            await _report(api, job, refused)
        else:
            typer.echo(job["id"])
        if refused or job["failed"] or job["state"] == "failed":
            raise typer.Exit(1)

    run(url, tenant, work)


async def _origin(api: Api, where: str, refused: list[Line], bars: Progress, **asked: Any) -> dict[str, Any]:
    scheme = urlsplit(where).scheme
    if scheme in {"http", "https"}:
        return {"web": {"url": where, "depth": asked["depth"], "most": asked["most"]}}
    if scheme == "s3":
        keys = {
            "access_key": os.environ.get("AWS_ACCESS_KEY_ID", ""),
            "secret_key": os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
        }
        return {"bucket": {"url": where, "endpoint": asked["endpoint"], "region": asked["region"], **keys}}
    return {"files": {"ids": await _upload(api, Path(where), refused, bars)}}


async def _upload(api: Api, place: Path, refused: list[Line], bars: Progress) -> list[str]:
    files = sorted(_files(place))
    if not files:
        raise InvalidInput(f"{place} is no file and no folder with files")
    if len(files) > MOST_FILES:
        raise InvalidInput(f"{place} holds {len(files)} files; import folders of at most {MOST_FILES}, one by one")
    bar = bars.add_task("sending", total=len(files))
    ids = []
    for file in files:
        name = file.relative_to(place).as_posix() if file != place else file.name
        try:
            if file.stat().st_size > MOST_BYTES:
                raise InvalidInput(f"the file is larger than {MOST_BYTES >> 20} MB; split it")
            ids.append(await api.upload(name, file))
        except (InvalidInput, OSError) as error:
            refused.append(Line(name, "failed", str(error)))
        bars.advance(bar)
    if not ids:
        raise InvalidInput(f"none of the files could be sent: {refused[0].reason}")
    return ids


def _files(place: Path) -> Iterator[Path]:
    """The files below a place, but hidden ones, and what links lead to."""
    if place.is_file():
        yield place
    elif place.is_dir():
        for entry in place.iterdir():
            if not entry.name.startswith(".") and not entry.is_symlink():
                yield from _files(entry)


def _source_of(where: str) -> str:
    address = urlsplit(where)
    name = address.netloc if address.scheme in {"http", "https", "s3"} else Path(where).resolve().stem
    return _NOT_IN_NAME.sub("-", name.lower()).strip("-_")[:63] or "files"


async def _watch(api: Api, job: dict[str, Any], bars: Progress) -> dict[str, Any]:
    bar = bars.add_task("listing", total=None)
    while job["state"] == "running":
        try:
            async for step in api.events(f"/v1/rag/imports/{job['id']}:watch"):
                job = step["job"]
                done = sum(job[outcome] for outcome in ("taken", "unchanged", "skipped", "failed"))
                name = "taking" if job["listed"] else "listing"
                bars.update(bar, description=name, completed=done, total=job["items"] if job["listed"] else None)
        except Timeout:  # longer than one watch may last
            continue
    return job


def _bars() -> Progress:
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=process.console, transient=True)


async def _report(api: Api, job: dict[str, Any], refused: list[Line]) -> None:
    screen = Console(highlight=False)
    screen.width = max(_WIDTH, screen.width)
    table = Table("document", "outcome", "why", box=None)
    for line in refused:
        table.add_row(*line)
    async for item in api.pages(f"/v1/rag/imports/{job['id']}/items", "items"):
        if item["outcome"] in _TELLING or item["warnings"]:
            table.add_row(item["name"], item["outcome"], "; ".join(filter(None, [item["reason"], *item["warnings"]])))
    if table.row_count:
        screen.print(table)
    figures = {name: job[name] for name in ("taken", "unchanged", "skipped", "failed", "removed", "passages")}
    figures["failed"] += len(refused)
    told = ", ".join(f"{count} {name}" for name, count in figures.items() if count) or "nothing"
    screen.print(
        f"{job['source']}: {job['state']}, {told}" + (f": {job['problem']}" if job["problem"] else ""), markup=False
    )
