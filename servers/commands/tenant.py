"""`salambot tenant`: tenants and their API keys, from the command line of an installation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from salambot.common.v1 import options_pb2

from servers.commands.process import console, run
from servers.kit.credentials import Signer
from servers.kit.errors import Conflict, InvalidInput, NotFound
from servers.kit.postgres import Postgres
from servers.kit.settings import Settings
from servers.kit.tenancy import is_tenant
from servers.kit.tenants import Tenants
from servers.state import read

app = typer.Typer(help="Tenants and their API keys.", no_args_is_help=True)

Tenant = Annotated[str, typer.Argument(help="Short name: lower-case letters, digits, - and _.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="chat, knowledge, agent, admin, operate; may be repeated; chat without any."),
]


@app.command()
def create(
    tenant: Tenant,
    name: Annotated[str, typer.Option(help="Name for people.")] = "",
    locale: Annotated[str, typer.Option(help="Default locale, for instance fr-MA.")] = "fr-MA",
) -> None:
    """Create a tenant."""

    async def work(tenants: Tenants) -> None:
        if not is_tenant(tenant):
            raise InvalidInput(
                "a tenant's name is 1 to 63 lower-case letters, digits, - and _, and begins with neither"
            )
        try:
            await tenants.get(tenant)
        except NotFound:
            await tenants.put(tenant, name=name or tenant, locale=locale, settings={})
            console.print(f"tenant {tenant} created; make it a key with: salambot tenant key {tenant}")
            return
        raise Conflict(f"there is a tenant {tenant} already")

    _with_tenants(work)


@app.command()
def key(
    tenant: Tenant,
    scope: Scopes = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "command line",
) -> None:
    """Make an API key. It is printed once, on standard output, and kept as a hash only."""

    async def work(tenants: Tenants) -> None:
        await tenants.get(tenant)
        typer.echo(await tenants.create_key(tenant, name=name, scopes=[_scope(word) for word in scope or ["chat"]]))

    _with_tenants(work)


@app.command()
def revoke(
    tenant: Tenant, key_id: Annotated[str, typer.Argument(help="The key's id: between sk_ and the next _.")]
) -> None:
    """Revoke an API key. Serving processes follow within seconds."""

    async def work(tenants: Tenants) -> None:
        if not await tenants.revoke_key(tenant, key_id):
            raise NotFound(f"tenant {tenant} has no such key that is not revoked already")
        console.print("revoked")

    _with_tenants(work)


def _scope(word: str) -> int:
    try:
        return options_pb2.Scope.Value(f"SCOPE_{word.upper()}")
    except ValueError:
        raise InvalidInput(f"there is no scope {word}; there are chat, knowledge, agent, admin, operate") from None


def _with_tenants(work: Callable[[Tenants], Awaitable[None]]) -> None:
    async def connected(settings: Settings) -> None:
        state = read(settings.home)
        url = settings.database_url or (state.database if state else None)
        if url is None:
            raise InvalidInput(
                "nothing serves from this home folder: start `salambot up`, or set SALAMBOT_DATABASE_URL"
            )
        postgres = await Postgres.open(url, connections=2)
        try:
            await work(Tenants(postgres, Signer("")))
        finally:
            await postgres.close()

    run(connected)
