"""`salambot chat`: a conversation in the terminal, streamed from a running gateway."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import orjson
import typer
from rich.console import Console

from servers.commands.process import run
from servers.kit.envelope import new_id
from servers.kit.errors import InvalidInput, UpstreamError
from servers.kit.settings import Settings
from servers.state import read

KEY_VARIABLE = "SALAMBOT_KEY"

screen = Console(highlight=False)


def chat(
    url: Annotated[str, typer.Option(help="Gateway to talk to; the one running here without it.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant to talk to.")] = "demo",
    message: Annotated[str, typer.Option("--message", "-m", help="Say this and leave.")] = "",
) -> None:
    """Talk to a chatbot. The API key is read from SALAMBOT_KEY, else the demo tenant's is used."""

    async def work(settings: Settings) -> None:
        state = read(settings.home)
        address = url or (state.http if state else "")
        if not address:
            raise InvalidInput("no gateway runs here: start `salambot up` in another terminal, or give --url")
        try:
            async with httpx.AsyncClient(base_url=address, headers=_headers(settings), timeout=35) as client:
                await _converse(client, tenant, message)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError(f"no answer from {address}: {error or type(error).__name__}") from error

    run(work)


async def _converse(client: httpx.AsyncClient, tenant: str, message: str) -> None:
    visitor = new_id("visitor")
    if message:
        await _say(client, tenant, visitor, message)
        return
    screen.print("[dim]Write in French, Arabic, English or Darija. An empty line leaves.[/]")
    while text := (await asyncio.to_thread(_ask)).strip():
        await _say(client, tenant, visitor, text)


def _headers(settings: Settings) -> dict[str, str]:
    key = os.environ.get(KEY_VARIABLE, "")
    file = settings.home / "demo.key"
    if not key and file.exists():
        key = file.read_text().strip()
    if not key:
        raise InvalidInput(f"no API key: set {KEY_VARIABLE}")
    return {"authorization": f"Bearer {key}"}


def _ask() -> str:
    try:
        return screen.input("[bold cyan]› [/]")
    except (EOFError, KeyboardInterrupt):
        return ""


async def _say(client: httpx.AsyncClient, tenant: str, visitor: str, text: str) -> None:
    body = {
        "tenant": tenant,
        "channel": "webchat",
        "message_id": new_id("msg"),
        "data": {"user_text": text, "user_id": visitor},
    }
    async with client.stream("POST", "/v1/messages:stream", json=body) as response:
        if response.is_error:
            _show_error(orjson.loads(await response.aread()))
            return
        async for event, data in _events(response):
            if event == "error":
                screen.print()
                _show_error(data)
            elif event == "delta":
                screen.print(data["data"]["delta"], end="", markup=False, soft_wrap=True)
            elif event == "reply":
                screen.print()
                screen.print(_footnote(data["data"]["reply"]), style="dim", markup=False, soft_wrap=True)


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    event = ""
    async for line in response.aiter_lines():
        if line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            yield event, orjson.loads(line[5:])


def _footnote(reply: dict[str, Any]) -> str:
    sources = ", ".join(f"{citation['title']} {citation['loc']}" for citation in reply["citations"])
    parts = [
        reply["language"],
        f"{reply['intent']} {reply['intent_confidence']:.2f}",
        reply["model_used"],
        f"{reply['timings']['total_ms']:.0f} ms",
    ]
    return " · ".join([*parts, sources] if sources else parts)


def _show_error(body: dict[str, Any]) -> None:
    error = body.get("error", {})
    screen.print(f"{error.get('code', 'error')}: {error.get('message', '')}", style="red", markup=False)
