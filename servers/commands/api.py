"""The gateway as commands call it: found where it runs, with the key of the environment or the demo tenant's."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson

from servers.commands import process
from servers.kit.envelope import new_id
from servers.kit.errors import InvalidInput, SalamError, Timeout, UpstreamError
from servers.kit.settings import Settings
from servers.state import read

KEY_VARIABLE = "SALAMBOT_KEY"
_SECONDS = 60.0


class Api:
    """REST calls for one tenant. Every call raises InvalidInput, Timeout, or UpstreamError with what the gateway says."""

    def __init__(self, http: httpx.AsyncClient, tenant: str) -> None:
        self._http = http
        self._tenant = tenant

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The `data` of a reply to GET."""
        return _data(await self._http.get(path, params=parameters))

    async def delete(self, path: str) -> dict[str, Any]:
        """The `data` of a reply to DELETE."""
        return _data(await self._http.delete(path))

    async def post(self, path: str, **data: Any) -> dict[str, Any]:
        """The `data` of a reply to POST."""
        envelope = {"tenant": self._tenant, "channel": "admin", "message_id": new_id("msg")}
        return _data(await self._http.post(path, json={**envelope, "data": data}))

    async def upload(self, name: str, file: Path) -> str:
        """Sends a file; its id."""
        parameters = {"name": name, "tenant": self._tenant}
        with file.open("rb") as content:
            sent = await self._http.post("/v1/rag/files", params=parameters, content=_pieces(content))
        return str(_data(sent)["id"])

    async def events(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """The `data` of each event of a stream."""
        async with self._http.stream("GET", path, timeout=None) as response:
            if response.is_error:
                await response.aread()
                _data(response)
            event = ""
            async for line in response.aiter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    body = orjson.loads(line[5:])
                    if event == "error":
                        raise _refusal(body)
                    yield body["data"]
                elif not line:
                    event = ""

    async def pages(self, path: str, member: str, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """Each entry of a list, page by page."""
        token = ""
        while True:
            page = await self.get(path, page_size=200, page_token=token, **parameters)
            for entry in page[member]:
                yield entry
            token = page["next_page_token"]
            if not token:
                return


def run(url: str, tenant: str, work: Callable[[Api], Awaitable[None]]) -> None:
    """Runs `work` with the API of a gateway: the one at `url`, else the one that runs here."""

    async def connected(settings: Settings) -> None:
        state = read(settings.home)
        address = url or (state.http if state else "")
        if not address:
            raise InvalidInput("no gateway runs here: start `salambot up` in another terminal, or give --url")
        try:
            async with httpx.AsyncClient(base_url=address, headers=_credential(settings), timeout=_SECONDS) as http:
                await work(Api(http, tenant))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError(f"no answer from {address}: {error or type(error).__name__}") from error

    process.run(connected)


def _credential(settings: Settings) -> dict[str, str]:
    key = os.environ.get(KEY_VARIABLE, "")
    file = settings.home / "demo.key"
    if not key and file.exists():
        key = file.read_text().strip()
    if not key:
        raise InvalidInput(f"no API key: set {KEY_VARIABLE}; `salambot tenant key TENANT --scope knowledge` makes one")
    return {"authorization": f"Bearer {key}"}


async def _pieces(content: Any) -> AsyncIterator[bytes]:
    while piece := content.read(1 << 18):
        yield piece


def _data(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        raise UpstreamError(f"the gateway answered {response.status_code} without JSON; look at --url") from None
    if response.is_error:
        raise _refusal(body)
    return body["data"]  # type: ignore[no-any-return]


def _refusal(body: dict[str, Any]) -> SalamError:
    error = body.get("error", {})
    message = str(error.get("message", "the request was refused"))
    kinds: dict[str, type[SalamError]] = {"invalid_input": InvalidInput, "timeout": Timeout}
    return kinds.get(error.get("code", ""), UpstreamError)(message)
