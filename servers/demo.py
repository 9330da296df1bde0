"""The demo tenant: Atlas Services, its API key, what it knows (`demo/knowledge`) and sells (`demo/products.tsv`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from salambot.common.v1 import envelope_pb2, options_pb2
from salambot.nlu.v1 import entity_types_pb2, nlu_service_pb2, nlu_service_pb2_grpc
from salambot.rag.v1 import rag_pb2, rag_service_pb2, rag_service_pb2_grpc

from servers.kit import method
from servers.kit.call import serving, work
from servers.kit.embedded.progress import Progress
from servers.kit.envelope import Envelope, complete, new_id
from servers.kit.errors import NotFound, Unauthorized
from servers.kit.platform import Platform
from servers.kit.principal import Principal
from servers.nlu.entity_types.listing import read_values

TENANT = "demo"
LOCALE = "fr-MA"
SOURCE = "demo"
KNOWLEDGE = Path(__file__).parents[1] / "demo" / "knowledge"
PRODUCTS = Path(__file__).parents[1] / "demo" / "products.tsv"
SCOPES = frozenset(value for value in options_pb2.Scope.values() if value)

_PUT_DOCUMENT = "/salambot.rag.v1.RAGService/PutDocument"
_PUT_ENTITY_TYPE = "/salambot.nlu.v1.NLUService/PutEntityType"
_SECONDS = 30.0
_AT_ONCE = 4  # documents


async def load_demo(platform: Platform, home: Path, progress: Progress) -> str:
    """Makes the tenant, its key, knowledge and products where they are missing or out of date; returns the key.

    The key is kept in `home`/demo.key, readable by the owner alone. NLU and RAG must be served. Raises SalamError.
    """
    await _ensure_tenant(platform)
    key = await _ensure_key(platform, home / "demo.key")
    await _load_products(platform)
    await _load_knowledge(platform, progress)
    return key


async def _ensure_tenant(platform: Platform) -> None:
    try:
        await platform.tenants.get(TENANT)
    except NotFound:
        port = platform.settings.http_port
        origins = [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")]
        await platform.tenants.put(TENANT, name="Atlas Services", locale=LOCALE, settings={"allowed_origins": origins})


async def _ensure_key(platform: Platform, file: Path) -> str:
    kept = _read(file)
    if kept is not None:
        try:
            if (await platform.tenants.authenticate(kept)).tenant == TENANT:
                return kept
        except Unauthorized:
            pass  # revoked, or of another database: a new one takes its place
    key = await platform.tenants.create_key(TENANT, name="demo", scopes=SCOPES)
    _keep(file, key)
    return key


def _read(file: Path) -> str | None:
    return file.read_text().strip() if file.exists() else None


def _keep(file: Path, key: str) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(f"{key}\n")


async def _load_products(platform: Platform) -> None:
    products = entity_types_pb2.EntityType(name="product", values=read_values(PRODUCTS))
    nlu = nlu_service_pb2_grpc.NLUServiceStub(platform.channel)
    with _on_behalf_of_demo(_PUT_ENTITY_TYPE, PRODUCTS.name):
        await nlu.PutEntityType(
            nlu_service_pb2.PutEntityTypeRequest(data=nlu_service_pb2.PutEntityTypeInput(entity_type=products))
        )


async def _load_knowledge(platform: Platform, progress: Progress) -> None:
    rag = rag_service_pb2_grpc.RAGServiceStub(platform.channel)
    files, turns = sorted(KNOWLEDGE.glob("*.*.md")), asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def put(file: Path) -> None:
        nonlocal done
        async with turns:
            with _on_behalf_of_demo(_PUT_DOCUMENT, file.name):
                document = read_document(file)
                await rag.PutDocument(
                    rag_service_pb2.PutDocumentRequest(data=rag_service_pb2.PutDocumentInput(document=document))
                )
        done += 1
        progress("demo", "Loading the demo knowledge", done / len(files))

    await asyncio.gather(*map(put, files))
    progress("demo", "The demo knowledge is loaded", 1.0)


@contextmanager
def _on_behalf_of_demo(path: str, name: str) -> Iterator[None]:
    principal = Principal(TENANT, "demo", SCOPES, LOCALE, internal=True)
    envelope = Envelope(tenant=TENANT, channel=envelope_pb2.CHANNEL_SYSTEM, message_id=new_id(name))
    complete(envelope, locale=LOCALE)
    with serving(work(method.find(path), principal, envelope, _SECONDS)):
        yield


def read_document(file: Path) -> rag_pb2.Document:
    """The document in `<theme>.<language>.md`: lines `field: value` between two `---`, then Markdown.

    Documents of one theme say the same in several languages.
    """
    _, head, text = file.read_text("utf-8").split("---\n", 2)
    fields: Mapping[str, str] = dict(line.split(": ", 1) for line in head.splitlines())
    return rag_pb2.Document(
        id=fields["id"],
        title=fields["title"],
        language=envelope_pb2.Language.Value(f"LANGUAGE_{fields['language'].upper()}"),
        category=fields["category"],
        audience=rag_pb2.AUDIENCE_PUBLIC,
        url=fields["url"],
        attributes={"topic": file.name.split(".")[0]},
        source=SOURCE,
        text=text,
    )
