"""The documentation page, read as text and looked at with a real browser."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import httpx
import pytest

from gateway.transcoding.contract import Contract

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"))), None
)


async def test_the_documentation_brings_everything_itself(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert re.search(r"<script>|<style|\son\w+=|style=", page.text) is None
    assert len(files) == 6
    for file in files:
        assert file.startswith("/")
        assert (await client.get(file)).status_code == 200
    assert (await client.get("/docs/../app.py")).status_code == 404
    assert (await client.get("/docs/nothing.js")).json()["error"]["code"] == "invalid_input"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
async def test_a_browser_shows_the_services_and_an_operation_with_its_example(
    url: str, contract: Contract, tmp_path: Path
) -> None:
    shown, log = await _looked_at(f"{url}/docs#/OrchestratorService/OrchestratorSendMessage", tmp_path)

    text = re.sub(r"<[^>]+>", "", shown)
    for service in {rpc.descriptor.containing_service.name for rpc in contract.rpcs()}:
        assert f'id="operations-tag-{service}"' in shown
    assert "OAS 3.1" in text
    assert "SendMessage reads the message" in text
    assert "salam 3afak fin n9der nshouf la facture ?" in text
    assert re.findall(r"CONSOLE.*", log) == [], "a script failed, or the page's policy refused something"


async def _looked_at(url: str, profile: Path) -> tuple[str, str]:
    """The page as the browser has it after two seconds of its own time, and what it logged."""
    browser = await asyncio.create_subprocess_exec(
        str(BROWSER),
        "--headless=new",
        "--no-sandbox",  # which containers do not let it have; the page is our own
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
        "--dump-dom",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    shown, log = await asyncio.wait_for(browser.communicate(), 60)
    return shown.decode(), log.decode(errors="replace")
